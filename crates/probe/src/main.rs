//! The probe: the only program of the two that loads GPU libraries, and the only place of unsafe code.
//!
//! It is dynamic, so that the image's own loader loads it and it sees what the application would
//! see. It reads its job from its argument, tells what it does line by line (`emit.rs`), and ends by
//! `_exit`: destructors of a broken driver are never run. It judges nothing.

mod blas;
mod cupti;
mod device;
mod driver;
mod emit;
mod ffi;
mod nvml;
mod pages;
mod process;
mod runtime;
mod smoke;
mod survey;

use protocol::{Event, Job, PROTOCOL, Task};

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_default();
    // Questions that tests ask, about the program alone and about libraries without a GPU.
    match argument.as_str() {
        "--driver-symbols" => return driver::SYMBOLS.iter().for_each(|symbol| println!("{symbol}")),
        "--load" => return load(std::env::args().skip(2).collect()),
        _ => {}
    }
    let Ok(job) = serde_json::from_slice::<Job>(argument.as_bytes()) else {
        eprintln!("this is a part of cudacheck and is started by it");
        std::process::exit(2);
    };
    emit::start(process::claim_standard_streams());
    process::die_with(job.parent);
    process::remember_timeout(job.timeout_ms);
    process::show(protocol::Stage::Start, None);
    let _lock = process::hold(&job.lock);
    emit::emit(&Event::Hello { protocol: PROTOCOL, pid: std::process::id(), libc: process::libc_version() });
    if job.protocol == PROTOCOL {
        match &job.task {
            Task::Survey(survey) => survey::run(survey),
            Task::Device(task) => device::run(task),
        }
    }
    emit::emit(&Event::Done);
    process::leave();
}

/// Loads libcudart, cuBLAS or CUPTI from files, as a job does, and finds every symbol that is used.
fn load(mut files: Vec<String>) {
    let library = files.remove(0);
    let bound = match library.as_str() {
        "cudart" => runtime::load(&files).err(),
        "cublas" => blas::load(&files)
            .and_then(|cublas| blas::versions(&cublas))
            .map(|blas| println!("{} {}", blas.cublas, blas.cublas_lt.unwrap_or_default()))
            .err(),
        _ => cupti::load(&files).err(),
    };
    match bound {
        Some(fault) => println!("{}: {}", fault.call, fault.detail),
        None => ffi::mapped().iter().for_each(|path| println!("{path}")),
    }
    process::leave();
}
