//! Fills the report from facts and findings. What is decided here is the verdict, nothing else.

use super::{
    Driver, Finding, Foretold, Gpu, GpuState, Image, Leftover, Loaded, Package, Report, SCHEMA, Severity,
    Speed, StageOutcome, StageTime, Status, Verdict, peak, predict, savings,
};
use crate::checks::{Judgement, judge_libraries};
use crate::event::{Event, GemmVerdict, NvmlDevice, Outcome, Stage};
use crate::facts::Facts;
use crate::facts::chosen;
use crate::facts::contents::LeftoverFound;
use crate::facts::packages::{self, Owner};
use crate::facts::probe::{self, Ending, ProbeRun, Target};

/// The levels by name, in order.
const LEVELS: [&str; 5] = ["image", "nvml", "driver", "smoke", "gemm"];

pub fn assemble(facts: &Facts, judgement: Judgement, seconds: f64) -> Report {
    let Judgement { mut findings, accepted, skipped } = judgement;
    let predictions = predict::predictions(facts, &mut findings);
    let gpus = gpus(facts, &findings);
    let at_rest = !facts.request.running || facts.request.level == LEVELS[0];
    let libraries = judge_libraries(&facts.census, at_rest);
    let of_machines = predictions.iter().flat_map(|prediction| &prediction.findings);
    let verdict = match findings.iter().chain(of_machines).map(|finding| finding.severity).max() {
        Some(Severity::Error) => Verdict::Failed,
        Some(Severity::Unknown) => Verdict::Undecided,
        _ if facts.request.level == LEVELS[0] => Verdict::Audited,
        _ => Verdict::Verified,
    };
    let exercised = gpus.iter().filter(|gpu| gpu.state != GpuState::Seen);
    let level = exercised.map(|gpu| rank(&gpu.level)).min().map_or("image", |rank| LEVELS[rank]);
    let mut report = Report {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        verdict,
        level: level.to_owned(),
        requested: facts.request.level.clone(),
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

fn rank(level: &str) -> usize {
    LEVELS.iter().position(|known| *known == level).unwrap_or(0)
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
            let ranks =
                report.gpus.iter().filter(|gpu| gpu.state == GpuState::Verified).map(|gpu| rank(&gpu.level));
            let what = match LEVELS[ranks.min().unwrap_or(0)] {
                "nvml" => format!("{} healthy by NVML's account", verb(verified, "is", "are")),
                "driver" => format!("{} listed by CUDA", verb(verified, "is", "are")),
                "smoke" => {
                    format!("{}: every multiprocessor computes right", verb(verified, "works", "work"))
                }
                _ => format!(
                    "{}: every multiprocessor computes right, cuBLAS is exact",
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
        of.map(|prediction| prediction.node.as_str()).collect()
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
    let nvml: Vec<&NvmlDevice> =
        facts.probes.iter().flat_map(|run| run.nvml_devices()).map(AsRef::as_ref).collect();
    let mut gpus: Vec<Gpu> = Vec::new();
    for device in facts.probes.iter().flat_map(ProbeRun::devices) {
        if gpus.iter().any(|gpu| gpu.ordinal == Some(device.ordinal)) {
            continue;
        }
        let health = nvml.iter().find(|gpu| probe::is_device(gpu, device)).map(|gpu| (*gpu).clone());
        let run = facts.probes.iter().find(|run| run.target == Target::Gpu(device.ordinal));
        let speed = run.into_iter().flat_map(ProbeRun::gemm).filter_map(|case| {
            let tflops = case.flops? / 1e12;
            let peak_tflops = peak::tflops(&device.name, &case.format, device.sms, device.clock);
            let peak_share = peak_tflops.map(|peak| tflops / peak);
            Some(Speed {
                format: case.format.clone(),
                size: [case.m, case.n, case.k],
                tflops,
                peak_tflops,
                peak_share,
            })
        });
        let named = chosen::is_named(facts, device);
        let exercised = run.is_some() || rank(&facts.request.level) <= rank("driver") && named;
        gpus.push(Gpu {
            index: health.as_ref().map(|gpu| gpu.index),
            ordinal: Some(device.ordinal),
            name: device.name.clone(),
            // The driver gives bare bytes; the prefix is NVML's to know.
            uuid: health
                .as_ref()
                .map_or_else(|| format!("GPU-{}", device.uuid), |gpu| uuid_of(gpu, &device.uuid)),
            pci: Some(device.pci.clone()),
            capability: Some(format!("{}.{}", device.capability.0, device.capability.1)),
            multiprocessors: u32::try_from(device.sms).ok(),
            memory: Some(device.memory),
            state: state(findings, device.ordinal, exercised),
            level: level(run).to_owned(),
            smoke: run.and_then(|run| run.smoke().next().cloned()),
            runtime: run.and_then(|run| run.runtime().next().cloned()),
            blas: run.and_then(|run| run.blas().next().cloned()),
            gemm: run.into_iter().flat_map(ProbeRun::gemm).cloned().collect(),
            speed: speed.collect(),
            cupti: run.and_then(|run| run.cupti().next().cloned()),
            health,
        });
    }
    let devices: Vec<_> = facts.probes.iter().flat_map(ProbeRun::devices).collect();
    for gpu in nvml.iter().filter(|gpu| !devices.iter().any(|device| probe::is_device(gpu, device))) {
        let text = |field: &crate::event::Field<String>| field.known().cloned().unwrap_or_default();
        gpus.push(Gpu {
            index: Some(gpu.index),
            ordinal: None,
            name: text(&gpu.name),
            uuid: text(&gpu.uuid),
            pci: gpu.pci.known().cloned(),
            memory: gpu.memory_total.known().copied(),
            // With devices of CUDA in the report, NVML's index is not a number of findings.
            state: if devices.is_empty() {
                let chosen = facts.request.level == "nvml" && chosen::number(facts, gpu).is_some();
                state(findings, gpu.index, chosen)
            } else {
                GpuState::Seen
            },
            level: "nvml".to_owned(),
            health: Some((*gpu).clone()),
            ..blank()
        });
    }
    // One that NVML counts and that does not answer has nothing but its number. Those of other containers, which
    // NVML may count as well, are nobody's matter here.
    let told = |index: &u32| findings.iter().any(|finding| finding.gpu == Some(*index));
    let silent = |index: &u32| devices.is_empty() && !nvml.iter().any(|gpu| gpu.index == *index);
    for index in lost(facts).filter(|index| told(index) && silent(index)) {
        let state = state(findings, index, true);
        gpus.push(Gpu { index: Some(index), name: "does not answer".to_owned(), state, ..blank() });
    }
    gpus
}

/// NVML's indices of GPUs about which a call has failed.
fn lost(facts: &Facts) -> impl Iterator<Item = u32> {
    facts.probes.iter().flat_map(|run| &run.events).filter_map(|event| match event {
        Event::Left { stage: Stage::NvmlDevice, gpu, outcome: Outcome::Failed(_), .. } => *gpu,
        _ => None,
    })
}

/// A GPU of which nothing is known.
fn blank() -> Gpu {
    Gpu {
        index: None,
        ordinal: None,
        name: String::new(),
        uuid: String::new(),
        pci: None,
        capability: None,
        multiprocessors: None,
        memory: None,
        state: GpuState::Seen,
        level: LEVELS[0].to_owned(),
        health: None,
        smoke: None,
        runtime: None,
        blas: None,
        gemm: Vec::new(),
        speed: Vec::new(),
        cupti: None,
    }
}

fn uuid_of(gpu: &NvmlDevice, bare: &str) -> String {
    let uuids =
        gpu.mig_devices.iter().map(|mig| &mig.uuid).chain([&gpu.uuid]).filter_map(|uuid| uuid.known());
    uuids.into_iter().find(|uuid| uuid.ends_with(bare)).cloned().unwrap_or_else(|| bare.to_owned())
}

fn state(findings: &[Finding], number: u32, exercised: bool) -> GpuState {
    let worst =
        findings.iter().filter(|finding| finding.gpu == Some(number)).map(|finding| finding.severity).max();
    let busy = findings.iter().any(|finding| finding.gpu == Some(number) && finding.id == "device.busy");
    match worst {
        Some(Severity::Error) => GpuState::Failed,
        Some(Severity::Unknown) => GpuState::Undecided,
        _ if !exercised => GpuState::Seen,
        _ if busy => GpuState::Busy,
        _ => GpuState::Verified,
    }
}

fn level(run: Option<&ProbeRun>) -> &'static str {
    let Some(run) = run else { return "driver" };
    let right = run
        .smoke()
        .any(|smoke| smoke.words_wrong == 0 && smoke.sums_right && smoke.sms_covered >= smoke.sms_present);
    if !right {
        return "driver";
    }
    let exact = |verdict: &GemmVerdict| matches!(verdict, GemmVerdict::Exact | GemmVerdict::NotTf32);
    let multiplied =
        run.outcome(Stage::Gemm) == Some(&Outcome::Passed) && run.gemm().all(|case| exact(&case.verdict));
    if multiplied { "gemm" } else { "smoke" }
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
        let of = match run.target {
            Target::Gpu(ordinal) => Some(ordinal),
            Target::Survey => None,
        };
        for event in &run.events {
            let Event::Left { stage, gpu, seconds, outcome } = event else { continue };
            let (outcome, reason) = match outcome {
                Outcome::Passed => (StageOutcome::Passed, None),
                Outcome::Failed(fault) => {
                    (StageOutcome::Failed, Some(format!("{}: {}", fault.call, fault.detail)))
                }
                Outcome::Skipped(why) => (StageOutcome::Skipped, Some(why.clone())),
            };
            stages.push(StageTime { name: *stage, gpu: gpu.or(of), seconds: *seconds, outcome, reason });
        }
        let hung = matches!(run.ending, Ending::TimedOut { .. }) || run.finished();
        for (stage, call, gpu) in run.open_calls().into_iter().filter(|_| hung) {
            let reason = Some(format!("{call} did not return"));
            stages.push(StageTime {
                name: stage,
                gpu: gpu.or(of),
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
        flavour: census.flavour.clone(),
        assumptions: assumptions(facts),
        device_code: census.device_code.clone(),
        packages: census.packages.iter().map(package).collect(),
        leftovers: census.leftovers.iter().map(leftover).collect(),
        layers: of_archive.map(|image| image.layers.clone()).unwrap_or_default(),
        hidden: of_archive.map(|image| image.hidden.clone()).unwrap_or_default(),
        redundant_bytes: redundant.filter_map(|copy| copy.bytes).sum(),
        unreadable: census.unreadable.clone(),
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
    let Owner { manager, name, version } = package.owner.clone();
    let remove = savings::remove(manager, &name);
    Package { manager, name, version, bytes: package.bytes, files: package.files, remove }
}

fn leftover(found: &LeftoverFound) -> Leftover {
    let owner = found.owner.as_ref().map(|owner| format!("{} {}", owner.name, owner.version));
    Leftover { kind: found.kind, place: found.place.clone(), bytes: found.bytes, files: found.files, owner }
}
