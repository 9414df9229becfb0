//! Driver libraries are baked into the image.

use image_audit::census::{Copy, Origin};
use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::driver_files::driver_copies;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.driver-baked-in",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Driver libraries are baked into the image",
    why: "libcuda and libnvidia-ml must be those of the host's kernel module, and the container runtime brings \
          them. A copy in the image works on machines with exactly that driver and fails on all others, with \
          NVML error 18 or CUDA error 803.",
    remedy: "Do not install driver packages (libcuda1, libnvidia-compute-*, nvidia-driver-*) in the Dockerfile",
    explains: &[],
    codes: &[(Family::Nvml, 18), (Family::Driver, 803)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.running && facts.host.platform.container.is_none() {
        return Outcome::Skip("no container: the driver's libraries are at home here");
    }
    let baked = |copy: &&Copy| {
        let own = matches!(copy.origin, Origin::Package | Origin::Other | Origin::Vendored);
        // Forward-compatibility packages are meant to be in images.
        own && copy.bytes > 0 && !copy.path.contains("/compat/")
    };
    let copies: Vec<&Copy> = driver_copies(facts).filter(baked).collect();
    let Some(first) = copies.first() else { return Outcome::Pass };
    let owner =
        first.package.as_ref().map(|owner| format!(", from package {}", owner.name)).unwrap_or_default();
    let mut problem = Problem::new(format!("{} is part of the image{owner}.", first.path));
    for copy in copies {
        let version = copy.version.as_deref().unwrap_or("version unknown");
        problem = problem.evidence(format!("{} ({version}, {} bytes)", copy.path, copy.bytes));
    }
    if let Some(module) = facts.host.module.as_ref().and_then(|module| module.version.as_ref()) {
        problem = problem.evidence(format!("the kernel module is {module}"));
    }
    Some(problem).into()
}
