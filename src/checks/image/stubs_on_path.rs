//! Finds images whose LD_LIBRARY_PATH contains a directory with a stub libcuda.

use crate::checks::image::on_library_path;
use crate::checks::shared::access::cuda_works;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.stubs-on-path",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "LD_LIBRARY_PATH contains a CUDA stubs directory",
    why: "The toolkit's stubs/ directory is for linking on machines without a driver. On LD_LIBRARY_PATH its libcuda \
          is loaded instead of the driver's, and every call returns error 34.",
    remedy: "Remove the stubs directory from ENV LD_LIBRARY_PATH; for linking use LIBRARY_PATH",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.running && cuda_works(facts) {
        return Outcome::Pass;
    }
    on_library_path(facts, "stubs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::image::tests::with_library_path;
    use crate::facts::sample::{Sample, copy};

    const STUBS: &str = "/usr/local/cuda/lib64/stubs";

    #[test]
    fn the_directory_must_be_on_the_path() {
        let causes =
            |value: &str| judge(&with_library_path(value, &format!("{STUBS}/libcuda.so")).facts()).causes();
        assert_eq!(
            causes(&format!("/opt/lib:{STUBS}")),
            [format!("{STUBS} is on LD_LIBRARY_PATH and contains a libcuda.")]
        );
        assert!(causes("/usr/local/cuda/lib64").is_empty());
    }

    #[test]
    fn a_working_driver_was_found_before_the_stubs() {
        let sample = Sample::machine(1).copy(copy("libcuda", &format!("{STUBS}/libcuda.so"), ""));
        let sample = sample.with(|facts| facts.census.library_path = Some(STUBS.into()));
        assert!(judge(&sample.facts()).causes().is_empty());
    }
}
