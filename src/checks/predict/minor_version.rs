//! The image's CUDA is newer than the driver's.

use crate::checks::predict::each;
use crate::checks::predict::questions::cuda::{self, Compared, Fit};
use crate::checks::{Check, Outcome};
use crate::codes::Family;
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
    codes: &[(Family::Driver, 222), (Family::Runtime, 222)],
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
        let cause = format!("The image's CUDA {} {than}, of the same major version.", runtime.text());
        Some(asked.problem(cause).evidence(runtime.evidence()))
    })
}
