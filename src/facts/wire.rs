//! Converts events of the wire protocol to facts, and pins the JSON of facts.

use super::event::*;
use crate::model::{ComputeMode, Field, Skip, Stage};

impl From<protocol::Event> for Event {
    fn from(event: protocol::Event) -> Self {
        use protocol::Event as Wire;
        match event {
            Wire::Hello { protocol, pid, libc } => Event::Hello { protocol, pid, libc },
            Wire::Enter { stage, call, gpu } => Event::Enter { stage: stage.into(), call, gpu },
            Wire::Left { stage, gpu, seconds, outcome } => {
                Event::Left { stage: stage.into(), gpu, seconds, outcome: outcome.into() }
            }
            Wire::Node { path, errno } => Event::Node { path, errno },
            Wire::Library { name, asked, path, also } => Event::Library { name, asked, path, also },
            Wire::Nvml(system) => Event::Nvml(system.into()),
            Wire::NvmlDevice(device) => Event::NvmlDevice(Box::new((*device).into())),
            Wire::Driver(driver) => Event::Driver(driver.into()),
            Wire::Device(device) => Event::Device(device.into()),
            Wire::Smoke(smoke) => Event::Smoke(smoke.into()),
            Wire::Runtime(runtime) => Event::Runtime(runtime.into()),
            Wire::Blas(blas) => Event::Blas(blas.into()),
            Wire::GemmCase(case) => Event::GemmCase(case.into()),
            Wire::Cupti(cupti) => Event::Cupti(cupti.into()),
            Wire::Done => Event::Done,
        }
    }
}

impl From<protocol::Outcome> for Outcome {
    fn from(outcome: protocol::Outcome) -> Self {
        match outcome {
            protocol::Outcome::Passed => Outcome::Passed,
            protocol::Outcome::Failed(fault) => Outcome::Failed(fault.into()),
            protocol::Outcome::Skipped(skip) => Outcome::Skipped(skip.into()),
        }
    }
}

impl From<protocol::Skip> for Skip {
    fn from(skip: protocol::Skip) -> Self {
        match skip {
            protocol::Skip::Prohibited => Skip::Prohibited,
            protocol::Skip::Exclusive => Skip::Exclusive,
            protocol::Skip::LowMemory { free, needed } => Skip::LowMemory { free, needed },
        }
    }
}

impl From<protocol::Fault> for Fault {
    fn from(fault: protocol::Fault) -> Self {
        let protocol::Fault { api, call, code, name, detail } = fault;
        Fault { api: api.into(), call, code, name, detail }
    }
}

impl From<protocol::Api> for Api {
    fn from(api: protocol::Api) -> Self {
        match api {
            protocol::Api::Loader => Api::Loader,
            protocol::Api::Nvml => Api::Nvml,
            protocol::Api::Driver => Api::Driver,
            protocol::Api::Runtime => Api::Runtime,
            protocol::Api::Cublas => Api::Cublas,
            protocol::Api::Cupti => Api::Cupti,
        }
    }
}

impl From<protocol::GemmVerdict> for GemmVerdict {
    fn from(verdict: protocol::GemmVerdict) -> Self {
        match verdict {
            protocol::GemmVerdict::Exact => GemmVerdict::Exact,
            protocol::GemmVerdict::Wrong { elements, first } => GemmVerdict::Wrong { elements, first },
            protocol::GemmVerdict::NotTf32 => GemmVerdict::NotTf32,
            protocol::GemmVerdict::Overrun { at } => GemmVerdict::Overrun { at },
        }
    }
}

fn field<T, U: From<T>>(field: protocol::Field<T>) -> Field<U> {
    match field {
        protocol::Field::Known(value) => Field::Known(value.into()),
        protocol::Field::Unavailable { unavailable } => Field::Unavailable { unavailable },
    }
}

impl From<protocol::ComputeMode> for ComputeMode {
    fn from(mode: protocol::ComputeMode) -> Self {
        match mode {
            protocol::ComputeMode::Default => ComputeMode::Default,
            protocol::ComputeMode::ExclusiveThread => ComputeMode::ExclusiveThread,
            protocol::ComputeMode::Prohibited => ComputeMode::Prohibited,
            protocol::ComputeMode::ExclusiveProcess => ComputeMode::ExclusiveProcess,
        }
    }
}

