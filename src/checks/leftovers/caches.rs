//! Caches and leftovers of package managers are in the image.

use image_audit::leftovers::Kind;
use crate::checks::{Check, Outcome};
use crate::checks::leftovers::{CACHES, WORTH_TELLING, leftovers_of, sum};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "leftovers.caches",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Caches and leftovers of package managers are in the image",
    why: "pip, uv, conda and apt keep what they downloaded. Nothing reads it again in a finished image.",
    remedy: "RUN --mount=type=cache,target=/root/.cache pip install ... ; for apt, in the same RUN: && rm -rf \
             /var/lib/apt/lists/* /var/cache/apt/archives/*.deb",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let apt = |kind: Kind| matches!(kind, Kind::AptArchives | Kind::AptLists);
    let found = || leftovers_of(&facts.census, CACHES).filter(|leftover| leftover.bytes >= WORTH_TELLING);
    let (of_apt, others) =
        (found().any(|leftover| apt(leftover.kind)), found().any(|leftover| !apt(leftover.kind)));
    match sum(facts, CACHES) {
        Outcome::Fail(problems) if of_apt && !others => {
            let remedy = "In the RUN that installs: && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb \
                          /var/cache/apt/*.bin";
            Outcome::Fail(problems.into_iter().map(|problem| problem.remedy(remedy)).collect())
        }
        outcome => outcome,
    }
}
