//! Every variant beside its JSON, so that no change of the wire goes unnoticed: both programs have to follow it.

use super::*;

fn pin<T>(value: T, json: &str)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    assert_eq!(serde_json::to_string(&value).unwrap(), json);
    assert_eq!(serde_json::from_str::<T>(json).unwrap(), value, "{json}");
}

fn known<T>(value: T) -> Field<T> {
    Field::Known(value)
}

fn unavailable<T>() -> Field<T> {
    Field::Unavailable { unavailable: "not supported (NVML status 3)".into() }
}

fn job(task: Task) -> Job {
    Job { protocol: PROTOCOL, parent: 1, task, lock: "cudacheck.7.survey".into(), timeout_ms: 14_500 }
}

#[test]
fn jobs() {
    pin(
        job(Task::Survey(Survey {
            nodes: vec!["/dev/nvidia0".into()],
            nvml: true,
            driver: false,
            nvml_timeout_ms: 7000,
        })),
        r#"{"protocol":2,"parent":1,"task":{"survey":{"nodes":["/dev/nvidia0"],"nvml":true,"driver":false,"nvml_timeout_ms":7000}},"lock":"cudacheck.7.survey","timeout_ms":14500}"#,
    );
    pin(
        job(Task::Device(DeviceTask {
            ordinal: 3,
            memory_free: Some(1 << 33),
            gemm: true,
            libraries: Libraries {
                blas: vec!["/lib/libcublasLt.so.12".into(), "/lib/libcublas.so.12".into()],
                ..Libraries::default()
            },
        })),
        r#"{"protocol":2,"parent":1,"task":{"device":{"ordinal":3,"memory_free":8589934592,"gemm":true,"libraries":{"runtime":[],"blas":["/lib/libcublasLt.so.12","/lib/libcublas.so.12"],"cupti":[]}}},"lock":"cudacheck.7.survey","timeout_ms":14500}"#,
    );
}

