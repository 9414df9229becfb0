//! Facts for unit tests: a healthy machine, and one change at a time.
//!
//! `Sample::machine(2)` is a container on a machine with two healthy GPUs, verified to level gemm: no check but notes
//! finds anything there (a test of `checks/judge.rs` ensures that). Each method breaks one thing. `Sample::image()`
//! is an image at rest. `facts()` turns either into [`Facts`].

use image_audit::Verdict;
use image_audit::census::{Copy, Distribution, How, Origin, User};

use super::Facts;
use super::event::*;
use super::host::{Host, Module, Node};
use super::probe::{Ending, ProbeRun, Target};
use crate::model::{ComputeMode, Field, Level, Skip, Stage};

pub struct Sample {
    facts: Facts,
}

/// CUDA 12.4, as the driver and the runtime write it.
pub const CUDA: i32 = 12_040;

impl Sample {
    /// A container on a machine with `gpus` GPUs, all verified.
    pub fn machine(gpus: u32) -> Sample {
        let mut facts = Facts::default();
        facts.request.level = Level::Gemm;
        facts.request.running = true;
        facts.host = host(gpus);
        facts.census.full = true;
        facts.census.glibc = true;
        let mut survey = ProbeRun::new(Target::Survey);
        survey.events.push(Event::Hello { protocol: 2, pid: 7, libc: "2.36".into() });
        let nodes = facts.host.nodes.iter().map(|node| Event::Node { path: node.path.clone(), errno: None });
        survey.events.extend(nodes);
        survey.events.push(passed(Stage::NvmlInit, None));
        survey.events.push(Event::Nvml(NvmlSystem {
            driver: Field::Known("550.54.15".into()),
            nvml: Field::Known("12.550.54.15".into()),
            cuda: Field::Known(CUDA),
            gpus,
            confidential_ready: unavailable(),
        }));
        survey.events.extend((0..gpus).map(|index| Event::NvmlDevice(Box::new(nvml_device(index)))));
        survey.events.push(library("libcuda", "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15"));
        survey.events.push(passed(Stage::DriverInit, None));
        survey.events.push(Event::Driver(Driver { cuda: CUDA, devices: gpus }));
        survey.events.extend((0..gpus).map(|ordinal| Event::Device(device(ordinal))));
        survey.events.push(Event::Done);
        facts.probes.push(survey);
        facts.probes.extend((0..gpus).map(exercised));
        Sample { facts }
    }

    /// An image at rest, audited in full: nothing is run.
    pub fn image() -> Sample {
        let mut facts = Facts::default();
        facts.request.level = Level::Image;
        facts.census.full = true;
        facts.census.glibc = true;
        facts.census.entries = 1000;
        Sample { facts }
    }

    pub fn facts(self) -> Facts {
        self.facts
    }

    /// Any change of the facts.
    pub fn with(mut self, change: impl FnOnce(&mut Facts)) -> Sample {
        change(&mut self.facts);
        self
    }

    pub fn level(self, level: Level) -> Sample {
        self.with(|facts| {
            facts.request.level = level;
            // Stages above the requested level are not run.
            if level < Level::Smoke {
                facts.probes.retain(|run| run.target == Target::Survey);
            }
            if level < Level::Driver {
                let of_driver = |event: &Event| match event {
                    Event::Driver(_) | Event::Device(_) => true,
                    Event::Left { stage: Stage::DriverInit, .. } => true,
                    Event::Library { name, .. } => name == "libcuda",
                    _ => false,
                };
                facts.probes.iter_mut().for_each(|run| run.events.retain(|event| !of_driver(event)));
            }
        })
    }

    pub fn env(self, name: &str, value: &str) -> Sample {
        self.with(|facts| drop(facts.host.environment.insert(name.into(), value.into())))
    }

    pub fn host(self, change: impl FnOnce(&mut Host)) -> Sample {
        self.with(|facts| change(&mut facts.host))
    }

