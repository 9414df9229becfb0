//! Libraries that belong together are from different releases.

use crate::checks::library::same_release;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::census::{Copy, Mixed};

pub const CHECK: Check = Check {
    id: "library.mixed",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Libraries that belong together are from different releases",
    why: "cuBLAS and cuBLASLt call private functions of each other, and so do the parts of cuDNN. If the releases differ, \
          they fail with an undefined symbol, CUBLAS_STATUS_INVALID_VALUE or wrong results. The loader finds each of \
          them separately: one through RUNPATH, another through LD_LIBRARY_PATH or the system's directories.",
    remedy: "Keep one set: use a base image without CUDA libraries, or remove the directory of the toolkit from LD_LIBRARY_PATH",
    explains: &["library.shadowed"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let copy = |path: &String| facts.census.copies.iter().find(|copy| copy.path == *path);
    let problem = |mixed: &Mixed| {
        let copies: Vec<&Copy> = mixed.copies.iter().filter_map(copy).collect();
        let releases: Vec<&str> = copies.iter().filter_map(|copy| copy.version.as_deref()).collect();
        // Without two known versions there is nothing to compare.
        if releases.iter().all(|release| same_release(release, releases[0])) {
            return None;
        }
        let cause = format!("{} loads copies of different releases.", mixed.program);
        let problem = Problem::new(cause).at(&mixed.program);
        Some(copies.iter().fold(problem, |problem, copy| {
            problem.file(&copy.path, &format!(": {}", copy.version.as_deref().unwrap_or("unknown version")))
        }))
    };
    facts.census.mixed.iter().filter_map(problem).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, copy};

    #[test]
    fn two_releases_of_cublas_in_one_program() {
        let judged = |lt: &str| {
            let (one, other) = ("/site/libcublas.so.12", "/usr/local/cuda/lib64/libcublasLt.so.12");
            let mixed = Mixed { program: "/app/train".into(), copies: vec![one.into(), other.into()] };
            let sample =
                Sample::image().copy(copy("libcublas", one, "12.4.5.8")).copy(copy("libcublasLt", other, lt));
            judge(&sample.with(|facts| facts.census.mixed.push(mixed)).facts())
        };
        let found = problem(judged("12.9.0.2"));
        assert_eq!(found.cause, "/app/train loads copies of different releases.");
        assert_eq!(found.evidence[1].text, "/usr/local/cuda/lib64/libcublasLt.so.12: 12.9.0.2");
        assert_eq!(found.evidence[1].path.as_deref(), Some("/usr/local/cuda/lib64/libcublasLt.so.12"));
        assert!(matches!(judged("12.4.5"), Outcome::Pass));
        assert!(matches!(judged(""), Outcome::Pass), "one version is unknown");
    }
}
