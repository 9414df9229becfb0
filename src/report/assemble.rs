//! Fills the report from facts and findings. What is decided here is the verdict, nothing else.

use super::{
    Driver, Finding, Foretold, Gpu, GpuState, Image, Leftover, Loaded, Package, Report, SCHEMA, Speed,
    StageOutcome, StageTime, Status, Verdict, library, peak, predict, savings,
};
use crate::checks::Judgement;
use crate::facts::Facts;
use crate::facts::event::{Device, Event, GemmCase, GemmVerdict, Outcome};
use crate::facts::gpu_selection;
use crate::facts::probe::{self, Ending, ProbeRun, Target};
use crate::model::{GpuRef, Level, Severity, Stage};
use image_audit::leftovers::LeftoverFound;
use image_audit::packages::{self, PackageId};

pub fn assemble(facts: &Facts, judgement: Judgement, seconds: f64) -> Report {
    let Judgement { mut findings, accepted, skipped } = judgement;
    let predictions = predict::predictions(facts, &mut findings);
    let gpus = gpus(facts, &findings);
    let at_rest = !facts.request.running || facts.request.level == Level::Image;
    let libraries = library::libraries(&facts.census, at_rest);
    let of_machines = predictions.iter().flat_map(|prediction| &prediction.findings);
    let verdict = match findings.iter().chain(of_machines).map(|finding| finding.severity).max() {
        Some(Severity::Error) => Verdict::Failed,
        Some(Severity::Unknown) => Verdict::Undecided,
        _ if facts.request.level == Level::Image => Verdict::Audited,
        _ => Verdict::Verified,
    };
    let exercised = gpus.iter().filter(|gpu| gpu.state != GpuState::Seen);
    let level = exercised.map(|gpu| gpu.level).min().unwrap_or(Level::Image);
    let mut report = Report {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        verdict,
        level,
        requested: facts.request.level,
        summary: String::new(),
        driver: driver(facts),
        loaded: loaded(facts),
        stages: stages(facts),
        image: image(facts, &libraries),
        savings: savings::savings(facts),
        predictions,
        findings,
        accepted,
        skipped,
        gpus,
        libraries,
        seconds,
    };
    report.summary = summary(&report);
    report
}

fn summary(report: &Report) -> String {
    let grave = report.findings.first().filter(|first| first.severity >= Severity::Unknown);
    if let (Some(first), true) = (grave, report.predictions.is_empty()) {
        return format!("{}.", first.title);
    }
    if !report.predictions.is_empty() {
        return foretold(report);
    }
    let count = |state| report.gpus.iter().filter(|gpu| gpu.state == state).count();
    let (verified, busy) = (count(GpuState::Verified), count(GpuState::Busy));
    let some = |number: usize| if number == 1 { "1 GPU".to_owned() } else { format!("{number} GPUs") };
    let verb =
        |number: usize, one: &str, more: &str| if number == 1 { one.to_owned() } else { more.to_owned() };
    match (verified, busy) {
        (0, 0) => {
            let of = |status| report.libraries.iter().filter(|library| library.status == status).count();
            let (present, redundant, missing) =
                (of(Status::Present), of(Status::Redundant), of(Status::Missing));
            format!(
                "CUDA libraries: {present} present, {redundant} with redundant copies, {missing} missing."
            )
        }
        (0, busy) => {
            format!("{} {} busy: verified to level {}.", some(busy), verb(busy, "is", "are"), report.level)
        }
        (verified, busy) => {
            // What all verified GPUs have passed; busy ones are told apart.
            let levels =
                report.gpus.iter().filter(|gpu| gpu.state == GpuState::Verified).map(|gpu| gpu.level);
            let what = match levels.min().unwrap_or(Level::Gemm) {
                Level::Image | Level::Nvml => {
                    format!("{} reported healthy by NVML", verb(verified, "is", "are"))
                }
                Level::Driver => format!("{} listed by CUDA", verb(verified, "is", "are")),
                Level::Smoke => {
                    format!("{}: every SM computes correctly", verb(verified, "works", "work"))
                }
                Level::Gemm => format!(
                    "{}: every SM computes correctly, cuBLAS is exact",
                    verb(verified, "works", "work")
                ),
            };
            let busy = if busy > 0 { format!("; {} more in use", some(busy)) } else { String::new() };
            format!("{} {what}{busy}.", some(verified))
        }
    }
}

