//! The environment loads a different copy than intended.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::census::Shadow;

pub const CHECK: Check = Check {
    id: "library.shadowed",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The environment loads a different copy than intended",
    why: "The RUNPATH of a program names the directory of the library that it was built for. The loader searches \
          LD_LIBRARY_PATH first, and finds a library of the same name there. LD_PRELOAD comes before both.",
    remedy: "Remove that directory from LD_LIBRARY_PATH (`ENV LD_LIBRARY_PATH=` in the Dockerfile), or the library \
             from LD_PRELOAD",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let census = &facts.census;
    // One finding for each pair of copies, with all programs that it affects.
    let mut pairs: Vec<(&Shadow, Vec<&str>)> = Vec::new();
    for shadow in &census.shadows {
        let same = |(other, _): &&mut (&Shadow, Vec<&str>)| {
            (&other.meant, &other.winner) == (&shadow.meant, &shadow.winner)
        };
        match pairs.iter_mut().find(same) {
            Some((_, by)) => by.push(&shadow.by),
            None => pairs.push((shadow, vec![&shadow.by])),
        }
    }
    let problem = |(Shadow { winner, meant, .. }, by): (&Shadow, Vec<&str>)| {
        let problem = Problem::new(format!("{winner} is loaded instead of {meant}.")).at(winner);
        let problem = by.into_iter().fold(problem, |problem, by| problem.file(by, " loads it"));
        match &census.library_path {
            Some(value) => problem.evidence(format!("LD_LIBRARY_PATH={value}")),
            None => problem,
        }
    };
    pairs.into_iter().map(problem).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::Sample;

    #[test]
    fn one_finding_for_each_pair_of_copies() {
        let shadow = |by: &str, winner: &str| Shadow {
            by: by.into(),
            meant: "/site/libcudnn.so.9".into(),
            winner: winner.into(),
        };
        let facts = Sample::image().with(|facts| {
            facts.census.library_path = Some("/opt".into());
            facts.census.shadows = vec![
                shadow("/app/a", "/opt/libcudnn.so.9"),
                shadow("/app/b", "/preload/libcudnn.so.9"),
                shadow("/app/c", "/opt/libcudnn.so.9"),
            ];
        });
        let Outcome::Fail(problems) = judge(&facts.facts()) else { panic!() };
        assert_eq!(problems.len(), 2);
        assert_eq!(problems[0].cause, "/opt/libcudnn.so.9 is loaded instead of /site/libcudnn.so.9.");
        assert_eq!(problems[0].path.as_deref(), Some("/opt/libcudnn.so.9"));
        let evidence: Vec<&str> = problems[0].evidence.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(evidence, ["/app/a loads it", "/app/c loads it", "LD_LIBRARY_PATH=/opt"]);
        assert!(matches!(judge(&Sample::image().facts()), Outcome::Pass));
    }
}
