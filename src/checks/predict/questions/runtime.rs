//! The CUDA that the image's programs were built for, taken from the runtime library that they use.

use crate::facts::Facts;
use crate::facts::target_machine::known::numbers;
use crate::model::Evidence;
use image_audit::census::{Copy, Origin};

/// The CUDA runtime that the image's programs use. The minor version is not always known.
pub struct Runtime<'a> {
    pub major: u32,
    pub minor: Option<u32>,
    /// Its library; None if the version is that of the base image.
    pub path: Option<&'a str>,
}

impl Runtime<'_> {
    pub fn text(&self) -> String {
        match self.minor {
            Some(minor) => format!("{}.{minor}", self.major),
            None => format!("{}.x", self.major),
        }
    }

    pub fn evidence(&self) -> Evidence {
        match self.path {
            Some(path) => Evidence::of(path, &format!(": CUDA {}", self.text())),
            None => format!("the base image is CUDA {}", self.text()).into(),
        }
    }
}

/// The runtime of the framework, else of any program, else any copy; the newest of those.
pub fn of(facts: &Facts) -> Option<Runtime<'_>> {
    let census = &facts.census;
    let own = |copy: &&Copy| {
        let usable = !matches!(copy.origin, Origin::Stub | Origin::Injected);
        copy.library == "libcudart" && copy.bytes > 0 && usable
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
        Some(Runtime { major, minor, path: Some(&copy.path) })
    });
    of_copies.max_by_key(|runtime| (runtime.major, runtime.minor)).or_else(|| {
        // Programs with a static runtime were usually built with the CUDA of the base image.
        let version = numbers(census.flavor.cuda_version.as_deref()?);
        Some(Runtime { major: *version.first()?, minor: version.get(1).copied(), path: None })
    })
}

fn version(copy: &Copy) -> Option<(u32, Option<u32>)> {
    let in_soname = copy.soname.as_deref().and_then(|soname| soname.strip_prefix("libcudart.so."));
    // All of CUDA 11 has the soname libcudart.so.11.0, so its second number is not a minor version.
    let own = copy.version.as_deref().filter(|version| Some(*version) != in_soname);
    let parse = |text: &str| -> Option<(u32, Option<u32>)> {
        let numbers = numbers(text.split(['-', '~', '+']).next()?);
        Some((*numbers.first()?, numbers.get(1).copied()))
    };
    own.and_then(parse).or_else(|| Some((parse(in_soname?)?.0, None)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::image;
    use crate::facts::sample::copy;

    fn text(facts: &Facts) -> Option<String> {
        of(facts).map(|runtime| runtime.text())
    }

    #[test]
    fn the_runtime_of_the_framework_counts() {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        // Newer, but the framework does not use it.
        facts.census.copies.push(copy("libcudart", "/opt/libcudart.so.13", "13.2.86"));
        assert_eq!(text(&facts).as_deref(), Some("12.4"));
        facts.census.framework = None;
        assert_eq!(text(&facts).as_deref(), Some("13.2"));
    }

    #[test]
    fn the_soname_of_cuda_11_has_no_minor_version() {
        let mut facts = image(&["sm_80"], None);
        facts.census.copies.push(copy("libcudart", "/usr/lib/libcudart.so.11.0", "11.0"));
        assert_eq!(text(&facts).as_deref(), Some("11.x"));
    }

    #[test]
    fn the_base_image_counts_where_there_is_no_runtime() {
        let mut facts = image(&["sm_80"], None);
        assert_eq!(text(&facts), None);
        facts.census.flavor.cuda_version = Some("12.4.1".into());
        assert_eq!(text(&facts).as_deref(), Some("12.4"));
    }
}
