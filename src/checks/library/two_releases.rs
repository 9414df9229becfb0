//! Programs load different releases of one library.

use crate::checks::library::same_release;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::census::Copy;

pub const CHECK: Check = Check {
    id: "library.two-releases",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Programs load different releases of one library",
    why: "Some libraries keep their soname across CUDA releases (libcurand.so.10, libcusparse.so.12, libcudnn.so.9, \
          libnccl.so.2). If two releases are in use, a process uses the one that it loads first.",
    remedy: "Install all libraries from one CUDA release: the same -cu12 or -cu13 wheels for all frameworks",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let used = || facts.census.copies.iter().filter(|copy| copy.reached && copy.version.is_some());
    let mut reported: Vec<&str> = Vec::new();
    let mut problems = Vec::new();
    for copy in used() {
        let (Some(soname), Some(version)) = (copy.soname.as_deref(), copy.version.as_deref()) else {
            continue;
        };
        let namesakes: Vec<&Copy> = used().filter(|other| other.soname.as_deref() == Some(soname)).collect();
        let same = |other: &&Copy| other.version.as_deref().is_some_and(|other| same_release(other, version));
        if reported.contains(&soname) || namesakes.iter().all(same) {
            continue;
        }
        reported.push(soname);
        let problem =
            Problem::new(format!("{soname}: {} copies of different releases are in use.", namesakes.len()));
        problems.push(namesakes.iter().fold(problem, |problem, copy| {
            let version = copy.version.as_deref().unwrap_or_default();
            problem.file(&copy.path, &format!(": {version}, {} users", copy.users.len()))
        }));
    }
    problems.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, copy};

    #[test]
    fn one_soname_in_two_releases() {
        let found = |copies: [(&str, &str, bool); 2]| {
            let mut sample = Sample::image();
            for (path, version, reached) in copies {
                let mut copy = copy("libcurand", path, version);
                copy.soname = Some("libcurand.so.10".into());
                copy.reached = reached;
                sample = sample.copy(copy);
            }
            matches!(judge(&sample.facts()), Outcome::Fail(problems) if problems.len() == 1)
        };
        assert!(found([("/a", "10.3.5.147", true), ("/b", "10.4.0.35", true)]));
        assert!(!found([("/a", "10.3.5.147", true), ("/b", "10.4.0.35", false)]));
        assert!(!found([("/a", "10.3.5.147", true), ("/b", "10.3.5", true)]));
        assert!(!found([("/a", "10.3.5.147", true), ("/b", "", true)]));
    }
}
