//! The CUDA that an installation was built for, as its libraries show it.

use crate::checks::code::needs;
use crate::facts::Facts;
use crate::facts::target_machine::known::{self, numbers};
use crate::model::Evidence;
use image_audit::census::{Copy, Framework, Missing};
use image_audit::fatbin::PtxVersion;

/// The CUDA runtime of an installation. The minor version is not always known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runtime<'a> {
    pub major: u32,
    pub minor: Option<u32>,
    /// The minor version is the least that it can be.
    pub or_newer: bool,
    pub basis: Basis<'a>,
}

/// What shows the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis<'a> {
    /// A library that it loads.
    Library { path: &'a str },
    /// A library that it needs and the image does not have.
    Missing { soname: &'a str, by: &'a str },
    /// Its newest PTX: the compiler was of that CUDA or newer.
    Ptx { version: PtxVersion },
    /// The base image.
    Base,
}

impl Runtime<'_> {
    pub fn text(&self) -> String {
        match self.minor {
            Some(minor) if self.or_newer => format!("{}.{minor} or newer", self.major),
            Some(minor) => format!("{}.{minor}", self.major),
            None => format!("{}.x", self.major),
        }
    }

    /// For the table: `12.8+`.
    pub fn short(&self) -> String {
        self.text().replace(" or newer", "+")
    }

    pub fn evidence(&self) -> Evidence {
        let cuda = self.text();
        match self.basis {
            Basis::Library { path } => Evidence::of(path, &format!(": CUDA {cuda}")),
            Basis::Missing { soname, by } => Evidence::of(by, &format!(": needs {soname}, of CUDA {cuda}")),
            Basis::Ptx { version } => format!("the newest PTX has version {version}, of CUDA {cuda}").into(),
            Basis::Base => format!("the base image is CUDA {cuda}").into(),
        }
    }
}

/// The runtime of an installation: the newest libcudart that it loads or lacks, else the CUDA of another library that
/// it loads or lacks. Outside of Python packages, which are built elsewhere, the CUDA of the base image is the next
/// best. Without an installation: the newest copy that any program uses, else any copy.
pub fn of<'a>(facts: &'a Facts, framework: Option<&'a Framework>) -> Option<Runtime<'a>> {
    let census = &facts.census;
    let copies = needs::copies(facts);
    let base = || {
        let version = numbers(census.flavor.cuda_version.as_deref()?);
        let (major, minor) = (*version.first()?, version.get(1).copied());
        Some(Runtime { major, minor, or_newer: false, basis: Basis::Base })
    };
    let Some(framework) = framework else {
        let mut copies: Vec<&Copy> = copies.filter(|copy| copy.library == "libcudart").collect();
        if copies.iter().any(|copy| copy.reached) {
            copies.retain(|copy| copy.reached);
        }
        return newest(copies.into_iter().filter_map(of_copy)).or_else(base);
    };
    let own: Vec<&Copy> = copies.filter(|copy| framework.uses.contains(&copy.path)).collect();
    let lacks = needs::missing(facts, framework);
    let of_missing = |(missing, by): &(&'a Missing, &'a str)| {
        let basis = Basis::Missing { soname: &missing.soname, by };
        let major = needs::cuda_of(&missing.library, &missing.soname)?;
        Some(Runtime { major, minor: None, or_newer: false, basis })
    };
    let shown_by = |library: &str| {
        let used = own.iter().filter(|copy| copy.library == library).filter_map(|copy| of_copy(copy));
        let lacking = lacks.iter().filter(|(missing, _)| missing.library == library);
        newest(used.chain(lacking.filter_map(of_missing)))
    };
    let of_libraries = || newest(needs::NUMBERED.into_iter().filter_map(shown_by));
    let of_names = || newest(needs::opened(facts, framework).iter().filter_map(of_missing));
    let in_python = framework.objects.iter().any(|object| object.path.contains("-packages/"));
    let found = shown_by("libcudart").or_else(of_libraries).or_else(of_names);
    let found = found.or_else(|| if in_python { None } else { base() })?;
    // Without a minor version, PTX shows the least.
    let of_ptx = least(framework).filter(|least| found.minor.is_none() && least.major == found.major);
    Some(of_ptx.map_or(found, |least| Runtime { minor: least.minor, or_newer: true, ..found }))
}

/// The CUDA that the newest PTX of an installation shows. Its runtime may be newer.
pub fn least(framework: &Framework) -> Option<Runtime<'_>> {
    let codes = framework.objects.iter().flat_map(|object| &object.device_code);
    let version = codes.filter_map(|code| code.ptx_version).max()?;
    let (major, minor) = known::cuda_of_ptx(version)?;
    Some(Runtime { major, minor: Some(minor), or_newer: false, basis: Basis::Ptx { version } })
}

fn newest<'a>(runtimes: impl Iterator<Item = Runtime<'a>>) -> Option<Runtime<'a>> {
    runtimes.max_by_key(|runtime| (runtime.major, runtime.minor))
}

