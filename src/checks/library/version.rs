//! A library is too old for what is linked to it.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.version",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A library is too old for what is linked to it",
    why: "An object needs a symbol version, such as GLIBC_2.38, that the library it gets does not define. It \
          fails when it is loaded: version not found.",
    remedy: "Take a base image at least as new as the one that the object was built on, or a build of it for an \
             older one (for wheels: the manylinux tag says which glibc)",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let mut problems: Vec<(&str, Problem)> = Vec::new();
    for gap in &facts.census.version_gaps {
        let line = format!("{} needs {}", gap.by, gap.version);
        match problems.iter_mut().find(|(provider, _)| *provider == gap.provider) {
            Some((_, problem)) => problem.evidence.push(line.into()),
            None => {
                let cause =
                    format!("{} does not define {}, which {} needs.", gap.provider, gap.version, gap.by);
                problems.push((&gap.provider, Problem::new(cause).evidence(line)));
            }
        }
    }
    problems.into_iter().map(|(_, problem)| problem).collect::<Vec<_>>().into()
}
