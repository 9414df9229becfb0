//! Finds containers in which the loader cannot load libcuda.so.1.

use crate::checks::shared::faults::{faults, phrase};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "driver.load",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The loader cannot load libcuda.so.1",
    why: "The loader finds the driver library but refuses it, or does not find it where an application would look. Its \
          message names the file or symbol.",
    remedy: "Read the loader's message: for 'cannot open', add the library's directory to ld.so.conf or \
             LD_LIBRARY_PATH; for 'GLIBC_x not found', use a newer base image; for 'file too short', rebuild without \
             the NVIDIA runtime",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let problem = faults(facts, Stage::LoadDriver).next().map(|(_, fault)| {
        let copies = facts.census.copies.iter().filter(|copy| copy.library == "libcuda");
        let problem = copies.fold(Problem::new(phrase(fault)), |problem, copy| {
            problem.file(&copy.path, &format!(": {} bytes", copy.bytes))
        });
        match facts.host.environment.get("LD_LIBRARY_PATH") {
            Some(value) => problem.evidence(format!("LD_LIBRARY_PATH={value}")),
            None => problem,
        }
    });
    problem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, copy, fault, not_loaded};

    #[test]
    fn the_loaders_message_and_the_copies_that_it_could_have_loaded() {
        let message = "libcuda.so.1: wrong ELF class: ELFCLASS32";
        let sample = Sample::machine(1)
            .fault(None, Stage::LoadDriver, not_loaded(message))
            .copy(copy("libcuda", "/usr/lib32/libcuda.so.1", ""))
            .copy(copy("libcublas", "/usr/lib/libcublas.so.12", ""))
            .env("LD_LIBRARY_PATH", "/usr/lib32");
        let problems = judge(&sample.facts()).problems();
        assert_eq!(problems[0].cause, format!("dlopen failed: {message}."));
        let evidence = &problems[0].evidence;
        assert_eq!(evidence.len(), 2);
        assert_eq!(evidence[0].text, "/usr/lib32/libcuda.so.1: 1000000 bytes");
        assert_eq!(evidence[0].path.as_deref(), Some("/usr/lib32/libcuda.so.1"));
        assert_eq!(evidence[1].text, "LD_LIBRARY_PATH=/usr/lib32");
    }

    #[test]
    fn a_libcuda_that_does_not_initialize_was_loaded() {
        let sample = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 999));
        assert!(judge(&sample.facts()).causes().is_empty());
    }
}
