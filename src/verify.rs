//! The three ways to a report: a container, its health, an image at rest. Order and concurrency are
//! decided here; what is looked at and judged is not.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::cli::{Depth, Gpu, Health, Image, Verify, Watch};
use crate::facts::event::Device;
use crate::facts::host::Host;
use crate::facts::probe::ProbeRun;
use crate::facts::saved::{self, Saved};
use crate::facts::{Facts, Request, app_libraries, host};
use crate::model::Level;
use crate::report::{Report, assemble};
use crate::{checks, supervise};
use image_audit::loader::{Environment, Resolution};
use image_audit::tree::{Entry, is_running};
use image_audit::{Audit, Census, Source, is_archive};
use protocol::Libraries;

pub fn container(options: &Verify) -> Result<Report> {
    if let Some(file) = &options.saved.from_facts {
        let accepted = options.config.as_ref().map(|_| options.accepted.clone());
        return again(file, |request| {
            request.require_gpus = options.require_gpus.or(request.require_gpus);
            request.accepted = accepted.unwrap_or_else(|| std::mem::take(&mut request.accepted));
        });
    }
    let saving = saving(options.saved.save_facts.as_deref())?;
    let start = Instant::now();
    let request = Request {
        level: options.level,
        timeout_seconds: options.timeout.as_secs_f64(),
        require_gpus: options.require_gpus,
        gpus: options.gpus.iter().map(spelled).collect(),
        accepted: options.accepted.clone(),
        today: today(),
        running: true,
        ..Request::default()
    };
    let deadline = start + options.timeout;
    let mut host = host::gather();
    // The survey needs no census, so both are taken at once; only libraries wait for it.
    let census = CensusInProgress::start(&host, deadline);
    let probes = probe(options.level, &options.gpus, deadline, &host, &|| census.libraries(deadline));
    refuse_unknown_gpus(&options.gpus, &probes)?;
    let census = census.finish(deadline)?;
    host.count_kills();
    judge(&Facts { request, host, census, image: None, probes }, start, saving)
}

pub fn health(options: &Health) -> Result<Report> {
    let saving = saving(options.save_facts.as_deref())?;
    let start = Instant::now();
    let facts = look(&options.watch, start + options.watch.timeout)?;
    judge(&facts, start, saving)
}

/// One look of `serve`.
pub fn watch(options: &Watch) -> Result<Report> {
    let start = Instant::now();
    let facts = look(options, start + options.timeout)?;
    judge(&facts, start, None)
}

/// No census, unless libraries are to be loaded: a health check says whether the GPU works, as
/// quickly as it can.
fn look(options: &Watch, deadline: Instant) -> Result<Facts> {
    let request = Request {
        level: options.level,
        timeout_seconds: options.timeout.as_secs_f64(),
        require_gpus: options.require_gpus,
        gpus: options.gpus.iter().map(spelled).collect(),
        running: true,
        ..Request::default()
    };
    let mut host = host::gather();
    let census = OnceCell::new();
    let libraries = || census.get_or_init(|| CensusInProgress::start(&host, deadline)).libraries(deadline);
    let probes = probe(options.level, &options.gpus, deadline, &host, &libraries);
    let census = census.into_inner().map(|census| census.finish(deadline)).transpose()?.unwrap_or_default();
    host.count_kills();
    Ok(Facts { request, host, census, image: None, probes })
}

/// A census of the running root in a thread of its own, which a dead file system may hold for ever:
/// it is never waited for beyond the deadline.
struct CensusInProgress {
    receiver: Receiver<Result<Census, image_audit::Error>>,
    taken: OnceCell<Result<Census, image_audit::Error>>,
}

/// What the census leaves to judgement and output, of the caller's time.
const RESERVE: Duration = Duration::from_millis(40);

impl CensusInProgress {
    fn start(host: &Host, deadline: Instant) -> Self {
        let environment = environment(host);
        let (mounts, (sender, receiver)) = (host.mounts.clone(), channel());
        let errors = sender.clone();
        let take = move || {
            // Nobody may wait for it any more.
            let end = deadline - 2 * RESERVE;
            let audit = Audit::directory("/").environment(environment).mounts(&mounts).deadline(end);
            drop(sender.send(audit.run()));
        };
        if let Err(error) = thread::Builder::new().spawn(take) {
            let reason = format!("not read because no thread could be started: {error}");
            drop(errors.send(Ok(Census::interrupted("/", reason))));
        }
        CensusInProgress { receiver, taken: OnceCell::new() }
    }

    fn wait(&self, end: Instant) -> Option<&Result<Census, image_audit::Error>> {
        if self.taken.get().is_none() {
            let result = self.receiver.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
            let _ = self.taken.set(result);
        }
        self.taken.get()
    }

    /// What the application would load. The devices wait for it, but not for more than half of the
    /// time that is left: the loader's own choice is there without a census.
    fn libraries(&self, deadline: Instant) -> Libraries {
        let now = Instant::now();
        match self.wait(now + deadline.saturating_duration_since(now) / 2) {
            Some(Ok(census)) => app_libraries::libraries(census, supervise::LOADER),
            _ => Libraries::default(),
        }
    }

    fn finish(self, deadline: Instant) -> Result<Census> {
        if self.wait(deadline - RESERVE).is_none() {
            return Ok(Census::interrupted("/", "not read before the deadline"));
        }
        self.taken.into_inner().expect("it was waited for").context("cannot list the root directory")
    }
}

/// An audit has no deadline of its own; a tree that takes longer is on a file system that has died.
const PATIENCE: Duration = Duration::from_secs(3600);

