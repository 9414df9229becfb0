//! CUDA build tools are in the image.

use crate::checks::leftovers::sum;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::leftovers::Group;

pub const CHECK: Check = Check {
    id: "leftovers.toolkit",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "CUDA build tools are in the image",
    why: "nvcc, headers, static libraries, profilers and samples are for development. A program needs them at run time only if \
          it compiles kernels with them.",
    remedy: "Build in a separate stage (`FROM nvidia/cuda:...-devel AS build`) and copy what runs with `COPY \
             --from=build ...`",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    sum(facts, &[Group::Toolkit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::leftovers::samples::{cause, from_wheel, leftover, with};
    use image_audit::leftovers::Kind;

    #[test]
    fn the_toolkit_of_a_devel_image() {
        let headers = || leftover(Kind::CudaHeaders, "/usr/local/cuda/include", 20);
        let nvcc = || leftover(Kind::Nvcc, "/usr/local/cuda/bin", 60);
        let Outcome::Fail(problems) = judge(&with(&[headers(), nvcc()])) else { panic!() };
        assert_eq!(problems[0].cause, "80.0 MB, most of it in /usr/local/cuda/bin.");
        assert_eq!(problems[0].path.as_deref(), Some("/usr/local/cuda/bin"));
        assert_eq!(problems[0].evidence[1].text, "/usr/local/cuda/include: 20.0 MB");
        assert_eq!(problems[0].evidence[1].path.as_deref(), Some("/usr/local/cuda/include"));
    }

    #[test]
    fn an_nvcc_from_a_wheel_is_for_running() {
        let nvcc = from_wheel(leftover(Kind::Nvcc, "/site/nvidia/cuda_nvcc/bin", 60));
        assert_eq!(cause(judge(&with(&[nvcc]))), None);
    }
}
