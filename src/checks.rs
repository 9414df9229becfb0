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

/// All checks, causes before consequences.
pub const CHECKS: &[&[Check]] = &[
    launch::CHECKS,
    image::CHECKS,
    node::CHECKS,
    probe::CHECKS,
    driver::CHECKS,
    device::CHECKS,
    math::CHECKS,
    library::CHECKS,
    code::CHECKS,
    leftovers::CHECKS,
    application::CHECKS,
    predict::CHECKS,
];

pub fn all() -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().copied().flatten()
}
