//! Prediction: will the image work on machines that were only described (`--on`)?
//!
//! The checks of this family are the kinds of problems; `predict/rules.rs` asks the questions, `predict/known.rs` has
//! what is known of drivers and GPUs. Each problem belongs to one machine.

mod compat;
mod known;
mod require;
mod rules;
mod runtime;
#[cfg(test)]
mod tests;

use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::target_machine::TargetMachine;
use crate::model::{Fix, Owner, Severity};

pub use known::DriverCuda;
pub use rules::{About, answers};

/// Whether a machine meets what an image requires, such as `cuda>=12.8`; none where that is not known.
pub fn requirement_met(text: &str, machine: &TargetMachine) -> Option<bool> {
    require::met(text, machine, DriverCuda::of(machine))
}

pub const CHECKS: &[Check] = &[
    Check {
        id: "predict.gpu-too-new",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The machine's driver is older than its GPU",
        why: "A driver knows the GPUs that existed when it was made. Of a newer one it lists nothing, whatever the \
              image brings.",
        remedy: "Install a newer driver on the machine",
        explains: &[],
        codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
        judge: |facts| found(facts, "predict.gpu-too-new"),
    },
    Check {
        id: "predict.gpu-too-old",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The machine's driver has dropped its GPU",
        why: "Drivers newer than 470 do not know Kepler, those newer than 580 do not know Maxwell, Pascal and Volta.",
        remedy: "Keep the machine on the last driver for its GPU, and use an image for the CUDA of that driver",
        explains: &[],
        codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
        judge: |facts| found(facts, "predict.gpu-too-old"),
    },
    Check {
        id: "predict.closed-module",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The GPU needs the open kernel module, and the machine has the closed one",
        why: "Since Blackwell NVIDIA's closed kernel module does not support new GPUs.",
        remedy: "Install the open kernel module on the machine (packages nvidia-open or nvidia-driver-NNN-open)",
        explains: &[],
        codes: &[],
        judge: |facts| found(facts, "predict.closed-module"),
    },
    Check {
        id: "predict.open-module",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The GPU needs the closed kernel module, and the machine has the open one",
        why: "The open kernel module begins with Turing (sm_75). Maxwell, Pascal and Volta have the closed one alone.",
        remedy: "Install the closed (proprietary) kernel module on the machine",
        explains: &[],
        codes: &[],
        judge: |facts| found(facts, "predict.open-module"),
    },
    Check {
        id: "predict.compat-in-front",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The compatibility driver of the image is in the way on this machine",
        why: "LD_LIBRARY_PATH puts cuda-compat's libcuda in front of the machine's. It works on GPUs for data centres \
              alone, in place of the drivers that it was made for, and never of a newer one: elsewhere CUDA fails with \
              803 or 804.",
        remedy: "Take the compat directory out of ENV LD_LIBRARY_PATH: the container runtime chooses it where it helps",
        explains: &[],
        codes: &[
            (Family::Driver, 803),
            (Family::Driver, 804),
            (Family::Runtime, 803),
            (Family::Runtime, 804),
        ],
        judge: |facts| found(facts, "predict.compat-in-front"),
    },
    Check {
        id: "predict.driver-too-old",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The machine's driver is too old for the image's CUDA",
        why: "A program that was built with one major version of CUDA needs a driver of that version or a newer one. \
              Its first call ends with error 35. A cuda-compat package in the image helps on GPUs for data centres, in \
              place of the drivers that it names.",
        remedy: "Install a newer driver on the machine, or use an image that was built for the CUDA of its driver",
        explains: &[],
        codes: &[(Family::Runtime, 35)],
        judge: |facts| found(facts, "predict.driver-too-old"),
    },
    Check {
        id: "predict.requirement",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The machine does not meet what the image requires",
        why: "NVIDIA_REQUIRE_CUDA names the drivers and GPUs that the image was made for. nvidia-container-cli reads it \
              and refuses to start the container: unsatisfied condition.",
        remedy: "Install a newer driver on the machine; or, where minor-version compatibility is enough, run with \
                 -e NVIDIA_DISABLE_REQUIRE=1",
        explains: &[],
        codes: &[],
        judge: |facts| found(facts, "predict.requirement"),
    },
    Check {
        id: "predict.cuda-dropped",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image's CUDA has dropped this GPU",
        why: "Each major version of CUDA leaves out the oldest GPUs: CUDA 12 begins with sm_50, CUDA 13 with sm_75. Its \
              compilers make no code for older ones, and its libraries have none.",
        remedy: "Use an image that was built with an older CUDA",
        explains: &[],
        codes: &[(Family::Driver, 209), (Family::Runtime, 209)],
        judge: |facts| found(facts, "predict.cuda-dropped"),
    },
    Check {
        id: "predict.no-code",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image has no code for the machine's GPU",
        why: "Compiled code runs on GPUs of the same major compute capability and at least the same minor one; PTX can \
              be compiled for newer ones. With neither, the first kernel fails with 209: no kernel image is available.",
        remedy: "Install a release of the framework that was built for this GPU, or build it with TORCH_CUDA_ARCH_LIST",
        explains: &[],
        codes: &[(Family::Driver, 209), (Family::Runtime, 209)],
        judge: |facts| found(facts, "predict.no-code"),
    },
    Check {
        id: "predict.ptx-too-new",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The image has only PTX for this GPU, and the machine's driver is older than it",
        why: "PTX is compiled by the driver, which takes PTX of its own CUDA or an older one. Newer PTX fails with 222, \
              also inside one major version, where compiled code would run.",
        remedy: "Install a driver of the image's CUDA or newer, or a build with compiled code for this GPU",
        explains: &[],
        codes: &[(Family::Driver, 222), (Family::Runtime, 222)],
        judge: |facts| found(facts, "predict.ptx-too-new"),
    },
    Check {
        id: "predict.unknown",
        severity: Severity::Unknown,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "Whether the image works on this machine cannot be told from here",
        why: "A prediction rests on the device code and the libraries of the image and on what is known of drivers. \
              Where one of them is missing nothing is promised.",
        remedy: "Say more of the machine (cuda=, datacenter=), audit at the full level, or try it there: cudacheck",
        explains: &[],
        codes: &[],
        judge: |facts| found(facts, "predict.unknown"),
    },
    Check {
        id: "predict.ptx-only",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image has only PTX for the machine's GPU, so that its first start compiles",
        why: "Without compiled code for its architecture the driver compiles PTX for the GPU when it is loaded. It takes \
              minutes, and is kept in a cache that a fresh container loses.",
        remedy: "Install a build of the framework with code for this GPU, or keep the cache: -e CUDA_CACHE_PATH=/cache \
                 -v cuda-cache:/cache -e CUDA_CACHE_MAXSIZE=4294967296",
        explains: &[],
        codes: &[],
        judge: |facts| found(facts, "predict.ptx-only"),
    },
    Check {
        id: "predict.minor-version",
        severity: Severity::Note,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The image's CUDA is newer than the driver's, inside the same major version",
        why: "Since CUDA 11 compiled code runs on every driver of the same major version. What is compiled to PTX when \
              the program runs (NVRTC, Triton) can fail with 222, and functions that are new in that CUDA are refused.",
        remedy: "Nothing to do, unless the program compiles PTX: then install a driver of the image's CUDA or newer",
        explains: &[],
        codes: &[(Family::Driver, 222), (Family::Runtime, 222)],
        judge: |facts| found(facts, "predict.minor-version"),
    },
    Check {
        id: "predict.compat",
        severity: Severity::Note,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The image works on this machine with the compatibility driver that it brings",
        why: "cuda-compat's libcuda takes the place of the machine's older one, on GPUs for data centres. Which drivers \
              it stands in for, it says itself, in a note of its ELF file.",
        remedy: "Nothing to do, where the NVIDIA container runtime puts it in place by itself; see that it does: cudacheck",
        explains: &[],
        codes: &[],
        judge: |facts| found(facts, "predict.compat"),
    },
    Check {
        id: "predict.module-not-said",
        severity: Severity::Note,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The GPU needs the open kernel module",
        why: "Since Blackwell NVIDIA's closed kernel module does not support new GPUs. Which one the machine has was not \
              said.",
        remedy: "Look on the machine: `cat /proc/driver/nvidia/version` says Open Kernel Module",
        explains: &[],
        codes: &[],
        judge: |facts| found(facts, "predict.module-not-said"),
    },
];

/// Problems of one kind, on all machines.
fn found(facts: &Facts, id: &str) -> Outcome {
    if facts.request.machines.is_empty() {
        return Outcome::Skip("no machine was named by --on");
    }
    let on = |machine: &TargetMachine| -> Vec<Problem> {
        let problems = answers(facts, machine).into_iter().flat_map(|answer| answer.problems);
        problems
            .filter(|(kind, _)| *kind == id)
            .map(|(_, problem)| Problem { machine: Some(machine.name.clone()), ..problem })
            .collect()
    };
    facts.request.machines.iter().flat_map(on).collect::<Vec<_>>().into()
}

/// A line of evidence.
fn driver_text(machine: &TargetMachine, driver: DriverCuda) -> String {
    let cuda = driver.text().map_or("a CUDA that is not known".to_owned(), |cuda| format!("CUDA {cuda}"));
    match &machine.driver {
        Some(version) => format!("driver {version} supports {cuda}"),
        None => format!("the driver supports {cuda}"),
    }
}
