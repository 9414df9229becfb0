//! LD_LIBRARY_PATH makes the loader search the working directory.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.working-directory",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "LD_LIBRARY_PATH makes the loader search the working directory",
    why: "An empty element means the directory in which a program is started. A colon at the end leaves one, as in ENV \
          LD_LIBRARY_PATH=/x:$LD_LIBRARY_PATH without an earlier value. Everyone who can write to that directory can \
          replace libraries.",
    remedy: "In the Dockerfile: `ENV LD_LIBRARY_PATH=/x${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(value) = &facts.census.library_path else { return Outcome::Pass };
    let relative = |element: &&str| !element.starts_with('/') && !element.starts_with('$');
    let found = value.split([':', ';']).find(relative).filter(|_| !value.is_empty());
    // musl ignores an empty element.
    let musl = facts.census.distribution.as_ref().is_some_and(|distribution| distribution.id == "alpine");
    let found = found.filter(|element| !element.is_empty() || !musl);
    let problem = found.map(|element| {
        let what = if element.is_empty() {
            "an empty element".to_owned()
        } else {
            format!("the relative path {element}")
        };
        Problem::new(format!("LD_LIBRARY_PATH contains {what}.")).evidence(format!("LD_LIBRARY_PATH={value}"))
    });
    problem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, distribution};

    #[test]
    fn empty_and_relative_elements() {
        let judged = |value: &str, name: &str| {
            let facts = Sample::image().with(|facts| {
                facts.census.library_path = Some(value.into());
                facts.census.distribution = Some(distribution(name));
            });
            judge(&facts.facts())
        };
        let found = problem(judged("/opt/lib:", "debian 12"));
        assert_eq!(found.cause, "LD_LIBRARY_PATH contains an empty element.");
        assert_eq!(found.evidence[0].text, "LD_LIBRARY_PATH=/opt/lib:");
        let relative = problem(judged("lib", "alpine 3.20"));
        assert_eq!(relative.cause, "LD_LIBRARY_PATH contains the relative path lib.");
        for (value, name) in [("/opt/lib", "debian 12"), ("", "debian 12"), ("/opt/lib:", "alpine 3.20")] {
            assert!(matches!(judged(value, name), Outcome::Pass), "{value} on {name}");
        }
        assert!(matches!(judged("$ORIGIN/lib", "debian 12"), Outcome::Pass));
    }
}
