//! The CUDA libraries at work: libcudart's copies, cuBLAS's products, CUPTI's traces.

use super::device::{is_starved, is_taken};
use super::driver::{faults, phrase};
use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::event::GemmVerdict;
use crate::facts::probe::ProbeRun;
use crate::model::{Field, Stage};
use crate::model::{Fix, Owner, Severity};
use image_audit::census::Origin;
use protocol::SMOKE_KERNEL;

pub const CHECKS: &[Check] = &[
    Check {
        id: "math.gemm-wrong",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "cuBLAS computes a wrong product",
        why: "The matrices are small integers, so that every product and every partial sum is exact and the answer is \
              known bit for bit. An element that differs is wrong, whatever the order of summation. Where the smoke \
              kernel is right, the library or the tensor cores are at fault.",
        remedy: "Run it again. If the same element is wrong on one GPU only, take that GPU out of service; if on all, \
                 install another cuBLAS release.",
        explains: &[],
        codes: &[],
        judge: gemm_wrong,
    },
    Check {
        id: "math.cublas-mixed",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "cuBLAS and cuBLASLt are of different releases",
        why: "libcublas calls into libcublasLt and fits only the one it was built with. Another one is loaded when \
              LD_LIBRARY_PATH names a toolkit: it goes before the wheel's own search path.",
        remedy: "Take the toolkit's lib64 out of LD_LIBRARY_PATH, and keep one of the two copies",
        explains: &["library.mixed", "math.cublas-init"],
        codes: &[],
        judge: mixed,
    },
    Check {
        id: "math.cublas-load",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "cuBLAS is in the image and does not load",
        why: "The application would fail in the same way: the loader names what it misses.",
        remedy: "Install the library that the message names, of the same CUDA release, or take out the copy that \
                 hides it",
        explains: &[],
        codes: &[],
        judge: blas_load,
    },
    Check {
        id: "math.cublas-init",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "cuBLAS does not initialise",
        why: "cublasCreate needs memory for its workspace, and device code for this GPU in the library.",
        remedy: "Free GPU memory. If there is enough, the library is of another release than cuBLASLt, or too old for \
                 this GPU.",
        explains: &[],
        codes: &[(Family::Cublas, 1)],
        judge: blas_init,
    },
    Check {
        id: "math.gemm-failed",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "cuBLAS refuses a product",
        why: "cublasGemmEx returned an error for a format that this GPU supports.",
        remedy: "Install a cuBLAS release that knows this GPU.",
        explains: &[],
        codes: &[],
        judge: gemm_failed,
    },
    Check {
        id: "math.copy-wrong",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "Data comes back from the GPU changed",
        why: "libcudart copied a megabyte to the device and back, and it is not the same.",
        remedy: "Take the GPU out of service: its memory or its link is faulty.",
        explains: &[],
        codes: &[],
        judge: copy_wrong,
    },
    Check {
        id: "math.driver-too-old",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The driver is too old for this image's CUDA runtime",
        why: "A runtime needs a driver of its own major CUDA version or a newer one. Within a major version an older \
              driver is enough (minor-version compatibility).",
        remedy: "Upgrade the host's driver, use an image of the driver's CUDA version, or on data-centre GPUs install \
                 the cuda-compat package in the image",
        explains: &["math.runtime-failed", "math.cublas-init", "math.gemm-failed"],
        codes: &[(Family::Runtime, 35)],
        judge: driver_too_old,
    },
    Check {
        id: "math.runtime-load",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "libcudart is in the image and does not load",
        why: "The application would fail in the same way: the loader names what it misses.",
        remedy: "Install the library that the message names",
        explains: &[],
        codes: &[],
        judge: runtime_load,
    },
    Check {
        id: "math.runtime-failed",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "libcudart does not work, the driver does",
        why: "The driver's own interface works on this GPU, and the runtime above it fails.",
        remedy: "Compare the runtime's CUDA version with the driver's; install a matching one.",
        explains: &[],
        codes: &[],
        judge: runtime_failed,
    },
    Check {
        id: "math.not-looked",
        severity: Severity::Unknown,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "A library did not load, and the image was not read to its end",
        why: "Whether the library is absent or broken is not known, because the deadline came before the whole image \
              was read.",
        remedy: "Try again with --timeout 120s",
        explains: &[],
        codes: &[],
        judge: not_looked,
    },
    Check {
        id: "math.cupti-subscriber",
        severity: Severity::Warning,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "Another profiler holds CUPTI",
        why: "The interface takes one subscriber in a process. A tool that injects itself into every CUDA program (Nsight \
              Systems, Nsight Compute, a monitoring agent) is there first, named by CUDA_INJECTION64_PATH.",
        remedy: "Unset CUDA_INJECTION64_PATH, or use one profiler at a time",
        explains: &["math.cupti-failed", "math.cupti-silent"],
        codes: &[(Family::Cupti, 39)],
        judge: cupti_subscriber,
    },
    Check {
        id: "math.cupti-failed",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "CUPTI does not trace",
        why: "Profilers (torch.profiler, Kineto, TensorFlow) see kernels through CUPTI's Activity API. Number 39 says \
              that another profiler is attached.",
        remedy: "Install the CUPTI of the image's CUDA release, and detach other profilers (CUDA_INJECTION64_PATH)",
        explains: &[],
        codes: &[],
        judge: cupti_failed,
    },
    Check {
        id: "math.cupti-silent",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "CUPTI traces nothing",
        why: "The Activity API was on while a kernel ran, and no record names that kernel: profiles would be empty.",
        remedy: "Install the CUPTI that belongs to the driver's or the image's CUDA release.",
        explains: &[],
        codes: &[],
        judge: cupti_silent,
    },
    Check {
        id: "math.absent",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "A library is not in the image, so it was not exercised",
        why: "cudacheck loads what the application would load and brings no CUDA library of its own.",
        remedy: "Nothing to do, unless the application needs it.",
        explains: &[],
        codes: &[],
        judge: absent,
    },
    Check {
        id: "math.minor-version",
        severity: Severity::Note,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The runtime is newer than the driver, within one major version",
        why: "CUDA allows that (minor-version compatibility). Code that is only PTX, or needs a feature of the newer \
              driver, fails all the same.",
        remedy: "Nothing to do, unless an application fails with error 222 or 36: then upgrade the driver.",
        explains: &[],
        codes: &[],
        judge: minor_version,
    },
    Check {
        id: "math.no-tf32",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "TF32 was asked for, and FP32 was computed",
        why: "cuBLAS may use TF32 when asked and need not; the answer is right either way.",
        remedy: "Nothing to do. NVIDIA_TF32_OVERRIDE=0 in the environment is one reason.",
        explains: &[],
        codes: &[],
        judge: no_tf32,
    },
    Check {
        id: "math.counters",
        severity: Severity::Note,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "Hardware counters are for administrators",
        why: "The driver lets only administrators read hardware counters (RmProfilingAdminOnly). Tracing works; \
              Nsight Compute and counter-based metrics do not.",
        remedy: "docker run --cap-add SYS_ADMIN ... as root, or on the host the module option \
                 NVreg_RestrictProfilingToAdminUsers=0",
        explains: &[],
        codes: &[(Family::Cupti, 35)],
        judge: counters,
    },
];