#[test]
fn events_of_the_process() {
    pin(
        Event::Hello { protocol: PROTOCOL, pid: 7, libc: "2.36".into() },
        r#"{"hello":{"protocol":2,"pid":7,"libc":"2.36"}}"#,
    );
    pin(
        Event::Enter { stage: Stage::NvmlDevice, call: "nvmlDeviceGetUUID".into(), gpu: Some(0) },
        r#"{"enter":{"stage":"nvml-device","call":"nvmlDeviceGetUUID","gpu":0}}"#,
    );
    pin(
        Event::Left { stage: Stage::DriverInit, gpu: None, seconds: 0.25, outcome: Outcome::Passed },
        r#"{"left":{"stage":"driver-init","gpu":null,"seconds":0.25,"outcome":"passed"}}"#,
    );
    pin(
        Event::Node { path: "/dev/nvidia0".into(), errno: Some(13) },
        r#"{"node":{"path":"/dev/nvidia0","errno":13}}"#,
    );
    pin(
        Event::Library {
            name: "libcuda".into(),
            asked: "libcuda.so.1".into(),
            path: "/lib/libcuda.so.550.54.15".into(),
            also: vec!["/lib/libdl.so.2".into()],
        },
        r#"{"library":{"name":"libcuda","asked":"libcuda.so.1","path":"/lib/libcuda.so.550.54.15","also":["/lib/libdl.so.2"]}}"#,
    );
    pin(Event::Done, r#""done""#);
}

#[test]
fn events_of_nvml() {
    pin(
        Event::Nvml(NvmlSystem {
            driver: known("550.54.15".into()),
            nvml: known("12.550.54.15".into()),
            cuda: known(12_040),
            gpus: 8,
            confidential_ready: unavailable(),
        }),
        r#"{"nvml":{"driver":"550.54.15","nvml":"12.550.54.15","cuda":12040,"gpus":8,"confidential_ready":{"unavailable":"not supported (NVML status 3)"}}}"#,
    );
    pin(
        Event::NvmlDevice(Box::new(NvmlDevice {
            index: 1,
            uuid: known("GPU-6c1d".into()),
            name: known("NVIDIA A100".into()),
            pci: known("00000000:07:00.0".into()),
            memory_total: known(4),
            memory_free: known(3),
            memory_used: known(1),
            compute_mode: known(ComputeMode::ExclusiveProcess),
            compute_processes: known(2),
            utilization_percent: known(50),
            persistence: known(true),
            ecc_enabled: known(true),
            ecc_uncorrected: known(0),
            ecc_corrected: known(5),
            remapped_rows: known(RemappedRows {
                correctable: 1,
                uncorrectable: 2,
                pending: true,
                failed: false,
            }),
            retired_pages_pending: unavailable(),
            throttle: known(vec!["power-cap".into()]),
            pcie_generation: known(Link { current: 3, max: 4 }),
            pcie_width: known(Link { current: 8, max: 16 }),
            pcie_replays: known(9),
            nvlinks: known(NvLinks { active: 11, inactive: 1 }),
            fabric: known(Fabric { state: "completed".into(), status: 0 }),
            temperature: known(40),
            memory_temperature: known(60),
            memory_slowdown: known(95),
            power: known(70_000),
            sm_clock: known(1410),
            sm_clock_max: known(1980),
            performance_state: known("P0".into()),
            mig_enabled: known(true),
            mig_devices: vec![MigDevice {
                index: 0,
                uuid: known("MIG-77".into()),
                memory_total: known(2),
                memory_free: known(1),
            }],
        })),
        concat!(
            r#"{"nvml-device":{"index":1,"uuid":"GPU-6c1d","name":"NVIDIA A100","pci":"00000000:07:00.0","#,
            r#""memory_total":4,"memory_free":3,"memory_used":1,"compute_mode":"exclusive-process","#,
            r#""compute_processes":2,"utilization_percent":50,"persistence":true,"ecc_enabled":true,"#,
            r#""ecc_uncorrected":0,"ecc_corrected":5,"#,
            r#""remapped_rows":{"correctable":1,"uncorrectable":2,"pending":true,"failed":false},"#,
            r#""retired_pages_pending":{"unavailable":"not supported (NVML status 3)"},"#,
            r#""throttle":["power-cap"],"pcie_generation":{"current":3,"max":4},"#,
            r#""pcie_width":{"current":8,"max":16},"pcie_replays":9,"nvlinks":{"active":11,"inactive":1},"#,
            r#""fabric":{"state":"completed","status":0},"temperature":40,"#,
            r#""memory_temperature":60,"memory_slowdown":95,"power":70000,"sm_clock":1410,"#,
            r#""sm_clock_max":1980,"performance_state":"P0","mig_enabled":true,"mig_devices":[{"index":0,"#,
            r#""uuid":"MIG-77","memory_total":2,"memory_free":1}]}}"#,
        ),
    );
}

#[test]
fn events_of_cuda() {
    pin(Event::Driver(Driver { cuda: 12_040, devices: 2 }), r#"{"driver":{"cuda":12040,"devices":2}}"#);
    pin(
        Event::Device(Device {
            ordinal: 1,
            name: "NVIDIA A100".into(),
            uuid: "6c1d".into(),
            pci: "0000:07:00.0".into(),
            memory: 4,
            capability: (8, 0),
            sms: 108,
            clock: 1_410_000,
            compute_mode: 0,
            cooperative: true,
            integrated: false,
        }),
        r#"{"device":{"ordinal":1,"name":"NVIDIA A100","uuid":"6c1d","pci":"0000:07:00.0","memory":4,"capability":[8,0],"sms":108,"clock":1410000,"compute_mode":0,"cooperative":true,"integrated":false}}"#,
    );
    pin(
        Event::Smoke(Smoke {
            sms_present: 108,
            sms_covered: 107,
            sms_wrong: vec![5],
            words: 4096,
            words_wrong: 1,
            sums_right: false,
            launches: 20,
            cooperative: false,
        }),
        r#"{"smoke":{"sms_present":108,"sms_covered":107,"sms_wrong":[5],"words":4096,"words_wrong":1,"sums_right":false,"launches":20,"cooperative":false}}"#,
    );
}

#[test]
fn events_of_the_libraries() {
    pin(
        Event::Runtime(Runtime {
            version: 12_040,
            driver: 12_040,
            devices: 1,
            copied: 1024,
            wrong_at: Some(7),
        }),
        r#"{"runtime":{"version":12040,"driver":12040,"devices":1,"copied":1024,"wrong_at":7}}"#,
    );
    pin(
        Event::Blas(Blas { cublas: 120_405, cublas_lt: None }),
        r#"{"blas":{"cublas":120405,"cublas_lt":null}}"#,
    );
    pin(
        Event::GemmCase(GemmCase {
            format: "f16/f32".into(),
            transpose: "nt".into(),
            m: 2,
            n: 3,
            k: 4,
            alpha: -2.0,
            beta: 0.5,
            verdict: GemmVerdict::Exact,
            flops: Some(5e14),
        }),
        r#"{"gemm-case":{"format":"f16/f32","transpose":"nt","m":2,"n":3,"k":4,"alpha":-2.0,"beta":0.5,"verdict":"exact","flops":500000000000000.0}}"#,
    );
    pin(
        Event::Cupti(Cupti { version: 22, kernels: vec![SMOKE_KERNEL.into()], counters: known(false) }),
        r#"{"cupti":{"version":22,"kernels":["cudacheck_smoke"],"counters":false}}"#,
    );
}

#[test]
fn outcomes_and_verdicts() {
    pin(
        Outcome::Failed(Fault {
            api: Api::Driver,
            call: "cuInit".into(),
            code: Some(803),
            name: Some("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH".into()),
            detail: "system has unsupported display driver".into(),
        }),
        r#"{"failed":{"api":"driver","call":"cuInit","code":803,"name":"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH","detail":"system has unsupported display driver"}}"#,
    );
    pin(Outcome::Skipped(Skip::Prohibited), r#"{"skipped":"prohibited"}"#);
    pin(Outcome::Skipped(Skip::Exclusive), r#"{"skipped":"exclusive"}"#);
    pin(
        Outcome::Skipped(Skip::LowMemory { free: 1, needed: 2 }),
        r#"{"skipped":{"low-memory":{"free":1,"needed":2}}}"#,
    );
    pin(
        GemmVerdict::Wrong { elements: 2, first: "C[0, 1] = 3, not 4".into() },
        r#"{"wrong":{"elements":2,"first":"C[0, 1] = 3, not 4"}}"#,
    );
    pin(GemmVerdict::NotTf32, r#""not-tf32""#);
    pin(GemmVerdict::Overrun { at: "the padding".into() }, r#"{"overrun":{"at":"the padding"}}"#);
    pin(
        [Api::Loader, Api::Nvml, Api::Driver, Api::Runtime, Api::Cublas, Api::Cupti],
        r#"["loader","nvml","driver","runtime","cublas","cupti"]"#,
    );
    pin(
        [ComputeMode::Default, ComputeMode::ExclusiveThread, ComputeMode::Prohibited],
        r#"["default","exclusive-thread","prohibited"]"#,
    );
}

#[test]
fn stages_in_their_order() {
    use Stage::*;
    let before = [Start, Nodes, LoadNvml, NvmlInit, NvmlDevice, LoadDriver, DriverInit, Enumerate];
    let device = [
        Context,
        Jit,
        Launch,
        Compare,
        LoadRuntime,
        Runtime,
        LoadBlas,
        BlasInit,
        Gemm,
        GemmTiming,
        LoadCupti,
    ];
    let all: Vec<Stage> = before.into_iter().chain(device).chain([Cupti]).collect();
    assert!(all.is_sorted());
    pin(
        all,
        r#"["start","nodes","load-nvml","nvml-init","nvml-device","load-driver","driver-init","enumerate","context","jit","launch","compare","load-runtime","runtime","load-blas","blas-init","gemm","gemm-timing","load-cupti","cupti"]"#,
    );
}

/// The probe decides by the version whether it runs a job, so it has to be able to read a newer one.
#[test]
fn a_newer_job_is_read_up_to_its_version() {
    let newer = r#"{"protocol":3,"parent":1,"task":{"survey":{"nodes":[],"nvml":true,"driver":true,
        "nvml_timeout_ms":1,"new":[1]}},"lock":"x","timeout_ms":1,"also_new":{}}"#;
    assert_eq!(serde_json::from_str::<Job>(newer).unwrap().protocol, 3);
    for other in [
        // No version at all, a field of the task missing, and a task that this version does not know.
        r#"{"parent":1,"task":{"survey":{"nodes":[],"nvml":true,"driver":true,"nvml_timeout_ms":1}},"lock":"x","timeout_ms":1}"#,
        r#"{"protocol":1,"parent":1,"task":{"survey":{"nodes":[],"nvml":true}},"lock":"x","timeout_ms":1}"#,
        r#"{"protocol":3,"parent":1,"task":{"reset":{}},"lock":"x","timeout_ms":1}"#,
    ] {
        assert!(serde_json::from_str::<Job>(other).is_err(), "{other}");
    }
}

/// The supervisor ignores the lines that are refused here.
#[test]
fn unknown_events_are_refused_and_unknown_fields_ignored() {
    let newer = r#"{"driver":{"cuda":13000,"devices":1,"new":"field"}}"#;
    let driver = Event::Driver(Driver { cuda: 13_000, devices: 1 });
    assert_eq!(serde_json::from_str::<Event>(newer).unwrap(), driver);
    for line in [
        "",
        "CUDA: some library printed this",
        r#"{"temperature":40}"#,
        r#""started""#,
        r#"{"driver":{"cuda":13000}}"#,
        r#"{"enter":{"stage":"new-stage","call":"x","gpu":null}}"#,
        r#"{"driver":{"cuda":13000,"devices":1}}{}"#,
    ] {
        assert!(serde_json::from_str::<Event>(line).is_err(), "{line}");
    }
}
