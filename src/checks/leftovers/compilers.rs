//! Compilers are in the image.

use crate::checks::leftovers::sum;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::leftovers::Group;

pub const CHECK: Check = Check {
    id: "leftovers.compilers",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Compilers are in the image",
    why: "They add size and attack surface. torch.compile and Triton need a C compiler at run time.",
    remedy: "Install build-essential and similar packages only in a build stage",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    sum(facts, &[Group::Compilers])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::leftovers::samples::{cause, leftover, with};
    use image_audit::leftovers::Kind;

    #[test]
    fn gcc_and_not_nvcc() {
        let gcc = leftover(Kind::Compilers, "/usr/lib/gcc", 120);
        assert_eq!(cause(judge(&with(&[gcc]))).as_deref(), Some("120 MB in /usr/lib/gcc."));
        let nvcc = leftover(Kind::Nvcc, "/usr/local/cuda/bin", 60);
        assert_eq!(cause(judge(&with(&[nvcc]))), None);
    }
}
