//! The environment loads a different copy than intended.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, words};
use image_audit::census::{Census, KeptByPath, Shadow};

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
        let problem = match census.kept_by_path.as_ref().filter(|kept| kept.copies.contains(winner)) {
            Some(kept) => problem.remedy(remedy(census, kept)),
            None => problem,
        };
        match &census.library_path {
            Some(value) => problem.evidence(format!("LD_LIBRARY_PATH={value}")),
            None => problem,
        }
    };
    pairs.into_iter().map(problem).collect::<Vec<_>>().into()
}

/// With what it saves.
fn remedy(census: &Census, kept: &KeptByPath) -> String {
    let copies = census.copies.iter().filter(|copy| kept.copies.contains(&copy.path));
    format!(
        "In the Dockerfile: `ENV LD_LIBRARY_PATH={}`. Without {} in it, {} can be removed: {}",
        kept.library_path.as_deref().unwrap_or_default(),
        kept.directories.join(" and "),
        words::copies(kept.copies.len()),
        words::size(copies.map(|copy| copy.bytes).sum())
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, copy};

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

    #[test]
    fn the_remedy_says_what_the_environment_keeps_in_use() {
        let winner = copy("libcudnn", "/opt/libcudnn.so.9", "9.1.0");
        let path = winner.path.clone();
        let facts = Sample::image().copy(winner).with(|facts| {
            let meant = "/site/libcudnn.so.9".into();
            facts.census.shadows = vec![Shadow { by: "/app/a".into(), meant, winner: path.clone() }];
            let directories = vec!["/opt".into()];
            facts.census.kept_by_path =
                Some(KeptByPath { directories, library_path: None, copies: vec![path] });
        });
        assert_eq!(
            problem(judge(&facts.facts())).remedy.unwrap_or_default(),
            "In the Dockerfile: `ENV LD_LIBRARY_PATH=`. Without /opt in it, 1 copy can be removed: 1.0 MB"
        );
    }
}
