//! Layers ship files that later layers delete or overwrite.

use image_audit::config::Hidden;
use crate::checks::{Check, Outcome, Problem};
use crate::checks::leftovers::{AT_REST, WORTH_TELLING, files, layer, megabytes};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "leftovers.hidden-bytes",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Layers ship files that later layers delete or overwrite",
    why: "A layer is never changed by those above it: a file that a later RUN deletes is still pulled and stored.",
    remedy: "Delete in the RUN that makes the file, or mount it: RUN --mount=type=bind or --mount=type=cache",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip(AT_REST) };
    let bytes: u64 = image.hidden.iter().map(|hidden| hidden.bytes).sum();
    if bytes < WORTH_TELLING {
        return Outcome::Pass;
    }
    let line = |hidden: &Hidden| {
        let how = if hidden.deleted { "deleted" } else { "overwritten" };
        format!(
            "{}, {} such as {}: shipped by {}, {how} by {}",
            megabytes(hidden.bytes),
            files(hidden.files),
            hidden.largest,
            layer(image, hidden.layer),
            layer(image, hidden.by)
        )
    };
    let cause = format!("{} are shipped that no container sees.", megabytes(bytes));
    let problem =
        image.hidden.iter().fold(Problem::new(cause), |problem, hidden| problem.evidence(line(hidden)));
    Some(problem).into()
}