pub fn image(options: &Image) -> Result<Report> {
    if let Some(file) = &options.saved.from_facts {
        let accepted = options.config.as_ref().map(|_| options.accepted.clone());
        return again(file, |request| {
            if !options.arch.is_empty() {
                request.arch.clone_from(&options.arch);
            }
            request.max_redundant = options.max_redundant.or(request.max_redundant);
            if !options.machines.is_empty() {
                request.machines.clone_from(&options.machines);
            }
            request.accepted = accepted.unwrap_or_else(|| std::mem::take(&mut request.accepted));
        });
    }
    let saving = saving(options.saved.save_facts.as_deref())?;
    let start = Instant::now();
    let (source, host) = source(options)?;
    let request = Request {
        running: is_running_root(options),
        level: Level::Image,
        arch: options.arch.clone(),
        max_redundant: options.max_redundant,
        machines: options.machines.clone(),
        accepted: options.accepted.clone(),
        today: today(),
        ..Request::default()
    };
    let census = source.census();
    judge(&Facts { request, host, census, image: source.image, probes: Vec::new() }, start, saving)
}

/// The files and links of an image.
pub fn listing(options: &Image) -> Result<Vec<Entry>> {
    Ok(source(options)?.0.tree.listing())
}

/// What the image's loader loads for one object or for all.
pub fn loads(options: &Image, wanted: &str) -> Result<Vec<Resolution>> {
    let (source, _) = source(options)?;
    source
        .resolve(wanted)
        .with_context(|| format!("{wanted} is no program or library of the image; paths begin with /"))
}

fn is_running_root(options: &Image) -> bool {
    is_running(&options.what)
}

/// Reads what is to be audited.
fn source(options: &Image) -> Result<(Source, Host)> {
    let what = options.what.as_path();
    let host = if is_running_root(options) { host::gather() } else { Host::default() };
    let level =
        if options.level == Depth::Full { image_audit::Level::Full } else { image_audit::Level::Census };
    let mut environment = environment(&host);
    for (name, value) in &options.environment {
        match name.as_str() {
            "LD_LIBRARY_PATH" => environment.library_path = Some(value.clone()),
            "LD_PRELOAD" => environment.preload = Some(value.clone()),
            // The command line takes no others.
            _ => {}
        }
    }
    let name = what.display();
    let kind = what.metadata().map(|metadata| metadata.file_type());
    if kind.is_ok_and(|kind| !kind.is_dir() && !kind.is_file()) {
        bail!(
            "{name} is neither a directory nor a file; an archive from a pipe is read as: cudacheck image -"
        );
    }
    let audit = |audit: Audit| audit.level(level).environment(environment).mounts(&host.mounts);
    let source = if what == Path::new("-") || is_archive(what) {
        let archive = if what == Path::new("-") { Audit::stdin() } else { Audit::archive(what) };
        let archive = options.image.iter().fold(archive, |archive, image| archive.image(image));
        audit(archive).read().with_context(|| format!("cannot read {name} as an image archive"))?
    } else {
        let end = Instant::now() + PATIENCE;
        audit(Audit::directory(what)).deadline(end).read().with_context(|| {
            format!("cannot list {name}: name a root directory, an image archive (docker save), an OCI layout, or -")
        })?
    };
    Ok((source, host))
}

/// The date in UTC, as in 2026-11-24.
fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date(i64::try_from(since.as_secs() / 86_400).unwrap_or_default())
}

/// The day that many days after 1970-01-01, by the calendar's cycle of 400 years.
fn date(days: i64) -> String {
    let shifted = days + 719_468;
    let (cycle, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    // Years begin in March here, so that the leap day comes last.
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let (month, early) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", year + cycle * 400 + early)
}

fn environment(host: &Host) -> Environment {
    let variable = |name| host.environment.get(name).cloned();
    let (library_path, preload) = (variable("LD_LIBRARY_PATH"), variable("LD_PRELOAD"));
    Environment { library_path, preload, working_directory: "/".to_owned() }
}

/// Judges, and saves what was judged where that is wanted.
fn judge(facts: &Facts, start: Instant, saving: Option<&Path>) -> Result<Report> {
    let report = assemble(facts, checks::judge(facts), start.elapsed().as_secs_f64());
    if let Some(file) = saving {
        saved::save(file, facts, report.seconds)?;
    }
    Ok(report)
}

/// Judges facts of another time and place. What was asked for then is asked for now, but for what `change`
/// says; the day on which acceptance ends is that of the facts.
fn again(file: &Path, change: impl FnOnce(&mut Request)) -> Result<Report> {
    let Saved { mut facts, seconds } = saved::read(file)?;
    change(&mut facts.request);
    Ok(assemble(&facts, checks::judge(&facts), seconds))
}

/// Where facts are to be saved, refused before a minute's work is lost.
fn saving(file: Option<&Path>) -> Result<Option<&Path>> {
    file.map(saved::refuse_unwritable).transpose()?;
    Ok(file)
}

fn probe(
    level: Level,
    gpus: &[Gpu],
    deadline: Instant,
    host: &Host,
    libraries: &dyn Fn() -> Libraries,
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
    path.strip_prefix("/dev/nvidia")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
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
    if let Some(gpu) = gpus.iter().find(|gpu| !devices.iter().any(|device| is(gpu, device))) {
        let known: Vec<String> =
            devices.iter().map(|device| format!("{} (GPU-{})", device.ordinal, device.uuid)).collect();
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

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        let cases = [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_781, "2026-11-24")];
        for (days, date) in cases {
            assert_eq!(super::date(days), date);
        }
    }
}
