//! One image and one machine: what every question starts from.

use super::compat_driver::Compat;
use super::runtime::{self, Runtime};
use crate::checks::Problem;
use crate::checks::code::{Deciding, deciding};
use crate::facts::Facts;
use crate::facts::target_machine::TargetMachine;
use crate::facts::target_machine::known::DriverCuda;

pub struct Asked<'a> {
    pub facts: &'a Facts,
    pub machine: &'a TargetMachine,
    /// The newest CUDA that the machine's driver supports.
    pub driver: DriverCuda,
    /// The CUDA runtime that the image's programs use.
    pub runtime: Option<Runtime<'a>>,
    /// The compatibility driver in the image.
    pub compat: Option<Compat<'a>>,
    /// The device code in the image.
    pub code: Option<Deciding<'a>>,
}

impl<'a> Asked<'a> {
    pub fn new(facts: &'a Facts, machine: &'a TargetMachine) -> Asked<'a> {
        Asked {
            facts,
            machine,
            driver: DriverCuda::of(machine),
            runtime: runtime::of(facts),
            compat: Compat::find(facts),
            code: deciding(facts),
        }
    }

    /// A problem with the driver as evidence.
    pub fn problem(&self, cause: impl Into<String>) -> Problem {
        Problem::new(cause).evidence(self.driver_text())
    }

    pub fn driver_text(&self) -> String {
        let cuda = match self.driver.text() {
            Some(cuda) => format!("supports CUDA {cuda}"),
            None => "supports an unknown CUDA version".to_owned(),
        };
        match &self.machine.driver {
            Some(version) => format!("driver {version} {cuda}"),
            None => format!("the driver {cuda}"),
        }
    }
}
