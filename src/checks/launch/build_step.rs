//! A step of an image's build has no GPU.

use crate::checks::{Check, Outcome};
use crate::checks::shared::platform::{BEYOND, unusable};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.build-step",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A step of an image's build has no GPU",
    why: "Builders give RUN steps no devices, whatever the machine has. What looks for a GPU while an image is \
          built (a check, or a build that asks which architecture to compile for) finds none.",
    remedy: "Check the image instead, RUN cudacheck image, and the GPU when the container runs; name architectures \
             for builds: ENV TORCH_CUDA_ARCH_LIST=\"8.0;9.0\"",
    explains: BEYOND,
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let here =
        facts.host.platform.build_step && !facts.host.nodes.iter().any(|node| node.path.contains("nvidia"));
    unusable(facts, here, "This is BuildKit's sandbox, and no device node was given to it.")
}
