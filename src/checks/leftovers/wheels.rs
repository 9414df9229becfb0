//! Wheel files or installers are in the image.

use crate::checks::leftovers::sum;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::leftovers::Group;

pub const CHECK: Check = Check {
    id: "leftovers.wheels",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Wheel files or installers are in the image",
    why: "Once installed, they are never read again.",
    remedy: "`RUN --mount=type=bind,from=build,source=/wheels,target=/wheels pip install --no-index \
             --find-links=/wheels ...`",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    sum(facts, &[Group::Installers])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::leftovers::samples::{cause, leftover, with};
    use image_audit::leftovers::Kind;

    #[test]
    fn wheels_and_not_their_headers() {
        let wheels = leftover(Kind::Wheels, "/wheels", 800);
        assert_eq!(cause(judge(&with(&[wheels]))).as_deref(), Some("800 MB in /wheels."));
        let headers = leftover(Kind::HeadersInWheels, "/site/nvidia/cublas/include", 5);
        assert_eq!(cause(judge(&with(&[headers]))), None);
    }
}
