//! The questions that are asked about a machine, each with an answer in a word and the problems that it sees.
//!
//! `known.rs` has what is known of drivers and GPUs.

mod compat_driver;
mod known;
mod require;
mod rules;
mod runtime;
#[cfg(test)]
mod tests;

use crate::facts::target_machine::TargetMachine;

pub use known::DriverCuda;
pub use rules::{About, answers};

/// Whether a machine meets what an image requires, such as `cuda>=12.8`; none where that is not known.
pub fn requirement_met(text: &str, machine: &TargetMachine) -> Option<bool> {
    require::met(text, machine, DriverCuda::of(machine))
}

/// A line of evidence.
fn driver_text(machine: &TargetMachine, driver: DriverCuda) -> String {
    let cuda = driver.text().map_or("a CUDA that is not known".to_owned(), |cuda| format!("CUDA {cuda}"));
    match &machine.driver {
        Some(version) => format!("driver {version} supports {cuda}"),
        None => format!("the driver supports {cuda}"),
    }
}
