//! For which CUDA the image's programs were built, by the runtime library that they use.

use super::known::numbers;
use crate::facts::Facts;
use image_audit::census::{Copy, Origin};

/// The CUDA runtime that the image's programs use. The minor is not always known.
pub struct Runtime {
    pub major: u32,
    pub minor: Option<u32>,
    pub from: String,
}

impl Runtime {
    pub fn text(&self) -> String {
        match self.minor {
            Some(minor) => format!("{}.{minor}", self.major),
            None => format!("{}.x", self.major),
        }
    }
}

/// Of the framework where it uses one, else of any program, else whatever there is; the newest of those.
pub fn of(facts: &Facts) -> Option<Runtime> {
    let census = &facts.census;
    let own = |copy: &&Copy| {
        copy.library == "libcudart" && copy.bytes > 0 && !matches!(copy.origin, Origin::Stub | Origin::Injected)
    };
    let mut copies: Vec<&Copy> = census.copies.iter().filter(own).collect();
    let mut narrow = |keep: &dyn Fn(&Copy) -> bool| {
        if copies.iter().any(|copy| keep(copy)) {
            copies.retain(|copy| keep(copy));
        }
    };
    narrow(&|copy| copy.reached);
    if let Some(framework) = &census.framework {
        let directory = framework.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        narrow(&|copy| copy.users.iter().any(|user| user.path.starts_with(&format!("{directory}/"))));
    }
    let of_copies = copies.into_iter().filter_map(|copy| {
        let (major, minor) = version(copy)?;
        Some(Runtime { major, minor, from: copy.path.clone() })
    });
    of_copies.max_by_key(|runtime| (runtime.major, runtime.minor)).or_else(|| {
        // A program may have the runtime in itself; then the base says with what it was built, as a rule.
        let version = numbers(census.flavour.cuda_version.as_deref()?);
        let from = "the image's CUDA base".to_owned();
        Some(Runtime { major: *version.first()?, minor: version.get(1).copied(), from })
    })
}

fn version(copy: &Copy) -> Option<(u32, Option<u32>)> {
    let in_soname = copy.soname.as_deref().and_then(|soname| soname.strip_prefix("libcudart.so."));
    // libcudart.so.11.0 is the soname of all of CUDA 11: its second number says nothing.
    let said = copy.version.as_deref().filter(|version| Some(*version) != in_soname);
    let parse = |text: &str| -> Option<(u32, Option<u32>)> {
        let numbers = numbers(text.split(['-', '~', '+']).next()?);
        Some((*numbers.first()?, numbers.get(1).copied()))
    };
    said.and_then(parse).or_else(|| Some((parse(in_soname?)?.0, None)))
}
