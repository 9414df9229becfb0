//! Layers contain files that later layers delete or overwrite.

use crate::checks::leftovers::{NO_ARCHIVE, WORTH_REPORTING};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::leftovers::{WORTH_A_LINE, layer_name};
use crate::model::words::{files, size};
use crate::model::{Fix, Owner, Severity};
use image_audit::config::Hidden;

pub const CHECK: Check = Check {
    id: "leftovers.hidden-bytes",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Layers contain files that later layers delete or overwrite",
    why: "A later layer cannot shrink an earlier one: a file that a later RUN deletes is still stored and pulled.",
    remedy: "Delete the file in the RUN that creates it, or mount it (`RUN --mount=type=bind ...` or `RUN \
             --mount=type=cache ...`)",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip(NO_ARCHIVE) };
    let bytes: u64 = image.hidden.iter().map(|hidden| hidden.bytes).sum();
    if bytes < WORTH_REPORTING {
        return Outcome::Pass;
    }
    let line = |hidden: &Hidden| {
        let how = if hidden.deleted { "deleted" } else { "overwritten" };
        let (from, by) = (layer_name(image, hidden.layer), layer_name(image, hidden.by));
        let (size, files) = (size(hidden.bytes), files(hidden.files));
        format!("{size} in {files} such as {}: added by {from}, {how} by {by}", hidden.largest)
    };
    let cause = format!("The layers store {} that no container can see.", size(bytes));
    // Every layer that installs something rewrites small files, such as ldconfig's aux-cache.
    let listed = image.hidden.iter().filter(|hidden| hidden.bytes >= WORTH_A_LINE);
    let problem = listed.fold(Problem::new(cause), |problem, hidden| problem.evidence(line(hidden)));
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::leftovers::samples::archive;
    use crate::checks::testing::lines;

    #[test]
    fn wheels_that_a_later_layer_deletes() {
        let facts = |bytes| {
            archive(&["COPY /wheels /wheels", "RUN rm -rf /wheels"], |image| {
                image.hidden.push(Hidden {
                    layer: 0,
                    by: 1,
                    deleted: false,
                    bytes: 9_000,
                    files: 1,
                    place: "/var/cache/ldconfig".into(),
                    largest: "/var/cache/ldconfig/aux-cache".into(),
                    largest_bytes: 9_000,
                });
                image.hidden.push(Hidden {
                    layer: 0,
                    by: 1,
                    deleted: true,
                    bytes,
                    files: 1,
                    place: "/wheels".into(),
                    largest: "/wheels/torch.whl".into(),
                    largest_bytes: bytes,
                });
            })
        };
        let Outcome::Fail(problems) = judge(&facts(3_000_000)) else { panic!() };
        assert_eq!(problems[0].cause, "The layers store 3.0 MB that no container can see.");
        assert_eq!(
            lines(&problems[0]),
            [
                "3.0 MB in 1 file such as /wheels/torch.whl: added by layer 0 (COPY /wheels /wheels), deleted by layer 1 \
             (RUN rm -rf /wheels)"
            ]
        );
        assert!(matches!(judge(&facts(900_000)), Outcome::Pass));
        assert!(matches!(judge(&Facts::default()), Outcome::Skip(_)));
    }
}