impl From<protocol::Stage> for Stage {
    fn from(stage: protocol::Stage) -> Self {
        match stage {
            protocol::Stage::Start => Stage::Start,
            protocol::Stage::Nodes => Stage::Nodes,
            protocol::Stage::LoadNvml => Stage::LoadNvml,
            protocol::Stage::NvmlInit => Stage::NvmlInit,
            protocol::Stage::NvmlDevice => Stage::NvmlDevice,
            protocol::Stage::LoadDriver => Stage::LoadDriver,
            protocol::Stage::DriverInit => Stage::DriverInit,
            protocol::Stage::Enumerate => Stage::Enumerate,
            protocol::Stage::Context => Stage::Context,
            protocol::Stage::Jit => Stage::Jit,
            protocol::Stage::Launch => Stage::Launch,
            protocol::Stage::Compare => Stage::Compare,
            protocol::Stage::LoadRuntime => Stage::LoadRuntime,
            protocol::Stage::Runtime => Stage::Runtime,
            protocol::Stage::LoadBlas => Stage::LoadBlas,
            protocol::Stage::BlasInit => Stage::BlasInit,
            protocol::Stage::Gemm => Stage::Gemm,
            protocol::Stage::GemmTiming => Stage::GemmTiming,
            protocol::Stage::LoadCupti => Stage::LoadCupti,
            protocol::Stage::Cupti => Stage::Cupti,
        }
    }
}

impl From<protocol::NvmlSystem> for NvmlSystem {
    fn from(from: protocol::NvmlSystem) -> Self {
        NvmlSystem {
            driver: field(from.driver),
            nvml: field(from.nvml),
            cuda: field(from.cuda),
            gpus: from.gpus,
            confidential_ready: field(from.confidential_ready),
        }
    }
}

