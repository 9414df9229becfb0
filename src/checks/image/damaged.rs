//! The image archive is damaged, so that the audit knows only a part of it.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::leftovers::layer;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.damaged",
    severity: Severity::Unknown,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image archive is damaged, so that the audit knows only a part of it",
    why: "A layer ends before its end, or has another size than the manifest says. What was read is told, and \
          what is missing is not known.",
    remedy: "Save it again, and see that there is room for it: docker save IMAGE -o image.tar",
    explains: &["library.unreadable"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip("no image archive was read") };
    let cut = image.layers.iter().position(|layer| !layer.whole);
    let problem = cut.map(|number| {
        let problem = Problem::new(format!("{} is not whole.", layer(image, number)));
        facts.census.unreadable.iter().fold(problem, |problem, line| problem.evidence(line.to_string()))
    });
    problem.into()
}
