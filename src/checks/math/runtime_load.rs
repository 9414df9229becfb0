//! libcudart is in the image but does not load.

use crate::checks::math::{has, of_stages};
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.runtime-load",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "libcudart is in the image but does not load",
    why: "The application would fail in the same way. The loader's message names what is missing.",
    remedy: "Install the library that the message names",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !has(facts, "libcudart") {
        return Outcome::Skip("libcudart is not in the image");
    }
    of_stages(facts, &[Stage::LoadRuntime])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, copy, not_loaded};

    #[test]
    fn it_is_there_and_does_not_load() {
        let message = "libcudart.so.12: invalid ELF header";
        let sample = || Sample::machine(1).fault(Some(0), Stage::LoadRuntime, not_loaded(message));
        assert!(matches!(judge(&sample().facts()), Outcome::Skip(_)));
        let facts = sample().copy(copy("libcudart", "/usr/lib/libcudart.so.12", "12.4.127")).facts();
        assert_eq!(
            problem(judge(&facts)).cause,
            format!("GPU 0 (NVIDIA H100 80GB HBM3): dlopen failed: {message}.")
        );
    }
}