/// `12.4` of 12040, as the driver and the runtime give it.
pub fn cuda(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

fn each(facts: &Facts, judge: impl Fn(&ProbeRun) -> Option<Problem>) -> Outcome {
    let problem = |run| {
        judge(run).map(|problem: Problem| {
            let gpu = facts.gpu_of_run(run);
            Problem { cause: format!("{}: {}", facts.gpu_name(gpu.as_ref()), problem.cause), gpu, ..problem }
        })
    };
    facts.probes.iter().filter_map(problem).collect::<Vec<_>>().into()
}

fn of_stages(facts: &Facts, stages: &[Stage]) -> Outcome {
    each(facts, |run| {
        // What failed for want of memory is busy, and told as such.
        let faults = stages.iter().filter_map(|stage| run.fault(*stage));
        faults
            .into_iter()
            .find(|fault| !is_taken(fault) && !is_starved(facts, run, fault))
            .map(|fault| Problem::new(phrase(fault)))
    })
}

fn gemm_wrong(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let wrong = |verdict: &GemmVerdict| match verdict {
            GemmVerdict::Wrong { elements, first } => Some((*elements, first.clone())),
            GemmVerdict::Overrun { at } => Some((0, format!("written into {at}"))),
            GemmVerdict::Exact | GemmVerdict::NotTf32 => None,
        };
        let cases: Vec<_> =
            run.gemm().filter_map(|case| wrong(&case.verdict).map(|what| (case, what))).collect();
        let (case, (_, first)) = cases.first()?;
        let mut problem =
            Problem::new(format!("{} {} x {} x {}: {first}.", case.format, case.m, case.n, case.k));
        for (case, (elements, first)) in &cases {
            problem = problem.evidence(format!(
                "{} {} {}x{}x{} alpha {} beta {}: {elements} wrong elements, {first}",
                case.format, case.transpose, case.m, case.n, case.k, case.alpha, case.beta
            ));
        }
        Some(problem)
    })
}

