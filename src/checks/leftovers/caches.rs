//! Package manager caches are in the image.

use crate::checks::leftovers::{WORTH_REPORTING, sum};
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::facts::leftovers::of_groups;
use crate::model::{Fix, Owner, Severity};
use image_audit::leftovers::Group;

pub const CHECK: Check = Check {
    id: "leftovers.caches",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Package manager caches are in the image",
    why: "pip, uv, conda and apt keep what they downloaded. A finished image never reads it again.",
    remedy: "`RUN --mount=type=cache,target=/root/.cache pip install ...`; for apt, in the RUN that installs: `&& rm \
             -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb`",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let has = |group| of_groups(&facts.census, &[group]).any(|leftover| leftover.bytes >= WORTH_REPORTING);
    match sum(facts, &[Group::Caches, Group::Apt]) {
        Outcome::Fail(problems) if has(Group::Apt) && !has(Group::Caches) => {
            let remedy = "In the RUN that installs: `&& rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb \
                          /var/cache/apt/*.bin`";
            Outcome::Fail(problems.into_iter().map(|problem| problem.remedy(remedy)).collect())
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::leftovers::samples::{cause, leftover, with};
    use image_audit::leftovers::Kind;

    #[test]
    fn the_remedy_fits_what_was_found() {
        let pip = || leftover(Kind::PipCache, "/root/.cache/pip", 300);
        let apt = || leftover(Kind::AptLists, "/var/lib/apt/lists", 20);
        let judged = |leftovers: &[_]| match judge(&with(leftovers)) {
            Outcome::Fail(mut problems) => problems.remove(0),
            Outcome::Pass | Outcome::Skip(_) => panic!(),
        };
        let both = judged(&[pip(), apt()]);
        assert_eq!((both.cause.as_str(), both.remedy), ("320 MB, most of it in /root/.cache/pip.", None));
        assert!(judged(&[apt()]).remedy.unwrap().contains("rm -rf /var/lib/apt/lists/*"));
        let model = leftover(Kind::TorchHub, "/root/.cache/torch", 900);
        assert_eq!(cause(judge(&with(&[model]))), None);
    }
}
