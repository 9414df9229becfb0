//! Gathers facts: a container, its GPUs alone, or an image at rest. This module decides order and concurrency, `facts`
//! and `image-audit` what is read, `checks` what it means.

mod background_census;

use std::cell::OnceCell;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use image_audit::loader::Resolution;
use image_audit::tree::{Entry, is_running};
use image_audit::{Audit, Source, is_archive};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use protocol::Libraries;

use crate::cli::{Depth, Image, Verify, Watch};
use crate::facts::event::Device;
use crate::facts::host::{self, Host};
use crate::facts::probe::ProbeRun;
use crate::facts::{Facts, Request};
use crate::model::{GpuSelector, Level};
use crate::supervise;
use background_census::BackgroundCensus;

/// This container, to the requested level.
pub fn container(options: &Verify, deadline: Instant) -> Result<Facts> {
    let request = Request {
        level: options.level,
        timeout_seconds: options.timeout.as_secs_f64(),
        require_gpus: options.require_gpus,
        gpus: options.gpus.clone(),
        accepted: options.accepted.clone(),
        today: Some(today()),
        running: true,
        ..Request::default()
    };
    let mut host = host::gather();
    // The survey needs no census, so both run at once; only the libraries wait for it.
    let census = BackgroundCensus::start(&host, deadline);
    let probes = probe(options.level, &options.gpus, deadline, &host, &|| census.libraries(deadline));
    refuse_unknown_gpus(&options.gpus, &probes)?;
    let census = census.finish(deadline)?;
    host.limits.count_oom_kills();
    Ok(Facts { request, host, census, image: None, probes })
}

/// The GPUs of this container alone, as quickly as possible: no census, unless libraries are to be loaded.
pub fn watch(options: &Watch, deadline: Instant) -> Result<Facts> {
    let request = Request {
        level: options.level,
        timeout_seconds: options.timeout.as_secs_f64(),
        require_gpus: options.require_gpus,
        gpus: options.gpus.clone(),
        running: true,
        ..Request::default()
    };
    let mut host = host::gather();
    let census = OnceCell::new();
    let libraries = || census.get_or_init(|| BackgroundCensus::start(&host, deadline)).libraries(deadline);
    let probes = probe(options.level, &options.gpus, deadline, &host, &libraries);
    let census = census.into_inner().map(|census| census.finish(deadline)).transpose()?.unwrap_or_default();
    host.limits.count_oom_kills();
    Ok(Facts { request, host, census, image: None, probes })
}

/// An audit has no deadline of its own; a tree that takes longer is on a dead file system.
const PATIENCE: Duration = Duration::from_secs(3600);

/// An image at rest.
pub fn image(options: &Image) -> Result<Facts> {
    let (source, host) = source(options)?;
    let request = Request {
        running: is_running(&options.what),
        level: Level::Image,
        arch: options.arch.clone(),
        max_redundant: options.max_redundant,
        machines: options.machines.clone(),
        accepted: options.accepted.clone(),
        today: Some(today()),
        ..Request::default()
    };
    let census = source.census();
    Ok(Facts { request, host, census, image: source.image, probes: Vec::new() })
}

/// The files and links of an image.
pub fn listing(options: &Image) -> Result<Vec<Entry>> {
    Ok(source(options)?.0.tree.listing())
}

/// What the image's loader loads for one object or for all.
pub fn loads(options: &Image, wanted: &str) -> Result<Vec<Resolution>> {
    let (source, _) = source(options)?;
    if wanted == "all" {
        return Ok(source.resolve_all());
    }
    let one = source.resolve(wanted);
    one.map(|one| vec![one])
        .with_context(|| format!("{wanted} is not a program or library in the image; paths begin with /"))
}

/// Reads what is to be audited.
fn source(options: &Image) -> Result<(Source, Host)> {
    let what = options.what.as_path();
    let host = if is_running(&options.what) { host::gather() } else { Host::default() };
    let level = match options.level {
        Depth::Census => image_audit::Level::Census,
        Depth::Full => image_audit::Level::Full,
    };
    let mut environment = host.loader_environment();
    for (name, value) in &options.environment {
        match name.as_str() {
            "LD_LIBRARY_PATH" => environment.library_path = Some(value.clone()),
            "LD_PRELOAD" => environment.preload = Some(value.clone()),
            // The command line accepts no others.
            _ => {}
        }
    }
    let name = what.display();
    let kind = what.metadata().map(|metadata| metadata.file_type());
    if kind.is_ok_and(|kind| !kind.is_dir() && !kind.is_file()) {
        bail!(
            "{name} is neither a directory nor a file; to read an archive from a pipe, use: cudacheck image -"
        );
    }
    let audit = |audit: Audit| audit.level(level).environment(environment).mounts(&host.mounts);
    let source = if what == Path::new("-") || is_archive(what) {
        let archive = if what == Path::new("-") { Audit::stdin() } else { Audit::archive(what) };
        let archive = options.image.iter().fold(archive, |archive, image| archive.image(image));
        audit(archive).read()?
    } else {
        let end = Instant::now() + PATIENCE;
        audit(Audit::directory(what)).deadline(end).read()?
    };
    Ok((source, host))
}

/// In UTC.
fn today() -> Date {
    Offset::UTC.to_datetime(Timestamp::now()).date()
}

fn probe(
    level: Level,
    gpus: &[GpuSelector],
    deadline: Instant,
    host: &Host,
    libraries: &dyn Fn() -> Libraries,
) -> Vec<ProbeRun> {
    if level == Level::Image {
        return Vec::new();
    }
    let opened = |node: &&host::Node| {
        matches!(node.path.as_str(), "/dev/nvidiactl" | "/dev/nvidia-uvm") || node.is_gpu()
    };
    let nodes = host.nodes.iter().filter(opened).map(|node| node.path.clone()).collect();
    supervise::probe(&supervise::Plan {
        nodes,
        driver: level >= Level::Driver,
        smoke: level >= Level::Smoke,
        gemm: level >= Level::Gemm,
        chosen: &|device| gpus.is_empty() || gpus.iter().any(|gpu| gpu.names(device.ordinal, &device.uuid)),
        libraries,
        deadline,
    })
}

/// A GPU that --gpus names and that does not exist is wrong usage, unless no GPU is listed at all.
fn refuse_unknown_gpus(gpus: &[GpuSelector], probes: &[ProbeRun]) -> Result<()> {
    let devices: Vec<&Device> = probes.iter().flat_map(ProbeRun::devices).collect();
    if devices.is_empty() {
        return Ok(());
    }
    let exists = |gpu: &&GpuSelector| devices.iter().any(|device| gpu.names(device.ordinal, &device.uuid));
    if let Some(gpu) = gpus.iter().find(|gpu| !exists(gpu)) {
        let known: Vec<String> =
            devices.iter().map(|device| format!("{} (GPU-{})", device.ordinal, device.uuid)).collect();
        bail!("there is no GPU {} here; --gpus takes one of: {}", gpu, known.join(", "));
    }
    Ok(())
}
