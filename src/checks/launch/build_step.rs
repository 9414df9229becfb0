//! An image build step looks for a GPU, and builders provide none.

use crate::checks::shared::platform::{PLATFORM_CONSEQUENCES, unusable};
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.build-step",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Image build steps cannot use a GPU",
    why: "Builders give RUN steps no devices, even on a machine with GPUs. A program that looks for a GPU during the \
          build (a check, or a build that detects which architecture to compile for) finds none.",
    remedy: "Audit the image in the build (`RUN cudacheck image`), and verify the GPU when the container runs. Name \
             architectures for builds: `ENV TORCH_CUDA_ARCH_LIST=\"8.0;9.0\"`",
    explains: PLATFORM_CONSEQUENCES,
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // A builder can be configured to pass devices through.
    let has_nodes = facts.host.nodes.iter().any(|node| node.path.contains("nvidia"));
    let on_platform = facts.host.platform.build_step && !has_nodes;
    unusable(facts, on_platform, "This RUN step runs in BuildKit's sandbox, which has no NVIDIA device node.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::not_injected;
    use crate::checks::testing::{passes, problem};
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    #[test]
    fn a_build_step_has_no_gpu() {
        let facts = not_injected().host(|host| host.platform.build_step = true).facts();
        assert!(problem(judge(&facts)).cause.contains("BuildKit"));
        assert!(passes(judge(&not_injected().facts())));
    }

    #[test]
    fn devices_of_the_builder_are_judged_like_others() {
        let facts = Sample::machine(1)
            .host(|host| host.platform.build_step = true)
            .fault(None, Stage::DriverInit, fault("cuInit", 999))
            .facts();
        assert!(passes(judge(&facts)));
    }
}
