//! The survey: which GPUs NVML sees and in what state, and which devices the driver lists.
//!
//! No context is created, no GPU memory taken. NVML answers for each GPU in a thread of its own, so
//! that one that hangs does not hide the others. The driver is asked afterwards, not meanwhile: when
//! the process dies, it is then known in which of the two libraries.

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
    if let Some(pending) = survey.nvml.then(nvml::start).flatten() {
        let patience = Duration::from_millis(survey.patience_ms);
        // A GPU that has not answered by then is known to the supervisor by its last event.
        pending.wait(start + patience);
    }
    if survey.driver {
        list_devices();
    }
}

/// Loads the driver, initialises it and tells each device. `None` where a stage failed.
fn list_devices() -> Option<()> {
    let cuda = initialise()?;
    stage(Stage::Enumerate, None, || {
        let devices = cuda.device_count()?;
        emit(&Event::Driver(Driver { cuda: cuda.version()?, devices }));
        for ordinal in 0..devices {
            emit(&Event::Device(cuda.device(ordinal)?.1));
        }
        Ok(())
    })
}

pub fn initialise() -> Option<Cuda> {
    let cuda = stage(Stage::LoadDriver, None, || Ok(Cuda::load()?))?;
    stage(Stage::DriverInit, None, || {
        // SAFETY: the flags must be zero, and are.
        unsafe { cuda.cuInit(0)? };
        Ok(())
    })?;
    Some(cuda)
}
