//! The three ways to a report: a container, its health, an image at rest. Order and concurrency are
//! decided here; what is looked at and judged is not.

use std::cell::{OnceCell, RefCell};
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cli::{Gpu, Health, Level, Verify};
use crate::event::Device;
use crate::facts::probe::ProbeRun;
use crate::facts::{Facts, Request, application, census, host};
use crate::report::{Report, assemble};
use crate::{checks, supervise};

pub fn container(options: &Verify) -> Result<Report> {
    let start = Instant::now();
    let request = Request {
        level: name(options.level),
        timeout_seconds: options.timeout.as_secs_f64(),
        require_gpus: options.require_gpus,
        gpus: options.gpus.iter().map(spelled).collect(),
        running: true,
    };
    let mut facts = Facts { request, host: host::gather(), ..Facts::default() };
    let root = Path::new("/");
    let library_path = facts.host.environment.get("LD_LIBRARY_PATH").cloned().unwrap_or_default();
    let host = &facts.host;
    let (census, probes) = thread::scope(|scope| {
        // The survey needs no census, so both are taken at once; the devices' probes wait for it.
        let census = RefCell::new(Some(scope.spawn(|| census::take(root, &library_path, &host.mounts))));
        let taken = OnceCell::new();
        let take = || {
            taken.get_or_init(|| {
                let handle = census.borrow_mut().take().expect("taken once");
                handle.join().expect("the census does not panic")
            })
        };
        let libraries = || match take() {
            Ok(census) => application::libraries(census, supervise::LOADER),
            Err(_) => crate::event::Libraries::default(),
        };
        let probes = probe(options.level, &options.gpus, start + options.timeout, host, &libraries);
        take();
        (taken.into_inner().expect("just taken"), probes)
    });
    facts.census = census.context("cannot list the root directory")?;
    facts.probes = probes;
    refuse_unknown_gpus(&options.gpus, &facts.probes)?;
    Ok(judge(&facts, start))
}

/// No census: a health check says whether the GPU works, as quickly as it can.
pub fn health(options: &Health) -> Result<Report> {
    let start = Instant::now();
    let request = Request {
        level: name(options.level),
        timeout_seconds: options.timeout.as_secs_f64(),
        require_gpus: options.require_gpus,
        gpus: Vec::new(),
        running: true,
    };
    let host = host::gather();
    let library_path = host.environment.get("LD_LIBRARY_PATH").cloned().unwrap_or_default();
    let libraries = || match census::take(Path::new("/"), &library_path, &host.mounts) {
        Ok(census) => application::libraries(&census, supervise::LOADER),
        Err(_) => crate::event::Libraries::default(),
    };
    let probes = probe(options.level, &[], start + options.timeout, &host, &libraries);
    let facts = Facts { request, host: host.clone(), probes, ..Facts::default() };
    Ok(judge(&facts, start))
}

pub fn image(root: &Path) -> Result<Report> {
    let start = Instant::now();
    let running = root.canonicalize().is_ok_and(|root| root == Path::new("/"));
    let host = if running { host::gather() } else { host::Host::default() };
    let library_path = host.environment.get("LD_LIBRARY_PATH").cloned().unwrap_or_default();
    let census = census::take(root, &library_path, &host.mounts)
        .with_context(|| format!("cannot list {}: name a root directory that can be read", root.display()))?;
    let request = Request { running, level: name(Level::Image), ..Request::default() };
    Ok(judge(&Facts { request, host, census, probes: Vec::new() }, start))
}

fn judge(facts: &Facts, start: Instant) -> Report {
    assemble(facts, checks::judge(facts), start.elapsed().as_secs_f64())
}

fn probe(
    level: Level,
    gpus: &[Gpu],
    deadline: Instant,
    host: &host::Host,
    libraries: &dyn Fn() -> crate::event::Libraries,
) -> Vec<ProbeRun> {
    if level == Level::Image {
        return Vec::new();
    }
    let control = |path: &str| path == "/dev/nvidiactl" || path == "/dev/nvidia-uvm" || is_gpu_node(path);
    let nodes = host.nodes.iter().map(|node| node.path.clone()).filter(|path| control(path)).collect();
    supervise::probe(&supervise::Plan {
        nodes,
        driver: level >= Level::Driver,
        smoke: level >= Level::Smoke,
        gemm: level >= Level::Gemm,
        chosen: &|device| gpus.is_empty() || gpus.iter().any(|gpu| is(gpu, device)),
        libraries,
        deadline,
    })
}

/// `/dev/nvidia0`, and not `/dev/nvidia-modeset`.
fn is_gpu_node(path: &str) -> bool {
    path.strip_prefix("/dev/nvidia").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

fn is(gpu: &Gpu, device: &Device) -> bool {
    match gpu {
        Gpu::Index(index) => *index == device.ordinal,
        Gpu::Uuid(uuid) => uuid[4..] == device.uuid,
    }
}

/// A GPU that was named and does not exist is a mistake of the caller, unless nothing answered.
fn refuse_unknown_gpus(gpus: &[Gpu], probes: &[ProbeRun]) -> Result<()> {
    let devices: Vec<&Device> = probes.iter().flat_map(ProbeRun::devices).collect();
    if devices.is_empty() {
        return Ok(());
    }
    for gpu in gpus.iter().filter(|gpu| !devices.iter().any(|device| is(gpu, device))) {
        let known: Vec<String> = devices.iter().map(|device| format!("{} (GPU-{})", device.ordinal, device.uuid)).collect();
        bail!("there is no GPU {} here; --gpus takes one of: {}", spelled(gpu), known.join(", "));
    }
    Ok(())
}

fn spelled(gpu: &Gpu) -> String {
    match gpu {
        Gpu::Index(index) => index.to_string(),
        Gpu::Uuid(uuid) => uuid.clone(),
    }
}

fn name(level: Level) -> String {
    use clap::ValueEnum;
    level.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