    /// What NVML reports about a GPU.
    pub fn nvml(self, index: u32, change: impl FnOnce(&mut NvmlDevice)) -> Sample {
        self.with(|facts| {
            let mut events = facts.probes.iter_mut().flat_map(|run| &mut run.events);
            let device = events.find_map(|event| match event {
                Event::NvmlDevice(device) if device.index == index => Some(device),
                _ => None,
            });
            change(device.expect("NVML lists it"));
        })
    }

    /// What CUDA reports about a device.
    pub fn device(self, ordinal: u32, change: impl FnOnce(&mut Device)) -> Sample {
        self.with(|facts| {
            let mut events = facts.probes.iter_mut().flat_map(|run| &mut run.events);
            let device = events.find_map(|event| match event {
                Event::Device(device) if device.ordinal == ordinal => Some(device),
                _ => None,
            });
            change(device.expect("CUDA lists it"));
        })
    }

    /// A stage of one GPU's probe fails, and nothing after it is run; a stage of the survey without a GPU.
    pub fn fault(self, gpu: Option<u32>, stage: Stage, fault: Fault) -> Sample {
        self.stop(gpu, stage, Outcome::Failed(fault))
    }

    /// A stage of one GPU's probe is not run.
    pub fn skip(self, ordinal: u32, stage: Stage, skip: Skip) -> Sample {
        self.stop(Some(ordinal), stage, Outcome::Skipped(skip))
    }

    fn stop(self, gpu: Option<u32>, stage: Stage, outcome: Outcome) -> Sample {
        self.run(gpu, |run| {
            let reaches = |event: &Event| match event {
                Event::Left { stage: other, .. } => *other >= stage,
                Event::NvmlDevice(_) => stage <= Stage::NvmlDevice,
                Event::Nvml(_) => stage <= Stage::NvmlInit,
                Event::Driver(_) | Event::Device(_) => stage <= Stage::Enumerate,
                Event::Smoke(_) => stage <= Stage::Compare,
                Event::Runtime(_) => stage <= Stage::Runtime,
                Event::Blas(_) => stage <= Stage::BlasInit,
                Event::GemmCase(_) => stage <= Stage::GemmTiming,
                Event::Cupti(_) => stage <= Stage::Cupti,
                _ => false,
            };
            // CUDA is queried after NVML, whatever NVML returned.
            let driver = stage >= Stage::LoadDriver;
            let goes = |event: &Event| match event {
                Event::Driver(_) | Event::Device(_) => driver && reaches(event),
                Event::Left { stage: other, .. } if *other >= Stage::LoadDriver => driver && reaches(event),
                event => reaches(event),
            };
            run.events.retain(|event| !goes(event) && *event != Event::Done);
            run.events.push(Event::Left { stage, gpu, seconds: 0.01, outcome });
            run.events.push(Event::Done);
        })
    }

    /// The probe of one GPU, or the survey.
    pub fn run(self, gpu: Option<u32>, change: impl FnOnce(&mut ProbeRun)) -> Sample {
        self.with(|facts| {
            let target = gpu.map_or(Target::Survey, Target::Gpu);
            change(facts.probes.iter_mut().find(|run| run.target == target).expect("there is such a probe"));
        })
    }

    /// One more event of the probe of one GPU, or of the survey.
    pub fn event(self, gpu: Option<u32>, event: Event) -> Sample {
        self.run(gpu, |run| run.events.insert(run.events.len().saturating_sub(1), event))
    }

    /// A call that was announced and did not return: the probe was ended at the deadline.
    pub fn hang(self, gpu: Option<u32>, stage: Stage, call: &str) -> Sample {
        let call = call.to_owned();
        self.run(gpu, |run| {
            run.events.retain(|event| !matches!(event, Event::Done));
            run.events.push(Event::Enter { stage, call, gpu });
            run.ending = Ending::TimedOut { reaped: true };
            run.seconds = 14.5;
        })
    }

    /// A copy of a library that a program is linked to.
    pub fn copy(self, copy: Copy) -> Sample {
        self.with(|facts| {
            facts.census.copies.push(copy);
            facts.census.elf_files += 1;
        })
    }
}

