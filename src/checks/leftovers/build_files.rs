//! Build and test files are in the image.

use crate::checks::leftovers::sum;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::leftovers::Group;

pub const CHECK: Check = Check {
    id: "leftovers.build-files",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Build and test files are in the image",
    why: "A .git directory, build trees, debug symbols, temporary files and crash dumps have no use at run time, and may \
          disclose source code or data.",
    remedy: "List them in .dockerignore, and delete what a RUN creates in that same RUN",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    sum(facts, &[Group::BuildFiles])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::leftovers::samples::{cause, leftover, with};
    use image_audit::leftovers::Kind;

    #[test]
    fn git_and_not_models() {
        let git = leftover(Kind::Git, "/app/.git", 40);
        assert_eq!(cause(judge(&with(&[git]))).as_deref(), Some("40.0 MB in /app/.git."));
        let model = leftover(Kind::HuggingfaceCache, "/root/.cache/huggingface", 900);
        assert_eq!(cause(judge(&with(&[model]))), None);
    }
}
