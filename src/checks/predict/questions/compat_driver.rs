//! The compatibility driver in an image (the libcuda of a cuda-compat package), and where it works.

use crate::facts::Facts;
use crate::facts::target_machine::TargetMachine;
use crate::facts::target_machine::known::{self, DriverCuda, numbers};
use crate::model::Evidence;
use image_audit::census::{Copy, Origin};

/// The libcuda of a compatibility package.
pub struct Compat<'a> {
    copy: &'a Copy,
    /// LD_LIBRARY_PATH leads to it on every machine.
    pub in_front: bool,
}

pub enum Works {
    Yes,
    /// It has the version of the machine's driver.
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

    /// The CUDA that it supports: from its ELF note, else from its version.
    pub fn cuda(&self) -> DriverCuda {
        let noted = self.copy.forward.as_ref().and_then(|forward| {
            let version = numbers(forward.cuda.as_deref()?);
            Some(DriverCuda::Exactly((*version.first()?, *version.get(1)?)))
        });
        noted.unwrap_or_else(|| {
            let version = numbers(self.copy.version.as_deref().unwrap_or_default());
            version.first().map_or(DriverCuda::Unknown, |branch| DriverCuda::of_branch(*branch))
        })
    }

    pub fn works(&self, machine: &TargetMachine) -> Works {
        let unknown = |why: &str| Works::Unknown(why.to_owned());
        let (Some(own), Some(driver)) = (&self.copy.version, &machine.driver) else {
            return unknown("It is unknown which of the two drivers is newer.");
        };
        match numbers(own).cmp(&numbers(driver)) {
            std::cmp::Ordering::Equal => return Works::SameVersion,
            std::cmp::Ordering::Less => {
                return Works::No(format!("The machine's driver {driver} is newer than the image's {own}."));
            }
            std::cmp::Ordering::Greater => {}
        }
        if machine.datacenter == Some(false) {
            return Works::No("A compatibility driver works on data center GPUs only.".into());
        }
        let Some(forward) = self.copy.forward.as_ref().filter(|forward| !forward.drivers.is_empty()) else {
            return unknown("The image's driver does not list the drivers that it can replace.");
        };
        let branch = known::branch(machine).unwrap_or_default();
        if !forward.drivers.contains(&branch) {
            let known: Vec<String> = forward.drivers.iter().map(u32::to_string).collect();
            return Works::No(format!(
                "The image's driver {own} can replace drivers {}, but not {branch}.",
                known.join(", ")
            ));
        }
        match machine.datacenter {
            Some(true) => Works::Yes,
            _ => unknown("It is unknown whether this is a data center GPU (datacenter=yes|no)."),
        }
    }

    pub fn version(&self) -> &str {
        self.copy.version.as_deref().unwrap_or("of unknown version")
    }

    pub fn evidence(&self) -> Evidence {
        Evidence::of(&self.copy.path, &format!(": driver {}", self.version()))
    }
}

/// Whether the file is in that directory. The facts contain no links to directories, but NVIDIA's own are known:
/// `/usr/local/cuda` and `/usr/local/cuda-13` link to `/usr/local/cuda-13.1`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, copy};

    /// NVIDIA's framework images name `compat/lib` in LD_LIBRARY_PATH; their entry point links it to `lib.real` where
    /// the compatibility driver helps.
    #[test]
    fn library_path_must_name_the_directory_itself() {
        let in_front = |path: &str, links: &[&str], library_path: &str| {
            let mut compat = copy("libcuda", path, "590.44.01");
            compat.links = links.iter().map(|link| link.to_string()).collect();
            let with_path = |facts: &mut Facts| facts.census.library_path = Some(library_path.to_owned());
            let facts = Sample::image().copy(compat).with(with_path).facts();
            Compat::find(&facts).unwrap().in_front
        };
        let real = "/usr/local/cuda-12.4/compat/lib.real/libcuda.so.590.44.01";
        let link = "/usr/local/cuda/compat/lib/libcuda.so.1";
        let path = "/usr/local/cuda/compat/lib:/usr/local/nvidia/lib";
        assert!(!in_front(real, &[], path));
        assert!(in_front(real, &[link], path));
        assert!(in_front(real, &[], "/opt:/usr/local/cuda-12.4/compat/lib.real/"));
        assert!(in_front(real, &[], "/usr/local/cuda-12/compat/lib.real"));
        let others = "/usr/local/cuda-1/compat/lib.real:/usr/local/cuda-13.1/compat/lib.real";
        assert!(!in_front(real, &[], others));
        assert!(!in_front(real, &[], "/opt/compat"));
    }
}
