//! Fills the report from facts and findings, and decides the verdict.

use super::{
    Driver, GpuState, Image, Leftover, Loaded, Package, PackageName, Report, SCHEMA, StageOutcome, StageTime,
    Verdict, gpus, library, predict, savings, summary,
};
use crate::checks::Judgement;
use crate::facts::Facts;
use crate::facts::event::{Event, Outcome};
use crate::facts::probe::Ending;
use crate::facts::target_machine::known;
use crate::model::{Level, Severity, Stage, words};
use image_audit::census::Distribution;
use image_audit::leftovers::LeftoverFound;
use image_audit::packages::{self, PackageId};

pub fn assemble(facts: &Facts, judgement: Judgement, seconds: f64) -> Report {
    let Judgement { mut findings, accepted, skipped, image_faults, machines } = judgement;
    let predictions = predict::predictions(machines, &image_faults, &mut findings);
    let gpus = gpus::gpus(facts, &findings);
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
        tables_checked: (!predictions.is_empty()).then(|| known::checked().to_string()),
        predictions,
        findings,
        accepted,
        skipped,
        gpus,
        libraries,
        seconds,
    };
    report.summary = summary::summary(&report);
    report
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
        cuda: cuda.map(words::cuda),
    })
}

fn loaded(facts: &Facts) -> Vec<Loaded> {
    let mut loaded: Vec<Loaded> = Vec::new();
    for event in facts.probes.iter().flat_map(|run| &run.events) {
        if let Event::Library { name, path, also, .. } = event {
            let library = Loaded { library: name.clone(), path: path.clone(), also: also.clone() };
            // Probes usually load the same files; only different ones get another line.
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
        host: facts.request.running && facts.host.platform.container.is_none(),
        python_site: census.python_site,
        entries: census.entries,
        elf_files: census.elf_files,
        bytes: census.bytes,
        seconds: census.seconds,
        distribution: census.distribution.as_ref().map(Distribution::to_string),
        flavor: (&census.flavor).into(),
        assumptions: assumptions(facts),
        frameworks: census.frameworks.iter().map(Into::into).collect(),
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

/// What the verdict "redundant" assumes.
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
        "libraries loaded by name show in read-only data, code, search paths, Python packages or their metadata, or are known \
         conventions"
    } else {
        "no library is loaded by name (strings and Python sources were not read)"
    };
    vec![
        format!(
            "any of the {} other ELF files may run",
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
    Leftover {
        kind: found.kind.into(),
        place: found.place.clone(),
        bytes: found.bytes,
        files: found.files,
        package: found.package.as_ref().map(PackageName::from),
    }
}
