//! What the image's loader does with libcuda: finds none, finds the wrong one, refuses it.

use super::driver::{faults, libcuda_loaded, phrase};
use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::event::Api;
use crate::facts::host::DriverFile;
use crate::model::Stage;
use crate::model::{Fix, Owner, Severity};

const BEYOND: &[&str] = &["driver.load", "driver.nvml", "driver.nvml-failed", "probe.nothing-verified"];
const AFTER_INIT: &[&str] =
    &["image.compat-on-path", "driver.init", "driver.no-devices", "driver.nvml", "probe.nothing-verified"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "image.glibc-too-old",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image's glibc is older than the driver's libraries need",
        why: "The driver's libraries come from the host and are linked against versions of glibc's symbols. The loader of \
              an older base image refuses them.",
        remedy: "Use a newer base: FROM debian:bookworm-slim or FROM ubuntu:24.04",
        explains: BEYOND,
        codes: &[],
        judge: glibc_too_old,
    },
    Check {
        id: "image.static-tls",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "A library does not fit into static thread-local storage",
        why: "Libraries that use static TLS must be loaded early, since glibc reserves little room for late ones. It \
              happens mostly on aarch64, with libgomp.",
        remedy: "ENV LD_PRELOAD=/usr/lib/aarch64-linux-gnu/libgomp.so.1   or, with glibc 2.35 and newer, ENV \
                 GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384",
        explains: &["driver.load", "math.cublas-load", "math.runtime-load", "math.cupti-failed"],
        codes: &[],
        judge: static_tls,
    },
    Check {
        id: "launch.library-path",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The driver's libraries are in a directory that the loader does not search",
        why: "Some platforms (GKE above all) mount the driver at a place of their own and leave it to the image to look \
              there: older CUDA images set LD_LIBRARY_PATH for that, newer ones do not.",
        remedy: "In the Dockerfile: ENV LD_LIBRARY_PATH=/usr/local/nvidia/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}",
        explains: BEYOND,
        codes: &[(Family::Runtime, 35)],
        judge: library_path,
    },
    Check {
        id: "image.no-ld-cache",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The loader does not know of the driver's libraries: /etc/ld.so.cache lacks them",
        why: "Libraries that are mounted into a container are found through the loader's cache, which the NVIDIA \
              Container Toolkit writes with the image's ldconfig. Images without one (distroless, busybox) and old \
              toolkits leave it out.",
        remedy: "Upgrade the NVIDIA Container Toolkit on the host; or, with the directory of libcuda.so.1, in the \
                 Dockerfile: ENV LD_LIBRARY_PATH=DIRECTORY",
        explains: BEYOND,
        codes: &[(Family::Runtime, 35)],
        judge: no_ld_cache,
    },
    Check {
        id: "image.compat-mismatch",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "libcuda and the kernel module do not fit each other",
        why: "CUDA's number 803 says so. The usual reason is a forward-compatibility package (cuda-compat) that the \
              loader finds before the driver's own libcuda: it works only where it is newer than the driver, and only \
              with drivers of its table.",
        remedy: "Take /usr/local/cuda/compat out of LD_LIBRARY_PATH and /etc/ld.so.conf.d: RUN rm -f \
                 /etc/ld.so.conf.d/*compat* && ldconfig",
        explains: AFTER_INIT,
        codes: &[(Family::Driver, 803), (Family::Runtime, 803)],
        judge: compat_mismatch,
    },
    Check {
        id: "image.compat-unsupported",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Forward compatibility was tried on a GPU that does not support it",
        why: "A newer libcuda over an older kernel module works on data-center GPUs and some workstation ones. On GeForce \
              the driver answers with 804.",
        remedy: "Upgrade the driver on the host, or use an image of an older CUDA. Without rebuilding: docker run -e \
                 LD_LIBRARY_PATH= ...   or, on the host, disable the toolkit's cuda-compat-mode",
        explains: AFTER_INIT,
        codes: &[(Family::Driver, 804), (Family::Runtime, 804)],
        judge: compat_unsupported,
    },
];

/// What the loader said when it refused the driver's library.
fn message(facts: &Facts) -> Option<&str> {
    let stages = [Stage::LoadDriver, Stage::LoadNvml];
    let fault = stages.iter().find_map(|stage| faults(facts, *stage).next()).map(|(_, fault)| fault)?;
    (fault.api == Api::Loader).then_some(fault.detail.as_str())
}

fn glibc_too_old(facts: &Facts) -> Outcome {
    let lacks = |text: &&str| text.contains("GLIBC_") && text.contains("not found");
    let Some(text) = message(facts).filter(lacks) else { return Outcome::Pass };
    let version = text.split("GLIBC_").nth(1).unwrap_or_default();
    let version = version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    Some(Problem::new(format!("The driver's library needs glibc {version}.")).evidence(text)).into()
}