fn unavailable<T>() -> Field<T> {
    Field::Unavailable { unavailable: "NotSupported".into() }
}

pub fn passed(stage: Stage, gpu: Option<u32>) -> Event {
    Event::Left { stage, gpu, seconds: 0.01, outcome: Outcome::Passed }
}

pub fn library(name: &str, path: &str) -> Event {
    Event::Library { name: name.into(), asked: path.into(), path: path.into(), also: Vec::new() }
}

/// A call of the driver that returned a number.
pub fn fault(call: &str, code: i64) -> Fault {
    of_api(Api::Driver, call, code)
}

pub fn of_api(api: Api, call: &str, code: i64) -> Fault {
    Fault { api, call: call.into(), code: Some(code), name: None, detail: String::new() }
}

/// A library that the loader could not load.
pub fn not_loaded(detail: &str) -> Fault {
    Fault { api: Api::Loader, call: "dlopen".into(), code: None, name: None, detail: detail.into() }
}

fn host(gpus: u32) -> Host {
    let node =
        |path: &str, major, minor| Node { path: path.into(), mode: 0o666, uid: 0, gid: 0, major, minor };
    let mut nodes = vec![node("/dev/nvidia-uvm", 511, 0), node("/dev/nvidiactl", 195, 255)];
    nodes.extend((0..gpus).map(|minor| node(&format!("/dev/nvidia{minor}"), 195, minor)));
    Host {
        kernel: "6.1.0".into(),
        module: Some(Module {
            version: Some("550.54.15".into()),
            open: true,
            counters_admin_only: Some(false),
            hmm_disabled: Some(false),
        }),
        majors: [("nvidia".into(), 195), ("nvidia-uvm".into(), 511)].into(),
        nodes,
        environment: [
            ("NVIDIA_VISIBLE_DEVICES".into(), "all".into()),
            ("NVIDIA_DRIVER_CAPABILITIES".into(), "compute,utility".into()),
        ]
        .into(),
        glibc_loader: true,
        ld_cache: true,
        ..Host::default()
    }
}

/// The driver's form of a UUID.
fn uuid(gpu: u32) -> String {
    format!("00000000-0000-0000-0000-{gpu:012}")
}

fn nvml_device(index: u32) -> NvmlDevice {
    NvmlDevice {
        index,
        uuid: Field::Known(format!("GPU-{}", uuid(index))),
        name: Field::Known("NVIDIA H100 80GB HBM3".into()),
        pci: Field::Known(format!("00000000:{:02X}:00.0", index + 1)),
        memory_total: Field::Known(80 << 30),
        memory_free: Field::Known(79 << 30),
        memory_used: Field::Known(1 << 30),
        compute_mode: Field::Known(ComputeMode::Default),
        compute_processes: Field::Known(0),
        utilization_percent: Field::Known(0),
        persistence: Field::Known(true),
        ecc_enabled: Field::Known(true),
        ecc_uncorrected: Field::Known(0),
        ecc_corrected: Field::Known(0),
        remapped_rows: Field::Known(RemappedRows {
            correctable: 0,
            uncorrectable: 0,
            pending: false,
            failed: false,
        }),
        retired_pages_pending: unavailable(),
        throttle: Field::Known(Vec::new()),
        pcie_generation: Field::Known(Link { current: 5, max: 5 }),
        pcie_width: Field::Known(Link { current: 16, max: 16 }),
        pcie_replays: Field::Known(0),
        nvlinks: Field::Known(NvLinks { active: 18, inactive: 0 }),
        fabric: Field::Known(Fabric { state: "completed".into(), status: 0 }),
        temperature: Field::Known(40),
        memory_temperature: Field::Known(60),
        memory_slowdown: Field::Known(95),
        power: Field::Known(70_000),
        sm_clock: Field::Known(1980),
        sm_clock_max: Field::Known(1980),
        performance_state: Field::Known("P0".into()),
        mig_enabled: Field::Known(false),
        mig_devices: Vec::new(),
    }
}

