//! The image's CUDA is newer than the driver's.

use crate::checks::predict::each;
use crate::checks::predict::questions::cuda::{self, Compared, Fit};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.minor-version",
    severity: Severity::Note,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The image's CUDA is newer than the driver's",
    why: "Since CUDA 11, compiled code runs on every driver of the same major version (minor-version \
          compatibility). PTX that is generated at run time (NVRTC, Triton) can fail with error 222, \
          and functions that are new in that CUDA are not available.",
    remedy: "No action needed, unless the program compiles PTX: then install a driver for the image's \
          CUDA or newer",
    explains: &[],
    codes: &[(Library::Driver, 222), (Library::Runtime, 222)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Cuda, |asked| {
        let cuda::Answer::Compared(Compared { runtime, driver, fit: Fit::Minor, .. }) = cuda::ask(asked)
        else {
            return None;
        };
        let than = match driver.reaches((runtime.major, runtime.minor.unwrap_or(0))) {
            None => "may be newer than the driver's: this driver branch is newer than cudacheck's table",
            Some(_) => "is newer than the driver's",
        };
        let cause = format!("{} {than}, of the same major version.", asked.whose(&runtime));
        Some(asked.problem(cause).evidence(runtime.evidence()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};

    #[test]
    fn a_driver_newer_than_the_table_is_not_called_older() {
        let cause = |machine: &str| problem(judge, image(&["sm_90"], Some("13.9.37")), machine).0;
        assert!(cause("gpu=H100,driver=700.10").contains("13.9 of torch may be newer than the driver's"));
        assert!(cause("gpu=H100,driver=580.65.06").contains("13.9 of torch is newer than the driver's"));
    }

    #[test]
    fn another_major_version_is_another_finding() {
        let image = || image(&["sm_80"], Some("12.4.127"));
        for machine in ["gpu=A100,driver=550.54.15", "gpu=A100,driver=470.256.02"] {
            assert!(problems(judge, image(), machine).is_empty(), "{machine}");
        }
    }
}
