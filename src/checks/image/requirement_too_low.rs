//! The image's NVIDIA_REQUIRE_CUDA admits drivers that do not run its CUDA.

use crate::checks::predict::admitted;
use crate::checks::shared::access::cuda_works;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.requirement-too-low",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "NVIDIA_REQUIRE_CUDA admits drivers that are too old",
    why: "The container runtime starts an image only on drivers that meet NVIDIA_REQUIRE_CUDA. The base image sets it for \
          its own CUDA; if wheels bring a newer major version, the container starts on drivers that do not run it, and \
          fails with CUDA error 35. Within one major version, older drivers work (minor-version compatibility).",
    remedy: "Require the CUDA of the wheels, or use the base image of that CUDA release",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.running && cuda_works(facts) {
        return Outcome::Pass;
    }
    let problem = admitted(facts).map(|found| {
        let (major, minor) = found.cuda;
        let needs = found.runtime.major;
        let cause = format!(
            "Driver {} (CUDA {major}.{minor}) meets the image's requirement, but the image uses CUDA {}.",
            found.branch,
            found.runtime.text()
        );
        let problem = Problem::new(cause)
            .evidence(found.runtime.evidence())
            .remedy(format!("In the Dockerfile: `ENV NVIDIA_REQUIRE_CUDA=\"cuda>={needs}.0\"`"));
        found
            .variables
            .iter()
            .fold(problem, |problem, (name, value)| problem.evidence(format!("{name}={value}")))
    });
    problem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{compat_driver, image};
    use crate::checks::testing::{lines, passes, problem};
    use image_audit::config::Image;

    /// An image with torch for this CUDA, and these variables.
    fn requiring(runtime: &str, variables: &[(&str, &str)]) -> Facts {
        let mut facts = image(&["sm_90"], Some(runtime));
        let requirements =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        facts.image = Some(Image { requirements, ..Image::default() });
        facts
    }

    #[test]
    fn a_base_image_of_cuda_12_with_wheels_of_cuda_13() {
        let gate = "cuda>=12.8 brand=tesla,driver>=535,driver<536 brand=unknown,driver>=535,driver<536";
        let found = problem(judge(&requiring("13.0.96", &[("NVIDIA_REQUIRE_CUDA", gate)])));
        assert_eq!(
            found.cause,
            "Driver 575 (CUDA 12.9) meets the image's requirement, but the image uses CUDA 13.0."
        );
        assert_eq!(
            lines(&found),
            ["/site/nvidia/libcudart.so.13: CUDA 13.0".to_owned(), format!("NVIDIA_REQUIRE_CUDA={gate}")]
        );
        assert_eq!(
            found.remedy.as_deref(),
            Some("In the Dockerfile: `ENV NVIDIA_REQUIRE_CUDA=\"cuda>=13.0\"`")
        );
    }

    #[test]
    fn requirements_that_keep_what_they_promise() {
        let cuda = |value| ("NVIDIA_REQUIRE_CUDA", value);
        for (runtime, variables) in [
            // Minor-version compatibility.
            ("12.9.79", &[cuda("cuda>=12.4")][..]),
            ("13.1.80", &[cuda("cuda>=13.0")]),
            ("13.0.96", &[cuda("cuda>=13.0 brand=tesla,driver>=535,driver<536")]),
            // All variables must hold.
            ("13.0.96", &[cuda("cuda>=12.8"), ("NVIDIA_REQUIRE_DRIVER", "driver>=580")]),
            ("13.0.96", &[cuda("cuda>=12.8"), ("NVIDIA_DISABLE_REQUIRE", "1")]),
            ("13.0.96", &[]),
        ] {
            assert!(passes(judge(&requiring(runtime, variables))), "{runtime} {variables:?}");
        }
    }

    #[test]
    fn a_compatibility_driver_runs_the_newer_cuda() {
        let mut facts = requiring("13.0.96", &[("NVIDIA_REQUIRE_CUDA", "cuda>=12.8")]);
        facts.census.copies.push(compat_driver(Some(&[535, 570])));
        assert!(passes(judge(&facts)));
    }
}
