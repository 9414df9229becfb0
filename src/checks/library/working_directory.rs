//! LD_LIBRARY_PATH makes the loader look into the working directory.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.working-directory",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "LD_LIBRARY_PATH makes the loader look into the working directory",
    why: "An empty element, as a colon at the end leaves it (ENV LD_LIBRARY_PATH=/x:$LD_LIBRARY_PATH with none \
          set before), means the directory in which a program is started: whoever can write there decides what \
          is loaded.",
    remedy: "ENV LD_LIBRARY_PATH=/x${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(value) = &facts.census.library_path else { return Outcome::Pass };
    let relative = |element: &&str| !element.starts_with('/') && !element.starts_with('$');
    let found = value.split([':', ';']).find(relative).filter(|_| !value.is_empty());
    // To musl, an empty element means nothing.
    let musl = facts.census.distribution.as_deref().is_some_and(|name| name.starts_with("alpine"));
    let found = found.filter(|element| !element.is_empty() || !musl);
    let problem = found.map(|element| {
        let what = if element.is_empty() {
            "an empty element".to_owned()
        } else {
            format!("the relative path {element}")
        };
        Problem::new(format!("LD_LIBRARY_PATH has {what}.")).evidence(format!("LD_LIBRARY_PATH={value}"))
    });
    problem.into()
}
