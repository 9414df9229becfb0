//! Libraries that belong together come from different releases.

use image_audit::census::{Copy, Mixed};
use crate::checks::{Check, Outcome, Problem};
use crate::checks::library::same_release;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.mixed",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Libraries that belong together come from different releases",
    why: "cuBLAS and cuBLASLt call each other's private functions, and so do cuDNN's parts: of two releases they \
          fail with an undefined symbol, CUBLAS_STATUS_INVALID_VALUE or wrong results. The loader picks each by \
          itself: one by the program's own search path, the other by LD_LIBRARY_PATH or the system's.",
    remedy: "Keep one set: drop the system toolkit from the image (FROM a base without CUDA libraries), or take \
             its directory out of LD_LIBRARY_PATH",
    explains: &["library.shadowed"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let copy = |path: &String| facts.census.copies.iter().find(|copy| copy.path == *path);
    let problem = |mixed: &Mixed| {
        let copies: Vec<&Copy> = mixed.copies.iter().filter_map(copy).collect();
        let releases: Vec<&str> = copies.iter().filter_map(|copy| copy.version.as_deref()).collect();
        // Without a version on either side nothing is known.
        if releases.iter().all(|release| same_release(release, releases[0])) {
            return None;
        }
        let problem = Problem::new(format!("{} loads copies of different releases.", mixed.program));
        Some(copies.iter().fold(problem, |problem, copy| {
            problem.evidence(format!(
                "{} ({})",
                copy.path,
                copy.version.as_deref().unwrap_or("version unknown")
            ))
        }))
    };
    facts.census.mixed.iter().filter_map(problem).collect::<Vec<_>>().into()
}
