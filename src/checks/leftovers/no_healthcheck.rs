//! The image has no health check.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::leftovers::AT_REST;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "leftovers.no-healthcheck",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has no health check",
    why: "Without one, Docker says that a container whose GPU has died is up.",
    remedy: "HEALTHCHECK CMD [\"/usr/local/bin/cudacheck\", \"health\"]",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip(AT_REST) };
    // An image that runs nothing is the base of others.
    let lacks = image.has_command && !image.has_healthcheck;
    lacks.then(|| Problem::new("No HEALTHCHECK is set.")).into()
}
