//! A program needs a CUDA library that is missing.

use std::collections::BTreeSet;

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::catalogue::{LIBRARIES, wheel};
use image_audit::census::{Copy, Missing};

pub const CHECK: Check = Check {
    id: "library.missing",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A program needs a CUDA library that is missing",
    why: "A program or library is linked to a library that the loader cannot find in the image. It fails when it is loaded, \
          which may be at start, later or never.",
    remedy: "Install the package that contains it (pip: NVIDIA's wheels; apt: the CUDA runtime packages), from the CUDA \
             release that the program was built for",
    explains: &[],
    codes: &[],
    judge,
};

/// Evidence lists no more users than this.
const USERS: usize = 5;

fn judge(facts: &Facts) -> Outcome {
    // The driver's libraries come with the GPU; other checks report them.
    let driver = |library: &str| LIBRARIES.iter().any(|known| known.name == library && known.driver);
    let missing = facts.census.missing.iter().filter(|missing| !driver(&missing.library));
    // NVRTC loads its builtins by name and compiles nothing without them.
    let builtins =
        facts.census.missing_optional.iter().filter(|wish| wish.soname.starts_with("libnvrtc-builtins.so."));
    // One finding per program, however many libraries it lacks.
    let mut programs: Vec<(&str, Vec<&Missing>)> = Vec::new();
    for missing in missing.chain(builtins) {
        let Some(by) = missing.by.first() else { continue };
        match programs.iter_mut().find(|(known, _)| known == by) {
            Some((_, lacks)) => lacks.push(missing),
            None => programs.push((by, vec![missing])),
        }
    }
    let cuda = cuda_major(facts);
    programs.into_iter().map(|(by, lacks)| problem(by, &lacks, cuda)).collect::<Vec<_>>().into()
}

fn problem(by: &str, lacks: &[&Missing], cuda: Option<u32>) -> Problem {
    let (first, more) = (lacks[0], &lacks[1..]);
    let problem = Problem::new(format!("{by} needs {}.", first.soname)).at(by);
    let others = first.by.iter().skip(1).take(USERS);
    let problem = others.fold(problem, |problem, other| problem.file(other, " needs it too"));
    let also =
        |problem: Problem, missing: &&Missing| problem.evidence(format!("it also needs {}", missing.soname));
    let problem = more.iter().fold(problem, also);
    let wheels: Option<BTreeSet<String>> = lacks.iter().map(|missing| wheel(&missing.soname, cuda)).collect();
    match wheels {
        Some(wheels) => {
            let wheels: Vec<String> = wheels.into_iter().collect();
            let pip = format!("`pip install {}`", wheels.join(" "));
            problem.remedy(format!("Install what contains it: {pip} (apt: the CUDA runtime packages)"))
        }
        None => problem,
    }
}

/// The CUDA release of the runtimes in the image, if it is one.
fn cuda_major(facts: &Facts) -> Option<u32> {
    let major =
        |copy: &Copy| copy.soname.as_deref()?.strip_prefix("libcudart.so.")?.split('.').next()?.parse().ok();
    let mut majors = facts.census.copies.iter().filter_map(major);
    let first = majors.next()?;
    majors.all(|other: u32| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, copy};

    fn missing(library: &str, soname: &str, by: &[&str]) -> Missing {
        let by = by.iter().map(|path| path.to_string()).collect();
        Missing { library: library.into(), soname: soname.into(), by }
    }

    #[test]
    fn one_finding_for_each_program() {
        let facts = Sample::image().with(|facts| {
            facts.census.missing = vec![
                missing("libcudnn", "libcudnn.so.9", &["/app/train.so", "/app/b.so"]),
                missing("libnccl", "libnccl.so.2", &["/app/train.so"]),
                missing("libcuda", "libcuda.so.1", &["/app/c.so"]),
            ];
        });
        let found = crate::checks::testing::problem(judge(&facts.facts()));
        assert_eq!(found.cause, "/app/train.so needs libcudnn.so.9.");
        assert_eq!(found.path.as_deref(), Some("/app/train.so"));
        let evidence: Vec<&str> = found.evidence.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(evidence, ["/app/b.so needs it too", "it also needs libnccl.so.2"]);
    }

    #[test]
    fn the_remedy_names_the_wheel_of_the_right_cuda() {
        let remedy = |soname: &str, runtime: &str| {
            let runtime = copy("libcudart", &format!("/site/{runtime}"), "");
            let sample = Sample::image().copy(runtime).with(|facts| {
                facts.census.missing = vec![missing("x", soname, &["/app/train.so"])];
            });
            judge(&sample.facts()).problems().remove(0).remedy
        };
        assert!(
            remedy("libcudart.so.13", "libcudart.so.12")
                .unwrap()
                .contains("`pip install nvidia-cuda-runtime`")
        );
        assert!(remedy("libcudnn.so.9", "libcudart.so.13").unwrap().contains("nvidia-cudnn-cu13"));
        assert_eq!(remedy("libcutensor.so.1", "libcudart.so.12"), None);
    }

    #[test]
    fn of_the_names_that_are_opened_only_nvrtc_counts() {
        let with = |soname: &str| {
            let wish = missing("libnvrtc", soname, &["/usr/lib/libnvrtc.so.12"]);
            judge(&Sample::image().with(|facts| facts.census.missing_optional = vec![wish]).facts())
        };
        assert!(matches!(with("libnvrtc-builtins.so.12.4"), Outcome::Fail(_)));
        assert!(matches!(with("libnvrtc.alt.so.12"), Outcome::Pass));
    }
}