fn device(ordinal: u32) -> Device {
    Device {
        ordinal,
        name: "NVIDIA H100 80GB HBM3".into(),
        uuid: uuid(ordinal),
        pci: format!("0000:{:02x}:00.0", ordinal + 1),
        memory: 80 << 30,
        capability: (9, 0),
        sms: 132,
        clock: 1_980_000,
        compute_mode: 0,
        cooperative: true,
        integrated: false,
    }
}

fn exercised(ordinal: u32) -> ProbeRun {
    let gpu = Some(ordinal);
    let mut run = ProbeRun::new(Target::Gpu(ordinal));
    run.events.push(Event::Hello { protocol: 2, pid: 8 + ordinal, libc: "2.36".into() });
    run.events.push(passed(Stage::DriverInit, None));
    run.events.extend([Stage::Context, Stage::Jit, Stage::Launch].map(|stage| passed(stage, gpu)));
    run.events.push(Event::Smoke(Smoke {
        sms_present: 132,
        sms_covered: 132,
        sms_wrong: Vec::new(),
        words: 1 << 20,
        words_wrong: 0,
        sums_right: true,
        launches: 1,
        cooperative: true,
    }));
    run.events.push(passed(Stage::Compare, gpu));
    run.events.push(library("libcudart", "/usr/local/cuda/lib64/libcudart.so.12"));
    run.events.push(passed(Stage::LoadRuntime, gpu));
    let runtime = Runtime { version: CUDA, driver: CUDA, devices: 1, copied: 1 << 20, wrong_at: None };
    run.events.push(Event::Runtime(runtime));
    run.events.push(passed(Stage::Runtime, gpu));
    run.events.push(library("libcublas", "/usr/local/cuda/lib64/libcublas.so.12"));
    run.events.push(passed(Stage::LoadBlas, gpu));
    run.events.push(Event::Blas(Blas { cublas: 120_405, cublas_lt: Some(120_405) }));
    run.events.push(passed(Stage::BlasInit, gpu));
    run.events.push(Event::GemmCase(gemm_case()));
    run.events.push(passed(Stage::Gemm, gpu));
    run.events.push(passed(Stage::GemmTiming, gpu));
    run.events.push(passed(Stage::LoadCupti, gpu));
    run.events.push(Event::Cupti(Cupti {
        version: 22,
        kernels: vec![protocol::SMOKE_KERNEL.into()],
        counters: Field::Known(true),
    }));
    run.events.push(passed(Stage::Cupti, gpu));
    run.events.push(Event::Done);
    run
}

pub fn gemm_case() -> GemmCase {
    GemmCase {
        format: "f16".into(),
        transpose: "nt".into(),
        m: 256,
        n: 128,
        k: 512,
        alpha: 1.0,
        beta: 0.0,
        verdict: GemmVerdict::Exact,
        flops: None,
    }
}

/// `debian 12`.
pub fn distribution(text: &str) -> Distribution {
    let (id, version) = text.split_once(' ').expect("ID VERSION");
    Distribution { id: id.into(), version: Some(version.into()) }
}

/// A used copy of a wheel's, such as `copy("libcublas", "/site/nvidia/cublas/lib/libcublas.so.12", "12.4.5.8")`.
pub fn copy(library: &str, path: &str, version: &str) -> Copy {
    let file = path.rsplit('/').next().unwrap_or(path);
    Copy {
        library: library.into(),
        path: path.into(),
        links: Vec::new(),
        hard_links: Vec::new(),
        soname: Some(file.to_owned()),
        version: (!version.is_empty()).then(|| version.to_owned()),
        bytes: 1_000_000,
        origin: Origin::Wheel,
        package: None,
        users: vec![User { path: "/usr/bin/app".into(), how: How::Needed }],
        reached: true,
        required: false,
        kept: false,
        held: None,
        verdict: Verdict::Used,
        device_code: Vec::new(),
        forward: None,
    }
}
