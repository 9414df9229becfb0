//! Checks: pure functions from facts to findings. No I/O, no clock, no environment.
//!
//! Each check is a file `FAMILY/NAME.rs` with a constant `CHECK`, its function and its unit tests. `judge.rs` runs all
//! of them. To add a check, write its file, list it in `FAMILY.rs`, and regenerate docs/checks.md (CUDACHECK_BLESS=1).

/// The checks of a family, in the order of the report: each name is a module with a `CHECK`.
macro_rules! family {
    ($($check:ident)*) => {
        $(mod $check;)*

        pub const CHECKS: &[$crate::checks::Check] = &[$($check::CHECK),*];
    };
}

mod application;
mod check;
mod code;
mod device;
mod driver;
mod image;
mod judge;
mod judgement;
mod launch;
mod leftovers;
mod library;
mod math;
mod node;
mod predict;
mod probe;
mod shared;
#[cfg(test)]
mod testing;

pub use check::{Check, Outcome, Problem};
pub use judge::judge;
pub use judgement::{Answered, Judgement, MachineAnswers};

/// Checks about one part of the stack. Their ids begin with its name.
pub struct Family {
    pub name: &'static str,
    /// For `cudacheck explain` and docs/checks.md.
    pub heading: &'static str,
    pub checks: &'static [Check],
}

/// Causes before consequences.
pub const FAMILIES: &[Family] = &[
    Family { name: "launch", heading: "How the container is started", checks: launch::CHECKS },
    Family { name: "image", heading: "Problems in the image", checks: image::CHECKS },
    Family { name: "node", heading: "The host", checks: node::CHECKS },
    Family { name: "probe", heading: "Probes that did not finish", checks: probe::CHECKS },
    Family { name: "driver", heading: "The driver and NVML", checks: driver::CHECKS },
    Family { name: "device", heading: "Each GPU", checks: device::CHECKS },
    Family { name: "math", heading: "cuBLAS, libcudart and CUPTI", checks: math::CHECKS },
    Family { name: "library", heading: "CUDA libraries in the image", checks: library::CHECKS },
    Family { name: "code", heading: "Device code in the image", checks: code::CHECKS },
    Family { name: "leftovers", heading: "What else is in the image", checks: leftovers::CHECKS },
    Family { name: "application", heading: "The application", checks: application::CHECKS },
    Family {
        name: PREDICTIONS,
        heading: "Whether the image works on a described machine",
        checks: predict::CHECKS,
    },
];

/// The family of checks on machines that are only described. No probe runs them.
pub const PREDICTIONS: &str = "predict";

pub fn all() -> impl Iterator<Item = &'static Check> {
    FAMILIES.iter().flat_map(|family| family.checks)
}