/// What a copy shows: libcudart the whole version, the others have one of their own and show the major version.
fn of_copy(copy: &Copy) -> Option<Runtime<'_>> {
    let (major, minor) = match copy.library.as_str() {
        "libcudart" => version(copy)?,
        library => (needs::cuda_of(library, copy.soname.as_deref()?)?, None),
    };
    Some(Runtime { major, minor, or_newer: false, basis: Basis::Library { path: &copy.path } })
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
    use crate::checks::predict::samples::{TORCH, image};
    use crate::facts::sample::copy;

    fn text(facts: &Facts) -> Option<String> {
        of(facts, facts.census.frameworks.first()).map(|runtime| runtime.text())
    }

    #[test]
    fn the_runtime_of_the_installation_counts() {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        // Newer, but torch does not use it.
        facts.census.copies.push(copy("libcudart", "/opt/libcudart.so.13", "13.2.86"));
        assert_eq!(text(&facts).as_deref(), Some("12.4"));
        facts.census.frameworks.clear();
        assert_eq!(text(&facts).as_deref(), Some("13.2"));
    }

    #[test]
    fn an_unrelated_runtime_shows_nothing() {
        let mut facts = image(&["sm_90"], None);
        facts.census.copies.push(copy("libcudart", "/opt/libcudart.so.13", "13.2.86"));
        facts.census.frameworks[0].objects[0].path = "/site-packages/torch/lib/libtorch_cuda.so".into();
        facts.census.flavor.cuda_version = Some("12.4.1".into());
        assert_eq!(text(&facts), None, "nor does the base image, about a wheel");
    }

    #[test]
    fn other_libraries_show_the_major_version() {
        let mut facts = image(&["sm_90"], None);
        facts.census.copies.push(copy("libcublas", "/site/nvidia/libcublas.so.12", "12.9.3.13"));
        facts.census.copies.push(copy("libcufft", "/site/nvidia/libcufft.so.11", "11.4.1.4"));
        facts.census.frameworks[0].uses = facts.census.copies.iter().map(|copy| copy.path.clone()).collect();
        assert_eq!(text(&facts).as_deref(), Some("12.x"), "the number of libcufft is not the CUDA release");
    }

    #[test]
    fn a_missing_runtime_is_the_one_that_is_needed() {
        let mut facts = image(&["sm_90"], Some("12.8.90"));
        let missing = |soname: &str| Missing {
            library: "libcudart".into(),
            soname: soname.into(),
            by: vec![TORCH.into()],
            ..Missing::default()
        };
        facts.census.missing = vec![missing("libcudart.so.13")];
        let runtime = of(&facts, facts.census.frameworks.first()).unwrap();
        assert_eq!(runtime.evidence().text, format!("{TORCH}: needs libcudart.so.13, of CUDA 13.x"));
    }

    #[test]
    fn names_of_one_release_show_it() {
        let optional = |sonames: &[&str], by: &str| {
            let mut facts = image(&["sm_90"], None);
            let missing = |soname: &&str| Missing {
                library: "libcublas".into(),
                soname: soname.to_string(),
                by: vec!["/usr/bin/other".into(), by.into()],
                ..Missing::default()
            };
            facts.census.missing_optional = sonames.iter().map(missing).collect();
            text(&facts)
        };
        assert_eq!(optional(&["libcublas.so.12"], TORCH).as_deref(), Some("12.x"));
        assert_eq!(optional(&["libcublas.so.12"], "/opt/x"), None);
        assert_eq!(optional(&["libcublas.so.12", "libcublas.so.13"], TORCH), None);
    }

    #[test]
    fn ptx_shows_the_least_minor_version() {
        let mut facts = image(&["compute_80/8.7"], None);
        facts.census.copies.push(copy("libcublas", "/site/nvidia/libcublas.so.12", "12.9.3.13"));
        facts.census.frameworks[0].uses = vec!["/site/nvidia/libcublas.so.12".into()];
        assert_eq!(text(&facts).as_deref(), Some("12.8 or newer"));
        facts.census.copies[0].soname = Some("libcublas.so.13".into());
        assert_eq!(text(&facts).as_deref(), Some("13.x"), "an older object with PTX");
    }

    #[test]
    fn ptx_shows_the_least_cuda() {
        let facts = image(&["sm_80", "compute_80/8.3", "compute_90/8.5"], None);
        assert_eq!(least(&facts.census.frameworks[0]).map(|least| least.text()).as_deref(), Some("12.5"));
        assert_eq!(least(&image(&["compute_80/99.0"], None).census.frameworks[0]), None);
    }

    #[test]
    fn the_soname_of_cuda_11_has_no_minor_version() {
        let mut facts = image(&["sm_80"], None);
        facts.census.copies.push(copy("libcudart", "/usr/lib/libcudart.so.11.0", "11.0"));
        facts.census.frameworks.clear();
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
