//! The survey: the GPUs and their state, as reported by NVML, and the devices of the driver.
//!
//! It creates no context and takes no GPU memory. Each GPU is queried in a thread of its own, so that one
//! that hangs does not hide the others. NVML and the driver run one after the other, so that a crash can
//! be attributed to one of them.

use std::fs::OpenOptions;
use std::time::{Duration, Instant};

use crate::driver::Cuda;
use crate::emit::{emit, enter, stage};
use crate::nvml;
use protocol::{Driver, Event, Stage, Survey};

pub fn run(survey: &Survey) {
    let start = Instant::now();
    stage(Stage::Nodes, None, || {
        for path in &survey.nodes {
            enter(&format!("open {path}"));
            let opened = OpenOptions::new().read(true).write(true).open(path);
            emit(&Event::Node {
                path: path.clone(),
                errno: opened.err().and_then(|error| error.raw_os_error()),
            });
        }
        Ok(())
    });
    if let Some(queries) = survey.nvml.then(nvml::start).flatten() {
        // The supervisor knows a GPU that has not answered by its last event.
        queries.wait(start + Duration::from_millis(survey.nvml_timeout_ms));
    }
    if survey.driver {
        list_devices();
    }
}

/// Loads and initializes the driver, and reports each device. `None` if a stage failed.
fn list_devices() -> Option<()> {
    let cuda = initialize()?;
    stage(Stage::Enumerate, None, || {
        let devices = cuda.device_count()?;
        emit(&Event::Driver(Driver { cuda: cuda.version()?, devices }));
        for ordinal in 0..devices {
            emit(&Event::Device(cuda.device(ordinal)?.1));
        }
        Ok(())
    })
}

/// Loads libcuda and calls cuInit. `None` if a stage failed.
pub fn initialize() -> Option<Cuda> {
    let cuda = stage(Stage::LoadDriver, None, || Ok(Cuda::load()?))?;
    stage(Stage::DriverInit, None, || {
        // SAFETY: takes no pointers.
        unsafe { cuda.cuInit(0)? };
        Ok(())
    })?;
    Some(cuda)
}
