//! Does the image require a driver that runs what is in it? No machine is described: the drivers of the table are asked.

use super::compat_driver::Compat;
use super::require;
use super::requirement::{self, Variables};
use super::runtime::{self, Runtime};
use crate::facts::Facts;
use crate::facts::target_machine::known::{self, DriverCuda};
use crate::facts::target_machine::{Cuda, TargetMachine};

/// A driver that meets the requirements of the image and does not run its CUDA.
pub struct Admitted<'a> {
    pub branch: u32,
    /// What the driver supports.
    pub cuda: Cuda,
    pub runtime: Runtime<'a>,
    pub variables: Variables<'a>,
}

/// GPUs of which at least one meets the constraints that requirements have.
const GPUS: [u32; 4] = [75, 80, 90, 120];

/// The newest such driver. By minor-version compatibility, a driver runs every release of its major version.
pub fn admitted(facts: &Facts) -> Option<Admitted<'_>> {
    let variables = requirement::variables(facts);
    if variables.is_empty() {
        return None;
    }
    let runtime = newest_runtime(facts)?;
    // On the machines that it is made for, the driver of a compatibility package takes the place of an older one.
    let compat = Compat::find(facts).map_or(DriverCuda::Unknown, |compat| compat.cuda());
    if compat.reaches((runtime.major, 0)) == Some(true) {
        return None;
    }
    let meets = |branch: u32| {
        GPUS.iter().any(|gpu| {
            let machine = last_of(branch, *gpu);
            variables.iter().all(|(_, value)| require::met(value, &machine) == Some(true))
        })
    };
    let (branch, cuda) = known::branches()
        .rev()
        .filter(|(_, cuda)| cuda.0 < runtime.major)
        .find(|(branch, _)| meets(*branch))?;
    Some(Admitted { branch, cuda, runtime, variables })
}

/// Of the installations; without any, of the image.
fn newest_runtime(facts: &Facts) -> Option<Runtime<'_>> {
    let frameworks = &facts.census.frameworks;
    let own = frameworks.iter().filter_map(|framework| runtime::of(facts, Some(framework)));
    own.max_by_key(|runtime| (runtime.major, runtime.minor)).or_else(|| runtime::of(facts, None))
}

/// A machine with the last driver of a branch. What holds for data center GPUs alone is a promise to them alone.
fn last_of(branch: u32, gpu: u32) -> TargetMachine {
    TargetMachine {
        name: String::new(),
        gpu,
        driver: Some(format!("{branch}.999")),
        cuda: None,
        open_module: None,
        datacenter: Some(false),
    }
}
