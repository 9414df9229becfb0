//! One device, from its context to its profiler, stage by stage.
//!
//! A stage that does not pass ends what depends on it and nothing else: a wrong cuBLAS says nothing
//! about CUPTI. The memory taken is the least that decides.

use crate::driver::Cuda;
use crate::emit::{Stop, emit, stage};
use crate::smoke::Kernel;
use crate::{blas, cupti, runtime, smoke, survey};
use protocol::{DeviceTask, Event, Skip, Stage};

/// Free memory that a context may need, in bytes: 555 MiB is the largest that is on record.
const CONTEXT: u64 = 640 << 20;

/// CUDA's compute modes in which a context of ours would lock the application out, or fail.
const EXCLUSIVE_THREAD: i32 = 1;
const PROHIBITED: i32 = 2;
const EXCLUSIVE_PROCESS: i32 = 3;

pub fn run(task: &DeviceTask) {
    let Some(cuda) = survey::initialise() else { return };
    let gpu = Some(task.ordinal);
    let Some((device, facts)) = stage(Stage::Context, gpu, || {
        let (device, facts) = cuda.device(task.ordinal)?;
        match facts.compute_mode {
            PROHIBITED => return Err(Stop::Skip(Skip::Prohibited)),
            EXCLUSIVE_PROCESS | EXCLUSIVE_THREAD => return Err(Stop::Skip(Skip::Exclusive)),
            _ => {}
        }
        if let Some(free) = task.memory_free.filter(|free| *free < CONTEXT) {
            return Err(Stop::Skip(Skip::LowMemory { free, needed: CONTEXT }));
        }
        smoke::enter_context(&cuda, device)?;
        Ok((device, facts))
    }) else {
        return;
    };
    let Some(kernel) = stage(Stage::Jit, gpu, || Ok(smoke::compile(&cuda)?)) else { return };
    let launches = stage(Stage::Launch, gpu, || Ok(kernel.run(&facts)?));
    let launched = launches.and_then(|launches| {
        // The host's part, apart from the device's time.
        stage(Stage::Compare, gpu, || {
            emit(&Event::Smoke(launches.compare()));
            Ok(())
        })
    });
    // After a failed launch the context is dead, and every later answer would repeat that.
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