fn foretold(report: &Report) -> String {
    let on = |wanted: &[Foretold]| -> Vec<&str> {
        let of = report.predictions.iter().filter(|prediction| wanted.contains(&prediction.verdict));
        of.map(|prediction| prediction.machine.as_str()).collect()
    };
    let parts = [
        ("works on", on(&[Foretold::Works, Foretold::WorksWithNotes])),
        ("fails on", on(&[Foretold::Fails])),
        ("cannot be told for", on(&[Foretold::Unknown])),
    ];
    let phrase = |(verb, nodes): &(&str, Vec<&str>)| match nodes.as_slice() {
        [] => None,
        [node] => Some(format!("{verb} {node}")),
        nodes => Some(format!("{verb} {} machines", nodes.len())),
    };
    format!("Prediction: {}.", parts.iter().filter_map(phrase).collect::<Vec<_>>().join(", "))
}

fn driver(facts: &Facts) -> Option<Driver> {
    let module = facts.host.module.as_ref();
    let nvml = facts.probes.iter().find_map(|run| run.nvml().next());
    let cuda = facts.probes.iter().find_map(|run| run.driver().next()).map(|driver| driver.cuda);
    let cuda = cuda.or(nvml.and_then(|nvml| nvml.cuda.known().copied()));
    if module.is_none() && nvml.is_none() && cuda.is_none() {
        return None;
    }
    Some(Driver {
        module: module.and_then(|module| module.version.clone()),
        open_module: module.map(|module| module.open),
        version: nvml.and_then(|nvml| nvml.driver.known().cloned()),
        cuda: cuda.map(|version| format!("{}.{}", version / 1000, version % 1000 / 10)),
    })
}