fn static_tls(facts: &Facts) -> Outcome {
    let stages = [Stage::LoadDriver, Stage::LoadBlas, Stage::LoadRuntime, Stage::LoadCupti];
    let said = stages.iter().flat_map(|stage| faults(facts, *stage)).map(|(_, fault)| fault.detail.as_str());
    let Some(text) = said.into_iter().find(|text| text.contains("static TLS block")) else {
        return Outcome::Pass;
    };
    Some(Problem::new("The loader has no room left in the static TLS block.").evidence(text)).into()
}

/// A libcuda that is there, and that the loader did not find.
pub fn unfound(facts: &Facts) -> Option<(&DriverFile, &str)> {
    let text = message(facts).filter(|text| text.starts_with("libcuda.so.1: cannot open"))?;
    faults(facts, Stage::LoadDriver).next()?;
    let usable = |file: &&DriverFile| file.path.contains("/libcuda.so.") && file.bytes > 0;
    Some((facts.host.driver_files.iter().find(usable)?, text))
}

fn unfound_problem(facts: &Facts, of_system: bool) -> Outcome {
    let Some((file, text)) = unfound(facts) else { return Outcome::Pass };
    let directory = file.path.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let system = directory.starts_with("/usr/lib") || directory.starts_with("/lib");
    if (system && !directory.contains("/wsl/")) != of_system {
        return Outcome::Pass;
    }
    if !file.path.ends_with("/libcuda.so.1") {
        return Some(without_link(file, text)).into();
    }
    let mut problem =
        Problem::new(format!("{} is there, and the loader does not look in {directory}.", file.path))
            .evidence(text)
            .remedy(format!(
                "{}in the Dockerfile: ENV LD_LIBRARY_PATH={directory}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}",
                if of_system {
                    "Upgrade the NVIDIA Container Toolkit, which writes the loader's cache; or "
                } else {
                    ""
                }
            ));
    let path = facts.host.environment.get("LD_LIBRARY_PATH").map_or("not set", String::as_str);
    problem = problem.evidence(format!("LD_LIBRARY_PATH: {path}"));
    if !facts.host.ld_cache {
        problem = problem.evidence("/etc/ld.so.cache does not exist");
    }
    Some(problem).into()
}

fn without_link(file: &DriverFile, text: &str) -> Problem {
    Problem::new(format!("{} is there, and ldconfig has not made its link libcuda.so.1.", file.path))
        .evidence(text)
        .remedy(
            "Upgrade the NVIDIA Container Toolkit on the host, which runs ldconfig in containers, or run `ldconfig` as \
             root when the container starts",
        )
}

fn library_path(facts: &Facts) -> Outcome {
    unfound_problem(facts, false)
}

fn no_ld_cache(facts: &Facts) -> Outcome {
    unfound_problem(facts, true)
}

fn after_init(facts: &Facts, number: i64, cause: impl Fn(&str) -> String) -> Outcome {
    let fault =
        faults(facts, Stage::DriverInit).map(|(_, fault)| fault).find(|fault| fault.code == Some(number));
    let Some(fault) = fault else { return Outcome::Pass };
    let loaded = libcuda_loaded(facts);
    let path = loaded.first().map_or("libcuda.so.1", String::as_str);
    let mut problem = Problem::new(cause(path)).evidence(phrase(fault)).evidence(format!("loaded: {path}"));
    let module = facts.host.module.as_ref().and_then(|module| module.version.as_deref());
    problem.evidence.extend(module.map(|module| format!("kernel module {module}").into()));
    let path = facts.host.environment.get("LD_LIBRARY_PATH");
    problem.evidence.extend(path.map(|value| format!("LD_LIBRARY_PATH={value}").into()));
    Some(problem).into()
}

fn compat_mismatch(facts: &Facts) -> Outcome {
    // Without a compatibility package the driver itself is in two versions, and that is told as such.
    if !has_compat(facts) {
        return Outcome::Pass;
    }
    after_init(facts, 803, |path| {
        format!("{path}, a compatibility package, does not go with the kernel module's version.")
    })
}

/// The libcuda that was loaded is a forward-compatibility package's.
pub fn has_compat(facts: &Facts) -> bool {
    libcuda_loaded(facts).iter().any(|path| path.contains("/compat/"))
}

fn compat_unsupported(facts: &Facts) -> Outcome {
    after_init(facts, 804, |path| {
        format!("{path} is newer than the kernel module, and this GPU does not allow that.")
    })
}
