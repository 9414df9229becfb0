//! Faults of the image that prevent GPU use on any machine.

use image_audit::census::{Copy, Origin};

use crate::checks::shared::faults::{faults, phrase};
use crate::checks::shared::loading::libcuda_loaded;
use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::model::Stage;

family! {
    no_glibc
    stub_libcuda
    driver_mismatch
    driver_baked_in
    driver_file_empty
    driver_link_dangling
    stub_linked
    damaged
    stubs_on_path
    compat_on_path
    cuda_without_glibc
    glibc_too_old
    static_tls
    executable_stack
    requirement_too_low
    no_ld_cache
    compat_mismatch
    compat_unsupported
}

/// Checks that fail because a compatibility driver was loaded.
const COMPAT_CONSEQUENCES: &[&str] =
    &["image.compat-on-path", "driver.init", "driver.no-devices", "driver.nvml", "probe.nothing-verified"];

/// Copies of libraries that belong to the driver.
fn driver_copies(facts: &Facts) -> impl Iterator<Item = &Copy> {
    facts.census.copies.iter().filter(|copy| matches!(copy.library.as_str(), "libcuda" | "libnvidia-ml"))
}

/// Links outside of stubs/ by which programs find a stub as libcuda.so.1, with the stub.
fn linked_stubs(facts: &Facts) -> impl Iterator<Item = (&str, &str)> {
    let stubs = driver_copies(facts).filter(|copy| copy.origin == Origin::Stub);
    let links = stubs.flat_map(|copy| copy.links.iter().map(|link| (link.as_str(), copy.path.as_str())));
    links.filter(|(link, _)| link.ends_with("/libcuda.so.1") && !link.contains("/stubs/"))
}

/// Fails if an element of LD_LIBRARY_PATH holds a libcuda and has a directory of this name in its path.
fn on_library_path(facts: &Facts, name: &str) -> Outcome {
    let Some(value) = &facts.census.library_path else { return Outcome::Pass };
    let has_name = |path: &str| path.split('/').any(|part| part == name);
    let holds_libcuda = |element: &&str| {
        let copies = facts.census.copies.iter().filter(|copy| copy.library == "libcuda");
        let mut paths = copies.flat_map(|copy| copy.links.iter().chain([&copy.path]));
        paths.any(|path| has_name(path) || path.starts_with(&format!("{element}/")))
    };
    let found = value.split([':', ';']).find(|element| has_name(element) && holds_libcuda(element));
    let problem = found.map(|element| {
        Problem::new(format!("{element} is on LD_LIBRARY_PATH and contains a libcuda."))
            .at(element)
            .evidence(format!("LD_LIBRARY_PATH={value}"))
    });
    problem.into()
}

/// Fails if cuInit returned this code; the cause is about the libcuda that was loaded.
fn init_refused(facts: &Facts, code: i64, cause: impl Fn(&str) -> String) -> Outcome {
    let mut init = faults(facts, Stage::DriverInit).map(|(_, fault)| fault);
    let Some(fault) = init.find(|fault| fault.code == Some(code)) else { return Outcome::Pass };
    let loaded = libcuda_loaded(facts);
    let mut problem = match loaded.first() {
        Some(path) => Problem::new(cause(path)).at(path).evidence(phrase(fault)).file(path, " was loaded"),
        None => Problem::new(cause("libcuda.so.1")).evidence(phrase(fault)),
    };
    let module = facts.host.module.as_ref().and_then(|module| module.version.as_deref());
    problem.evidence.extend(module.map(|module| format!("kernel module {module}").into()));
    let path = facts.host.environment.get("LD_LIBRARY_PATH");
    problem.evidence.extend(path.map(|value| format!("LD_LIBRARY_PATH={value}").into()));
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, copy, fault, library};

    pub const COMPAT: &str = "/usr/local/cuda-12.6/compat/libcuda.so.560.35.05";
    pub const DRIVER: &str = "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15";

    /// cuInit returned this code, with this libcuda.
    pub fn refused_by(path: &str, code: i64) -> Facts {
        let sample = Sample::machine(1).run(None, |run| {
            run.events.iter_mut().filter(|event| **event == library("libcuda", DRIVER)).for_each(|event| {
                *event = library("libcuda", path);
            });
        });
        sample.fault(None, Stage::DriverInit, fault("cuInit", code)).facts()
    }

    /// An image with this libcuda and this LD_LIBRARY_PATH.
    pub fn with_library_path(value: &str, libcuda: &str) -> Sample {
        let sample = Sample::image().copy(copy("libcuda", libcuda, ""));
        sample.with(|facts| facts.census.library_path = Some(value.into()))
    }

    #[test]
    fn only_an_element_with_a_libcuda_counts() {
        let causes = |value: &str, libcuda: &str| {
            on_library_path(&with_library_path(value, libcuda).facts(), "compat").causes()
        };
        let cause = "/usr/local/cuda/compat is on LD_LIBRARY_PATH and contains a libcuda.";
        assert_eq!(causes("/opt/lib:/usr/local/cuda/compat", "/usr/local/cuda/compat/libcuda.so.1"), [cause]);
        // /usr/local/cuda is a link to /usr/local/cuda-12.6.
        assert_eq!(causes("/usr/local/cuda/compat", COMPAT), [cause]);
        assert!(causes("/usr/local/cuda/compat", "/usr/lib/libcuda.so.1").is_empty());
        assert!(causes("/usr/local/cuda/compatible", COMPAT).is_empty());
    }
}
