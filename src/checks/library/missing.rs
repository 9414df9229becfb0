//! A program needs a CUDA library that is not in the image.

use image_audit::catalogue::LIBRARIES;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.missing",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A program needs a CUDA library that is not in the image",
    why: "An object is linked to a library that the image's loader finds nowhere. It fails when it is loaded, \
          which may be at start or never.",
    remedy: "Install the package that brings it (pip: nvidia-*-cu12 wheels; apt: the CUDA runtime packages), of \
             the CUDA release that the program was built for",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let driver = |library: &str| LIBRARIES.iter().any(|known| known.name == library && known.driver);
    let problem = |missing: &image_audit::census::Missing| {
        let mut problem = Problem::new(format!("{} needs {}.", missing.by[0], missing.soname));
        for by in missing.by.iter().skip(1).take(5) {
            problem = problem.evidence(format!("needed by {by} as well"));
        }
        problem
    };
    // The driver's libraries come with the GPU; that they are absent is told elsewhere.
    let missing = facts.census.missing.iter().filter(|missing| !driver(&missing.library));
    // NVRTC asks for its builtins by name and compiles nothing without them.
    let builtins = facts.census.missing_optional.iter().filter(|missing| missing.soname.starts_with("libnvrtc-builtins.so."));
    let missing = missing.chain(builtins);
    // One object that lacks several is told once.
    let mut problems: Vec<(&str, Problem)> = Vec::new();
    for missing in missing {
        let by = missing.by[0].as_str();
        match problems.iter_mut().find(|(known, _)| *known == by) {
            Some((_, known)) => known.evidence.push(format!("and {}", missing.soname).into()),
            None => problems.push((by, problem(missing))),
        }
    }
    problems.into_iter().map(|(_, problem)| problem).collect::<Vec<_>>().into()
}
