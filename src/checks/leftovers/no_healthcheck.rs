//! The image has no health check.

use crate::checks::leftovers::NO_ARCHIVE;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "leftovers.no-healthcheck",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has no health check",
    why: "Without one, Docker reports a container as up although its GPU has failed.",
    remedy: "In the Dockerfile: `HEALTHCHECK CMD [\"/usr/local/bin/cudacheck\", \"health\"]`",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip(NO_ARCHIVE) };
    // An image without a command is a base image.
    let lacks = image.has_command && !image.has_healthcheck;
    lacks.then(|| Problem::new("HEALTHCHECK is not set.")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::leftovers::samples::{archive, cause};

    #[test]
    fn an_image_with_a_command() {
        let facts = |has_command, has_healthcheck| {
            archive(&[], |image| {
                (image.has_command, image.has_healthcheck) = (has_command, has_healthcheck);
            })
        };
        assert_eq!(cause(judge(&facts(true, false))).as_deref(), Some("HEALTHCHECK is not set."));
        assert_eq!(cause(judge(&facts(true, true))), None);
        assert_eq!(cause(judge(&facts(false, false))), None, "a base image");
    }
}
