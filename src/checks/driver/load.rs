//! libcuda.so.1 does not load.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::faults::{faults, phrase};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "driver.load",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "libcuda.so.1 does not load",
    why: "The loader finds the driver library and refuses it, or does not find it where the application would \
          look. What it says names the file or symbol.",
    remedy: "Read the loader's message: 'cannot open' wants the library's directory in ld.so.conf or \
             LD_LIBRARY_PATH, 'GLIBC_x not found' a newer base image, 'file too short' a rebuild without the \
             NVIDIA runtime.",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let problem = faults(facts, Stage::LoadDriver).next().map(|(_, fault)| {
        let mut problem = Problem::new(phrase(fault));
        for copy in facts.census.copies.iter().filter(|copy| copy.library == "libcuda") {
            problem = problem.evidence(format!("{}: {} bytes", copy.path, copy.bytes));
        }
        if let Some(value) = facts.host.environment.get("LD_LIBRARY_PATH") {
            problem = problem.evidence(format!("LD_LIBRARY_PATH={value}"));
        }
        problem
    });
    problem.into()
}