impl From<protocol::NvmlDevice> for NvmlDevice {
    fn from(from: protocol::NvmlDevice) -> Self {
        NvmlDevice {
            index: from.index,
            uuid: field(from.uuid),
            name: field(from.name),
            pci: field(from.pci),
            memory_total: field(from.memory_total),
            memory_free: field(from.memory_free),
            memory_used: field(from.memory_used),
            compute_mode: field(from.compute_mode),
            compute_processes: field(from.compute_processes),
            utilization_percent: field(from.utilization_percent),
            persistence: field(from.persistence),
            ecc_enabled: field(from.ecc_enabled),
            ecc_uncorrected: field(from.ecc_uncorrected),
            ecc_corrected: field(from.ecc_corrected),
            remapped_rows: field(from.remapped_rows),
            retired_pages_pending: field(from.retired_pages_pending),
            throttle: field(from.throttle),
            pcie_generation: field(from.pcie_generation),
            pcie_width: field(from.pcie_width),
            pcie_replays: field(from.pcie_replays),
            nvlinks: field(from.nvlinks),
            fabric: field(from.fabric),
            temperature: field(from.temperature),
            memory_temperature: field(from.memory_temperature),
            memory_slowdown: field(from.memory_slowdown),
            power: field(from.power),
            sm_clock: field(from.sm_clock),
            sm_clock_max: field(from.sm_clock_max),
            performance_state: field(from.performance_state),
            mig_enabled: field(from.mig_enabled),
            mig_devices: from.mig_devices.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<protocol::RemappedRows> for RemappedRows {
    fn from(from: protocol::RemappedRows) -> Self {
        RemappedRows {
            correctable: from.correctable,
            uncorrectable: from.uncorrectable,
            pending: from.pending,
            failed: from.failed,
        }
    }
}

impl From<protocol::Link> for Link {
    fn from(from: protocol::Link) -> Self {
        Link { current: from.current, max: from.max }
    }
}

impl From<protocol::NvLinks> for NvLinks {
    fn from(from: protocol::NvLinks) -> Self {
        NvLinks { active: from.active, inactive: from.inactive }
    }
}

impl From<protocol::Fabric> for Fabric {
    fn from(from: protocol::Fabric) -> Self {
        Fabric { state: from.state, status: from.status }
    }
}

impl From<protocol::MigDevice> for MigDevice {
    fn from(from: protocol::MigDevice) -> Self {
        MigDevice {
            index: from.index,
            uuid: field(from.uuid),
            memory_total: field(from.memory_total),
            memory_free: field(from.memory_free),
        }
    }
}

impl From<protocol::Driver> for Driver {
    fn from(from: protocol::Driver) -> Self {
        Driver { cuda: from.cuda, devices: from.devices }
    }
}

impl From<protocol::Device> for Device {
    fn from(from: protocol::Device) -> Self {
        Device {
            ordinal: from.ordinal,
            name: from.name,
            uuid: from.uuid,
            pci: from.pci,
            memory: from.memory,
            capability: from.capability,
            sms: from.sms,
            clock: from.clock,
            compute_mode: from.compute_mode,
            cooperative: from.cooperative,
            integrated: from.integrated,
        }
    }
}

impl From<protocol::Smoke> for Smoke {
    fn from(from: protocol::Smoke) -> Self {
        Smoke {
            sms_present: from.sms_present,
            sms_covered: from.sms_covered,
            sms_wrong: from.sms_wrong,
            words: from.words,
            words_wrong: from.words_wrong,
            sums_right: from.sums_right,
            launches: from.launches,
            cooperative: from.cooperative,
        }
    }
}

impl From<protocol::Runtime> for Runtime {
    fn from(from: protocol::Runtime) -> Self {
        Runtime {
            version: from.version,
            driver: from.driver,
            devices: from.devices,
            copied: from.copied,
            wrong_at: from.wrong_at,
        }
    }
}

impl From<protocol::Blas> for Blas {
    fn from(from: protocol::Blas) -> Self {
        Blas { cublas: from.cublas, cublas_lt: from.cublas_lt }
    }
}

impl From<protocol::GemmCase> for GemmCase {
    fn from(from: protocol::GemmCase) -> Self {
        GemmCase {
            format: from.format,
            transpose: from.transpose,
            m: from.m,
            n: from.n,
            k: from.k,
            alpha: from.alpha,
            beta: from.beta,
            verdict: from.verdict.into(),
            flops: from.flops,
        }
    }
}

impl From<protocol::Cupti> for Cupti {
    fn from(from: protocol::Cupti) -> Self {
        Cupti { version: from.version, kernels: from.kernels, counters: field(from.counters) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::mem::discriminant;

    use super::*;

    /// One event of each kind. Facts have the same JSON as the wire; saved facts depend on it.
    const EVENTS: [&str; 15] = [
        r#"{"hello":{"protocol":2,"pid":7,"libc":"2.36"}}"#,
        r#"{"enter":{"stage":"nvml-device","call":"nvmlDeviceGetUUID","gpu":0}}"#,
        r#"{"left":{"stage":"context","gpu":1,"seconds":0.25,"outcome":{"failed":{"api":"driver","call":"cuCtxCreate","code":2,"name":"CUDA_ERROR_OUT_OF_MEMORY","detail":"out of memory"}}}}"#,
        r#"{"node":{"path":"/dev/nvidia0","errno":13}}"#,
        r#"{"library":{"name":"libcuda","asked":"libcuda.so.1","path":"/lib/libcuda.so.550","also":["/lib/libdl.so.2"]}}"#,
        r#"{"nvml":{"driver":"550.54.15","nvml":"12.550.54.15","cuda":12040,"gpus":8,"confidential_ready":{"unavailable":"off"}}}"#,
        concat!(
            r#"{"nvml-device":{"index":1,"uuid":"GPU-6c1d","name":"NVIDIA A100","pci":"00000000:07:00.0","#,
            r#""memory_total":4,"memory_free":3,"memory_used":1,"compute_mode":"exclusive-process","#,
            r#""compute_processes":2,"utilization_percent":50,"persistence":true,"ecc_enabled":false,"#,
            r#""ecc_uncorrected":6,"ecc_corrected":5,"#,
            r#""remapped_rows":{"correctable":1,"uncorrectable":2,"pending":true,"failed":false},"#,
            r#""retired_pages_pending":{"unavailable":"not supported"},"throttle":["power-cap"],"#,
            r#""pcie_generation":{"current":3,"max":4},"pcie_width":{"current":8,"max":16},"pcie_replays":9,"#,
            r#""nvlinks":{"active":11,"inactive":1},"fabric":{"state":"completed","status":10},"#,
            r#""temperature":40,"memory_temperature":60,"memory_slowdown":95,"power":70000,"sm_clock":1410,"sm_clock_max":1980,"performance_state":"P0","#,
            r#""mig_enabled":true,"mig_devices":[{"index":0,"uuid":"MIG-77","memory_total":2,"memory_free":1}]}}"#,
        ),
        r#"{"driver":{"cuda":12040,"devices":2}}"#,
        r#"{"device":{"ordinal":1,"name":"NVIDIA A100","uuid":"6c1d","pci":"0000:07:00.0","memory":4,"capability":[8,6],"sms":108,"clock":1410000,"compute_mode":3,"cooperative":true,"integrated":false}}"#,
        r#"{"smoke":{"sms_present":108,"sms_covered":107,"sms_wrong":[5],"words":4096,"words_wrong":1,"sums_right":false,"launches":20,"cooperative":true}}"#,
        r#"{"runtime":{"version":12040,"driver":12020,"devices":1,"copied":1024,"wrong_at":7}}"#,
        r#"{"blas":{"cublas":120405,"cublas_lt":120301}}"#,
        r#"{"gemm-case":{"format":"f16/f32","transpose":"nt","m":2,"n":3,"k":4,"alpha":-2.0,"beta":0.5,"verdict":{"wrong":{"elements":2,"first":"C[0, 1] = 3, not 4"}},"flops":null}}"#,
        r#"{"cupti":{"version":22,"kernels":["cudacheck_smoke"],"counters":false}}"#,
        r#""done""#,
    ];

    fn converted(json: &str) -> Event {
        serde_json::from_str::<protocol::Event>(json).unwrap().into()
    }

    #[test]
    fn every_event_keeps_its_values() {
        let mut kinds = HashSet::new();
        for json in EVENTS {
            let event = converted(json);
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
            assert_eq!(serde_json::from_str::<Event>(json).unwrap(), event, "saved facts load again");
            kinds.insert(discriminant(&event));
        }
        assert_eq!(kinds.len(), EVENTS.len(), "one event of each kind");
    }

    #[test]
    fn stages_keep_their_names_and_their_order() {
        let names = [
            "start",
            "nodes",
            "load-nvml",
            "nvml-init",
            "nvml-device",
            "load-driver",
            "driver-init",
            "enumerate",
            "context",
            "jit",
            "launch",
            "compare",
            "load-runtime",
            "runtime",
            "load-blas",
            "blas-init",
            "gemm",
            "gemm-timing",
            "load-cupti",
            "cupti",
        ];
        let stages = names.map(|name| {
            let stage: Stage = serde_json::from_value::<protocol::Stage>(name.into()).unwrap().into();
            assert_eq!((stage.name(), serde_json::to_value(stage).unwrap()), (name, name.into()));
            stage
        });
        assert!(stages.is_sorted() && stages.iter().all(|stage| *stage <= Stage::Cupti));
    }

    #[test]
    fn outcomes_and_verdicts_keep_their_values() {
        let outcomes = [
            r#""passed""#,
            r#"{"skipped":"prohibited"}"#,
            r#"{"skipped":"exclusive"}"#,
            r#"{"skipped":{"low-memory":{"free":1,"needed":2}}}"#,
        ];
        for json in outcomes {
            let outcome: Outcome = serde_json::from_str::<protocol::Outcome>(json).unwrap().into();
            assert_eq!(serde_json::to_string(&outcome).unwrap(), json);
        }
        for json in [r#""exact""#, r#""not-tf32""#, r#"{"overrun":{"at":"the padding"}}"#] {
            let verdict: GemmVerdict = serde_json::from_str::<protocol::GemmVerdict>(json).unwrap().into();
            assert_eq!(serde_json::to_string(&verdict).unwrap(), json);
        }
        for name in ["loader", "nvml", "driver", "runtime", "cublas", "cupti"] {
            let api: Api = serde_json::from_value::<protocol::Api>(name.into()).unwrap().into();
            assert_eq!(serde_json::to_value(api).unwrap(), name);
        }
        for name in ["default", "exclusive-thread", "prohibited", "exclusive-process"] {
            let mode: ComputeMode =
                serde_json::from_value::<protocol::ComputeMode>(name.into()).unwrap().into();
            assert_eq!(serde_json::to_value(mode).unwrap(), name);
        }
    }
}
