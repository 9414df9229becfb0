//! Places where a GPU is reached in another way: WSL, Jetson, gVisor, a step of a build.

use super::launch::{expects_gpu, works};
use super::loading::unfound;
use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Evidence, Fix, Owner, Severity, Stage};

const BEYOND: &[&str] = &[
    "launch.driver-not-loaded",
    "launch.not-requested",
    "launch.libcuda-missing",
    "launch.visible-devices",
    "launch.no-gpu-selected",
    "launch.no-runtime-class",
    "driver.load",
    "driver.init",
    "driver.no-devices",
    "driver.nvml",
    "driver.nvml-failed",
    "probe.nothing-verified",
];

pub const CHECKS: &[Check] = &[
    Check {
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
        judge: build_step,
    },
    Check {
        id: "launch.gvisor",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "gVisor does not pass the GPU through",
        why: "In gVisor the driver's calls go through nvproxy, which has to be turned on and knows listed versions of \
              the driver alone.",
        remedy: "On the host: runsc with --nvproxy=true, and a driver that `runsc nvproxy list-supported-drivers` names \
                 (--nvproxy-allow-unsupported-driver tries others)",
        explains: BEYOND,
        codes: &[(Family::Driver, 100)],
        judge: gvisor,
    },
    Check {
        id: "launch.wsl",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "WSL does not give this container its GPU",
        why: "Under WSL a GPU is reached through /dev/dxg and the libraries in /usr/lib/wsl/lib; nodes named \
              /dev/nvidia* do not exist there, and need not. NVML's number 17 says that the operating system blocks \
              the access, most often by the device cgroup.",
        remedy: "In WSL: no-cgroups = false in /etc/nvidia-container-runtime/config.toml, `wsl --update` in Windows, then \
                 docker run --gpus all ...",
        explains: BEYOND,
        codes: &[(Family::Nvml, 17)],
        judge: wsl,
    },
    Check {
        id: "launch.jetson",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The integrated GPU of this Jetson is not usable here",
        why: "On Tegra the driver is given by --runtime nvidia, file by file, and its nodes (/dev/nvmap, /dev/nvhost-*) \
              belong to the group video. --gpus does not bring them on all releases.",
        remedy: "docker run --runtime nvidia --group-add video -e NVIDIA_VISIBLE_DEVICES=all ...",
        explains: BEYOND,
        codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
        judge: jetson,
    },
];

/// CUDA or its library did not work.
fn failed(facts: &Facts) -> Option<String> {
    let stages = [Stage::DriverInit, Stage::LoadDriver, Stage::NvmlInit, Stage::LoadNvml];
    let fault = facts.probes.iter().find_map(|run| stages.iter().find_map(|stage| run.fault(*stage)))?;
    Some(super::driver::phrase(fault))
}

fn unusable(facts: &Facts, here: bool, cause: &str) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run, or nothing could be opened");
    }
    if !here || works(facts) {
        return Outcome::Pass;
    }
    let mut problem = Problem::new(cause);
    problem.evidence.extend(failed(facts).map(Evidence::from));
    Some(problem).into()
}

fn build_step(facts: &Facts) -> Outcome {
    let here =
        facts.host.platform.build_step && !facts.host.nodes.iter().any(|node| node.path.contains("nvidia"));
    unusable(facts, here, "This is BuildKit's sandbox, and no device node was given to it.")
}

fn gvisor(facts: &Facts) -> Outcome {
    unusable(facts, facts.host.platform.gvisor, "The kernel is gVisor's, and no GPU answers through it.")
}

fn wsl(facts: &Facts) -> Outcome {
    let platform = &facts.host.platform;
    let libraries = facts.host.driver_files.iter().any(|file| file.path.contains("/wsl/"));
    let dxg = facts.host.nodes.iter().any(|node| node.path == "/dev/dxg");
    // Libraries that the loader does not search have a finding of their own.
    if unfound(facts).is_some() {
        return Outcome::Pass;
    }
    let cause = match libraries {
        false => "/dev/dxg is here, and no driver library in /usr/lib/wsl/lib.",
        true => "/dev/dxg and the libraries of WSL are here, and no GPU answers.",
    };
    unusable(facts, platform.wsl && dxg, cause)
}

fn jetson(facts: &Facts) -> Outcome {
    let process = &facts.host.process;
    let cause = if process.uid == 0 {
        "The nodes of Tegra are here, and CUDA finds no device through them.".to_owned()
    } else {
        format!("The nodes of Tegra are here, and user {} finds no device through them.", process.uid)
    };
    unusable(facts, facts.host.platform.jetson, &cause)
}
