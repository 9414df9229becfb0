//! The probe: the program that loads the GPU libraries, and the only one with unsafe code.
//!
//! It is linked dynamically, so that the image's own loader loads it and it gets the libraries that the
//! application would get. It takes a job from its argument, reports what it does line by line
//! (`emit.rs`), and ends with `_exit`, because the destructors of a broken driver can hang. It judges
//! nothing.

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
    // For tests, without a GPU.
    match argument.as_str() {
        "--driver-symbols" => return driver::SYMBOLS.iter().for_each(|symbol| println!("{symbol}")),
        "--load" => return load(std::env::args().skip(2).collect()),
        _ => {}
    }
    let Ok(job) = serde_json::from_slice::<Job>(argument.as_bytes()) else {
        eprintln!("this program is part of cudacheck, which starts it");
        std::process::exit(2);
    };
    emit::start(process::claim_standard_streams());
    process::die_with(job.parent);
    process::set_timeout(job.timeout_ms);
    process::show(protocol::Stage::Start, None);
    let _lock = process::lock(&job.lock);
    emit::emit(&Event::Hello { protocol: PROTOCOL, pid: std::process::id(), libc: process::libc_version() });
    if job.protocol == PROTOCOL {
        match &job.task {
            Task::Survey(survey) => survey::run(survey),
            Task::Device(task) => device::run(task),
        }
    }
    emit::emit(&Event::Done);
    process::exit();
}

/// Loads libcudart, cuBLAS or CUPTI as a job does, looks up every symbol, and prints the files that were mapped.
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
    process::exit();
}