/// The driver's devices, then those that only NVML sees.
fn gpus(facts: &Facts, findings: &[Finding]) -> Vec<Gpu> {
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
            // What CUDA does not show of a machine whose other devices it shows is no concern of this container.
            state: if devices.is_empty() { state(findings, &id, chosen) } else { GpuState::Seen },
            level: Level::Nvml,
            health: Some(gpu.into()),
            ..blank(id)
        });
    }
    // One that NVML counts and that does not answer has nothing but its number. Those of other containers, which
    // NVML may count as well, are left out.
    let silent = |index: &u32| devices.is_empty() && !facts.nvml_devices().any(|gpu| gpu.index == *index);
    for index in lost(facts).filter(silent) {
        let id = facts.gpu_of_index(index);
        if findings.iter().any(|finding| concerns(finding, &id)) {
            let state = state(findings, &id, true);
            gpus.push(Gpu { name: "does not answer".to_owned(), state, ..blank(id) });
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

/// A GPU of which nothing is known.
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
    let busy = own().any(|finding| finding.id == "device.busy");
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
    let right = run
        .smoke()
        .any(|smoke| smoke.words_wrong == 0 && smoke.sums_right && smoke.sms_covered >= smoke.sms_present);
    if !right {
        return Level::Driver;
    }
    let exact = |verdict: &GemmVerdict| matches!(verdict, GemmVerdict::Exact | GemmVerdict::NotTf32);
    let multiplied =
        run.outcome(Stage::Gemm) == Some(&Outcome::Passed) && run.gemm().all(|case| exact(&case.verdict));
    if multiplied { Level::Gemm } else { Level::Smoke }
}

fn loaded(facts: &Facts) -> Vec<Loaded> {
    let mut loaded: Vec<Loaded> = Vec::new();
    for event in facts.probes.iter().flat_map(|run| &run.events) {
        if let Event::Library { name, path, also, .. } = event {
            let library = Loaded { library: name.clone(), path: path.clone(), also: also.clone() };
            // Each probe loads the same files; those that differ are worth a line of their own.
            if !loaded.iter().any(|known| (&known.library, &known.path) == (&library.library, &library.path))
            {
                loaded.push(library);
            }
        }
    }
    loaded
}

fn stages(facts: &Facts) -> Vec<StageTime> {
    let mut stages = Vec::new();
    for run in &facts.probes {
        let of = |stage: Stage, gpu: Option<u32>| {
            gpu.map(|gpu| facts.gpu_of_stage(stage, gpu)).or_else(|| facts.gpu_of_run(run))
        };
        for event in &run.events {
            let Event::Left { stage, gpu, seconds, outcome } = event else { continue };
            let (outcome, reason) = match outcome {
                Outcome::Passed => (StageOutcome::Passed, None),
                Outcome::Failed(fault) => {
                    (StageOutcome::Failed, Some(format!("{}: {}", fault.call, fault.detail)))
                }
                Outcome::Skipped(skip) => (StageOutcome::Skipped, Some(skip.to_string())),
            };
            let gpu = of(*stage, *gpu);
            stages.push(StageTime { name: *stage, gpu, seconds: *seconds, outcome, reason });
        }
        let hung = matches!(run.ending, Ending::TimedOut { .. }) || run.finished();
        for (stage, call, gpu) in run.open_calls().into_iter().filter(|_| hung) {
            let reason = Some(format!("{call} did not return"));
            stages.push(StageTime {
                name: stage,
                gpu: of(stage, gpu),
                seconds: run.seconds,
                outcome: StageOutcome::Hung,
                reason,
            });
        }
    }
    stages
}

fn image(facts: &Facts, libraries: &[super::Library]) -> Image {
    let copies = libraries.iter().flat_map(|library| &library.copies);
    let redundant = copies.filter(|copy| copy.verdict == super::CopyVerdict::Redundant);
    let census = &facts.census;
    let of_archive = facts.image.as_ref();
    Image {
        root: census.root.clone(),
        entries: census.entries,
        elf_files: census.elf_files,
        bytes: census.bytes,
        seconds: census.seconds,
        distribution: census.distribution.clone(),
        flavour: (&census.flavour).into(),
        assumptions: assumptions(facts),
        device_code: census.device_code.iter().map(Into::into).collect(),
        packages: census.packages.iter().map(package).collect(),
        leftovers: census.leftovers.iter().map(leftover).collect(),
        layers: of_archive.map(|image| image.layers.iter().map(Into::into).collect()).unwrap_or_default(),
        hidden: of_archive.map(|image| image.hidden.iter().map(Into::into).collect()).unwrap_or_default(),
        redundant_bytes: redundant.filter_map(|copy| copy.bytes).sum(),
        unreadable: census.unreadable.iter().map(ToString::to_string).collect(),
        skipped: census.skipped.clone(),
    }
}

/// What "redundant" is a promise under.
fn assumptions(facts: &Facts) -> Vec<String> {
    let census = &facts.census;
    if census.entries == 0 {
        return Vec::new();
    }
    let path = match &census.library_path {
        Some(path) => format!("programs run with LD_LIBRARY_PATH={path}"),
        None => "programs run without LD_LIBRARY_PATH".to_owned(),
    };
    let names = if census.full {
        "libraries that are loaded by name are named whole in read-only data or in Python sources, or belong to a known family"
    } else {
        "nothing is loaded by name: strings and Python sources were not read"
    };
    vec![
        format!(
            "all {} objects of the tree that are no CUDA libraries may run",
            census.elf_files.saturating_sub(census.copies.len() as u64)
        ),
        path,
        names.to_owned(),
    ]
}

fn package(package: &packages::PackageSize) -> Package {
    let PackageId { manager, name, version } = package.id.clone();
    let remove = savings::remove(manager, &name);
    Package { manager: manager.into(), name, version, bytes: package.bytes, files: package.files, remove }
}

fn leftover(found: &LeftoverFound) -> Leftover {
    let package = found.package.as_ref().map(|package| format!("{} {}", package.name, package.version));
    Leftover {
        kind: found.kind.into(),
        place: found.place.clone(),
        bytes: found.bytes,
        files: found.files,
        package,
    }
}