fn mixed(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let blas = run.blas().next()?;
        let lt = blas.cublas_lt?;
        let paths = run.events.iter().find_map(|event| match event {
            crate::facts::event::Event::Library { name, path, also, .. } if name == "libcublas" => Some(
                std::iter::once(path)
                    .chain(also)
                    .filter(|path| path.contains("libcublas"))
                    .cloned()
                    .collect::<Vec<_>>(),
            ),
            _ => None,
        });
        (blas.cublas as u64 != lt).then(|| {
            let problem = Problem::new(format!("cuBLAS says {}, cuBLASLt says {lt}.", blas.cublas));
            paths.unwrap_or_default().into_iter().fold(problem, Problem::evidence)
        })
    })
}

/// The census went through the whole image; otherwise that a library is absent is not known.
fn census_is_whole(facts: &Facts) -> bool {
    !facts.census.unreadable.iter().any(|line| line.starts_with("/: "))
}

fn not_looked(facts: &Facts) -> Outcome {
    if census_is_whole(facts) {
        return Outcome::Pass;
    }
    let stages = [(Stage::LoadRuntime, "cudart"), (Stage::LoadBlas, "cublas"), (Stage::LoadCupti, "cupti")];
    each(facts, |run| {
        let missed = stages.iter().find_map(|(stage, name)| run.fault(*stage).filter(|_| !has(facts, name)));
        missed.map(|fault| Problem::new(phrase(fault)).evidence(facts.census.unreadable.join("; ")))
    })
}

/// A library of the image that could be loaded.
fn has(facts: &Facts, library: &str) -> bool {
    let usable = |origin| !matches!(origin, Origin::Stub);
    facts.census.copies.iter().any(|copy| copy.library == library && usable(copy.origin) && copy.bytes > 0)
}

fn blas_load(facts: &Facts) -> Outcome {
    if !has(facts, "cublas") {
        return Outcome::Skip("there is no cuBLAS in the image");
    }
    of_stages(facts, &[Stage::LoadBlas])
}

fn runtime_load(facts: &Facts) -> Outcome {
    if !has(facts, "cudart") {
        return Outcome::Skip("there is no libcudart in the image");
    }
    of_stages(facts, &[Stage::LoadRuntime])
}

fn blas_init(facts: &Facts) -> Outcome {
    of_stages(facts, &[Stage::BlasInit])
}

fn gemm_failed(facts: &Facts) -> Outcome {
    of_stages(facts, &[Stage::Gemm, Stage::GemmTiming])
}

fn runtime_failed(facts: &Facts) -> Outcome {
    of_stages(facts, &[Stage::Runtime])
}

fn copy_wrong(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let runtime = run.runtime().next()?;
        let at = runtime.wrong_at?;
        Some(Problem::new(format!("byte {at} of {} is the first that came back different.", runtime.copied)))
    })
}

/// Runtime and driver: from the runtime where it answered, else from error 35.
fn versions(run: &ProbeRun) -> Option<(i32, i32)> {
    run.runtime().next().map(|runtime| (runtime.version, runtime.driver))
}

