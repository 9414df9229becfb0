//! A driver that the image brings itself: the libcuda of a cuda-compat package, and where it works.

use super::driver_text;
use super::known::{self, DriverCuda, numbers};
use crate::checks::Problem;
use crate::facts::Facts;
use crate::facts::target_machine::{Cuda, TargetMachine};
use image_audit::census::{Copy, Origin};

/// The libcuda of a compatibility package.
pub struct Compat<'a> {
    copy: &'a Copy,
    /// LD_LIBRARY_PATH leads to it, whatever the machine has.
    pub in_front: bool,
}

pub enum Works {
    Yes,
    /// It is the machine's own.
    SameVersion,
    No(String),
    Unknown(String),
}

impl<'a> Compat<'a> {
    pub fn find(facts: &'a Facts) -> Option<Compat<'a>> {
        let part = |path: &str| path.split('/').any(|name| name == "compat");
        let compat = |copy: &&Copy| {
            copy.library == "libcuda"
                && copy.bytes > 0
                && copy.origin != Origin::Injected
                && copy.links.iter().chain([&copy.path]).any(|path| part(path))
        };
        let of = |copy: &Copy| copy.version.as_deref().map(numbers);
        let copy = facts.census.copies.iter().filter(compat).max_by_key(|copy| of(copy))?;
        let leads = |entry: &str| copy.links.iter().chain([&copy.path]).any(|path| is_directory(entry, path));
        let paths = facts.census.library_path.as_deref().unwrap_or_default();
        Some(Compat { copy, in_front: paths.split([':', ';']).any(leads) })
    }

    /// What it brings: by its own word, or by its version.
    pub fn cuda(&self) -> DriverCuda {
        let said = self.copy.forward.as_ref().and_then(|forward| {
            let version = numbers(forward.cuda.as_deref()?);
            Some((*version.first()?, *version.get(1)?)).map(|cuda: Cuda| DriverCuda::Exactly(cuda))
        });
        said.unwrap_or_else(|| {
            let version = numbers(self.copy.version.as_deref().unwrap_or_default());
            version.first().map_or(DriverCuda::Unknown, |branch| DriverCuda::of_branch(*branch))
        })
    }

    pub fn works(&self, machine: &TargetMachine) -> Works {
        let unknown = |why: &str| Works::Unknown(why.to_owned());
        let (Some(own), Some(driver)) = (&self.copy.version, &machine.driver) else {
            return unknown("Which of the two drivers is the newer one is unknown.");
        };
        match numbers(own).cmp(&numbers(driver)) {
            std::cmp::Ordering::Equal => return Works::SameVersion,
            std::cmp::Ordering::Less => {
                return Works::No(format!("The machine's driver {driver} is newer than the image's {own}."));
            }
            std::cmp::Ordering::Greater => {}
        }
        if machine.datacenter == Some(false) {
            return Works::No(
                "Another driver than the machine's works on GPUs for data centres alone.".into(),
            );
        }
        let Some(forward) = self.copy.forward.as_ref().filter(|forward| !forward.drivers.is_empty()) else {
            return unknown("The image's driver does not say in place of which drivers it works.");
        };
        let branch = known::branch(machine).unwrap_or_default();
        if !forward.drivers.contains(&branch) {
            let known: Vec<String> = forward.drivers.iter().map(u32::to_string).collect();
            return Works::No(format!(
                "The image's driver {own} works in place of drivers {}, and not of {branch}.",
                known.join(", ")
            ));
        }
        match machine.datacenter {
            Some(true) => Works::Yes,
            _ => unknown("Whether the GPU is one for data centres was not said (datacenter=yes|no)."),
        }
    }

    pub fn problem(&self, machine: &TargetMachine, cause: &str) -> Problem {
        let version = self.copy.version.as_deref().unwrap_or("unknown");
        Problem::new(cause)
            .evidence(format!("{}: version {version}", self.copy.path))
            .evidence(driver_text(machine, DriverCuda::of(machine)))
    }

    pub fn note(&self, machine: &TargetMachine, how: &str) -> Problem {
        let version = self.copy.version.as_deref().unwrap_or_default();
        self.problem(machine, &format!("The image works here with its own driver {version}. {how}"))
    }
}

/// Whether the file lies in that directory. Facts hold no links of directories, but NVIDIA's own are known:
/// `/usr/local/cuda` and `/usr/local/cuda-13` lead to `/usr/local/cuda-13.1`.
fn is_directory(directory: &str, file: &str) -> bool {
    let Some((parent, _)) = file.rsplit_once('/') else { return false };
    let (mut names, mut wanted) = (parent.split('/'), directory.trim_end_matches('/').split('/'));
    let same = |name: &str, wanted: &str| {
        let rest = name.strip_prefix(wanted);
        rest.is_some_and(|rest| rest.is_empty() || wanted.starts_with("cuda") && rest.starts_with(['-', '.']))
    };
    loop {
        match (names.next(), wanted.next()) {
            (None, None) => return true,
            (Some(name), Some(wanted)) if same(name, wanted) => {}
            _ => return false,
        }
    }
}
