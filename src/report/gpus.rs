//! The GPUs of a report, from what CUDA and NVML listed, what the probes verified, and the findings about each.

use super::gpu::{Gpu, GpuState, Speed};
use super::peak;
use crate::facts::event::{Device, Event, GemmCase, Outcome};
use crate::facts::probe::{self, ProbeRun, Target};
use crate::facts::{Facts, gpu_selection};
use crate::model::{Finding, GpuRef, Level, Severity, Stage};

/// CUDA's devices, then those that only NVML lists.
pub fn gpus(facts: &Facts, findings: &[Finding]) -> Vec<Gpu> {
    let mut gpus: Vec<Gpu> = Vec::new();
    for device in facts.devices() {
        if gpus.iter().any(|gpu| gpu.id.ordinal == Some(device.ordinal)) {
            continue;
        }
        let run = facts.probes.iter().find(|run| run.target == Target::Gpu(device.ordinal));
        let named = gpu_selection::is_named(facts, device);
        let exercised = run.is_some() || facts.request.level <= Level::Driver && named;
        let id = facts.gpu_of_ordinal(device.ordinal);
        gpus.push(Gpu {
            name: device.name.clone(),
            pci: Some(device.pci.clone()),
            capability: Some(format!("{}.{}", device.capability.0, device.capability.1)),
            sms: u32::try_from(device.sms).ok(),
            memory: Some(device.memory),
            state: state(findings, &id, exercised),
            level: level(run),
            smoke: run.and_then(|run| run.smoke().next().map(Into::into)),
            runtime: run.and_then(|run| run.runtime().next().map(Into::into)),
            blas: run.and_then(|run| run.blas().next().map(Into::into)),
            gemm: run.into_iter().flat_map(ProbeRun::gemm).map(Into::into).collect(),
            speed: run.into_iter().flat_map(ProbeRun::gemm).filter_map(|case| speed(device, case)).collect(),
            cupti: run.and_then(|run| run.cupti().next().map(Into::into)),
            health: facts.nvml_devices().find(|gpu| probe::is_device(gpu, device)).map(Into::into),
            id,
        });
    }
    let devices: Vec<_> = facts.devices().collect();
    for gpu in facts.nvml_devices() {
        if devices.iter().any(|device| probe::is_device(gpu, device)) {
            continue;
        }
        let id = facts.gpu_of_index(gpu.index);
        let chosen = facts.request.level == Level::Nvml && gpu_selection::chosen(facts, gpu).is_some();
        gpus.push(Gpu {
            name: gpu.name.known().cloned().unwrap_or_default(),
            pci: gpu.pci.known().cloned(),
            memory: gpu.memory_total.known().copied(),
            // If CUDA lists devices, GPUs that it does not list do not concern this container.
            state: if devices.is_empty() { state(findings, &id, chosen) } else { GpuState::Seen },
            level: Level::Nvml,
            health: Some(gpu.into()),
            ..blank(id)
        });
    }
    // A GPU that NVML counts but cannot query has only an index. Those of other containers, which NVML may count as
    // well, are left out.
    let silent = |index: &u32| devices.is_empty() && !facts.nvml_devices().any(|gpu| gpu.index == *index);
    for index in lost(facts).filter(silent) {
        let id = facts.gpu_of_index(index);
        if findings.iter().any(|finding| concerns(finding, &id)) {
            let state = state(findings, &id, true);
            gpus.push(Gpu { name: "does not respond".to_owned(), state, ..blank(id) });
        }
    }
    gpus
}

fn speed(device: &Device, case: &GemmCase) -> Option<Speed> {
    let tflops = case.flops? / 1e12;
    let peak_tflops = peak::tflops(&device.name, &case.format, device.sms, device.clock);
    Some(Speed {
        format: case.format.clone(),
        size: [case.m, case.n, case.k],
        tflops,
        peak_tflops,
        peak_share: peak_tflops.map(|peak| tflops / peak),
    })
}

/// NVML's indices of GPUs about which a call has failed.
fn lost(facts: &Facts) -> impl Iterator<Item = u32> {
    facts.probes.iter().flat_map(|run| &run.events).filter_map(|event| match event {
        Event::Left { stage: Stage::NvmlDevice, gpu, outcome: Outcome::Failed(_), .. } => *gpu,
        _ => None,
    })
}

/// A GPU about which nothing is known.
fn blank(id: GpuRef) -> Gpu {
    Gpu {
        id,
        name: String::new(),
        pci: None,
        capability: None,
        sms: None,
        memory: None,
        state: GpuState::Seen,
        level: Level::Image,
        health: None,
        smoke: None,
        runtime: None,
        blas: None,
        gemm: Vec::new(),
        speed: Vec::new(),
        cupti: None,
    }
}

fn concerns(finding: &Finding, gpu: &GpuRef) -> bool {
    finding.gpu.as_ref().is_some_and(|of| of.is_same(gpu))
}

fn state(findings: &[Finding], gpu: &GpuRef, exercised: bool) -> GpuState {
    let own = || findings.iter().filter(|finding| concerns(finding, gpu));
    let busy = own().any(Finding::is_busy);
    match own().map(|finding| finding.severity).max() {
        Some(Severity::Error) => GpuState::Failed,
        Some(Severity::Unknown) => GpuState::Undecided,
        _ if !exercised => GpuState::Seen,
        _ if busy => GpuState::Busy,
        _ => GpuState::Verified,
    }
}

fn level(run: Option<&ProbeRun>) -> Level {
    let Some(run) = run else { return Level::Driver };
    if !run.smoke().any(|smoke| smoke.is_right() && smoke.covers_all()) {
        return Level::Driver;
    }
    let exact = run.gemm().all(|case| case.verdict.is_exact());
    let multiplied = run.outcome(Stage::Gemm) == Some(&Outcome::Passed) && exact;
    if multiplied { Level::Gemm } else { Level::Smoke }
}
