//! From the wire to facts: the one place that knows both shapes.

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
