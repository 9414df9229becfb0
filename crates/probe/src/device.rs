//! Exercises one device, stage by stage, from creating a context to tracing a kernel.
//!
//! A stage that fails ends only what depends on it: a broken cuBLAS says nothing about CUPTI.

use crate::driver::Cuda;
use crate::emit::{NotPassed, emit, stage};
use crate::smoke::Kernel;
use crate::{blas, cupti, runtime, smoke, survey};
use protocol::{DeviceTask, Event, Skip, Stage};

/// Free memory required to create a context, in bytes. The largest context measured takes 555 MiB.
const CONTEXT: u64 = 640 << 20;

// CUcomputemode: in these, a context of the probe would fail or lock the application out.
const EXCLUSIVE_THREAD: i32 = 1;
const PROHIBITED: i32 = 2;
const EXCLUSIVE_PROCESS: i32 = 3;

pub fn run(task: &DeviceTask) {
    let Some(cuda) = survey::initialize() else { return };
    let gpu = Some(task.ordinal);
    let Some((device, facts)) = stage(Stage::Context, gpu, || {
        let (device, facts) = cuda.device(task.ordinal)?;
        match facts.compute_mode {
            PROHIBITED => return Err(NotPassed::Skip(Skip::Prohibited)),
            EXCLUSIVE_PROCESS | EXCLUSIVE_THREAD => return Err(NotPassed::Skip(Skip::Exclusive)),
            _ => {}
        }
        if let Some(free) = task.memory_free.filter(|free| *free < CONTEXT) {
            return Err(NotPassed::Skip(Skip::LowMemory { free, needed: CONTEXT }));
        }
        smoke::enter_context(&cuda, device)?;
        Ok((device, facts))
    }) else {
        return;
    };
    let Some(kernel) = stage(Stage::Jit, gpu, || Ok(smoke::compile(&cuda)?)) else { return };
    let launches = stage(Stage::Launch, gpu, || Ok(kernel.run(&facts)?));
    let launched = launches.and_then(|launches| {
        // A stage of its own, so that the time of Launch is the device's.
        stage(Stage::Compare, gpu, || {
            emit(&Event::Smoke(launches.compare()));
            Ok(())
        })
    });
    // After a failed launch the context is dead, and every later call would fail for that reason.
    if task.gemm && launched.is_some() {
        libraries(&cuda, device, &kernel, task, &facts);
    }
}

fn libraries(
    cuda: &Cuda,
    device: cudarc::driver::sys::CUdevice,
    kernel: &Kernel,
    task: &DeviceTask,
    facts: &protocol::Device,
) {
    let gpu = Some(task.ordinal);
    if let Some(runtime) = stage(Stage::LoadRuntime, gpu, || Ok(runtime::load(&task.libraries.runtime)?)) {
        stage(Stage::Runtime, gpu, || {
            emit(&Event::Runtime(runtime::verify(&runtime, task.ordinal)?));
            Ok(())
        });
    }
    blas::run(cuda, &task.libraries.blas, facts);
    if let Some(library) = stage(Stage::LoadCupti, gpu, || Ok(cupti::load(&task.libraries.cupti)?)) {
        stage(Stage::Cupti, gpu, || {
            emit(&Event::Cupti(cupti::trace(library, cuda, device, kernel)?));
            Ok(())
        });
    }
}