fn driver_too_old(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let refused = run.fault(Stage::Runtime).filter(|fault| fault.code == Some(35));
        let problem = match versions(run) {
            Some((runtime, driver)) if runtime / 1000 > driver / 1000 => Some(Problem::new(format!(
                "the runtime is CUDA {}, the driver supports {}.",
                cuda(runtime),
                cuda(driver)
            ))),
            _ => refused.map(|fault| Problem::new(phrase(fault))),
        }?;
        // A forward-compatibility package that is there and was not taken.
        let compat = facts
            .census
            .copies
            .iter()
            .find(|copy| copy.library == "libcuda" && copy.path.contains("/compat/"));
        Some(match compat {
            Some(copy) => {
                let directory = copy.path.rsplit_once('/').map_or("", |(directory, _)| directory);
                let remedy = format!(
                    "On a data-centre GPU: ENV LD_LIBRARY_PATH={directory}   puts the image's compat package first; else upgrade the host's driver"
                );
                problem.evidence(format!("{} is in the image and was not loaded", copy.path)).remedy(remedy)
            }
            None => problem,
        })
    })
}

fn minor_version(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let (runtime, driver) = versions(run)?;
        let newer = runtime > driver && runtime / 1000 == driver / 1000;
        newer.then(|| {
            Problem::new(format!(
                "the runtime is CUDA {}, the driver supports {}.",
                cuda(runtime),
                cuda(driver)
            ))
        })
    })
}

fn no_tf32(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let case = run.gemm().find(|case| case.verdict == GemmVerdict::NotTf32)?;
        Some(Problem::new(format!("{} x {} x {} was computed in FP32.", case.m, case.n, case.k)))
    })
}

fn cupti_subscriber(facts: &Facts) -> Outcome {
    let tool = facts.host.environment.get("CUDA_INJECTION64_PATH");
    each(facts, |run| {
        let fault = run.fault(Stage::Cupti).filter(|fault| fault.code == Some(39))?;
        let mut problem = Problem::new(phrase(fault));
        problem.evidence.extend(tool.map(|tool| format!("CUDA_INJECTION64_PATH={tool}").into()));
        Some(problem)
    })
}

fn cupti_failed(facts: &Facts) -> Outcome {
    if !has(facts, "cupti") && faults(facts, Stage::Cupti).next().is_none() {
        return Outcome::Skip("there is no CUPTI in the image");
    }
    of_stages(facts, &[Stage::LoadCupti, Stage::Cupti])
}

fn cupti_silent(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let cupti = run.cupti().next()?;
        let named = cupti.kernels.iter().any(|kernel| kernel == SMOKE_KERNEL);
        (!named).then(|| {
            Problem::new(format!("none of {} records names {SMOKE_KERNEL}.", cupti.kernels.len()))
                .evidence(format!("records: {}", cupti.kernels.join(", ")))
        })
    })
}

fn absent(facts: &Facts) -> Outcome {
    if !census_is_whole(facts) {
        return Outcome::Skip("math.not-looked speaks of it");
    }
    let libraries =
        [("cudart", Stage::LoadRuntime), ("cublas", Stage::LoadBlas), ("cupti", Stage::LoadCupti)];
    let absent: Vec<&str> = libraries
        .iter()
        .filter(|(name, stage)| !has(facts, name) && faults(facts, *stage).next().is_some())
        .map(|(name, _)| *name)
        .collect();
    let problem = (!absent.is_empty())
        .then(|| Problem::new(format!("There is no {} in the image.", absent.join(", no "))));
    problem.into()
}

fn counters(facts: &Facts) -> Outcome {
    // CUPTI's own answer, where it gave one; the driver's setting otherwise.
    let asked = facts.probes.iter().flat_map(ProbeRun::cupti).find_map(|cupti| match cupti.counters {
        Field::Known(allowed) => Some(allowed),
        Field::Unavailable { .. } => None,
    });
    let setting = facts.host.module.as_ref().and_then(|module| module.counters_admin_only);
    let problem = match (asked, setting) {
        (Some(false), _) => Some(Problem::new("CUPTI may not read hardware counters (CUPTI status 35).")),
        (None, Some(true)) if !facts.host.process.is_admin() && !facts.probes.is_empty() => Some(
            Problem::new("The driver restricts hardware counters, and this process lacks CAP_SYS_ADMIN."),
        ),
        _ => None,
    };
    problem
        .map(
            |problem| {
                if setting == Some(true) { problem.evidence("RmProfilingAdminOnly: 1") } else { problem }
            },
        )
        .into()
}
