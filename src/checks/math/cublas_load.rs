//! cuBLAS is in the image but does not load.

use crate::checks::math::{has, of_stages};
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.cublas-load",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "cuBLAS is in the image but does not load",
    why: "The application would fail in the same way. The loader's message names what is missing.",
    remedy: "Install the library that the message names, from the same CUDA release, or remove the copy that hides it",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !has(facts, "libcublas") {
        return Outcome::Skip("cuBLAS is not in the image");
    }
    of_stages(facts, &[Stage::LoadBlas])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, copy, not_loaded};

    #[test]
    fn a_library_that_it_needs_is_missing() {
        let message = "libcublasLt.so.12: cannot open shared object file: No such file or directory";
        let sample = || Sample::machine(1).fault(Some(0), Stage::LoadBlas, not_loaded(message));
        assert!(matches!(judge(&sample().facts()), Outcome::Skip(_)));
        let facts = sample().copy(copy("libcublas", "/usr/lib/libcublas.so.12", "12.4.5.8")).facts();
        assert_eq!(
            problem(judge(&facts)).cause,
            format!("GPU 0 (NVIDIA H100 80GB HBM3): dlopen failed: {message}.")
        );
    }
}
