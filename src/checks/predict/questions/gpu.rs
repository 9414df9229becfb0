//! Does the machine's driver support the GPU? A compatibility driver in the image does not change that: the kernel
//! module is still the machine's.

use std::fmt;

use super::asked::Asked;
use crate::facts::target_machine::Cuda;
use crate::facts::target_machine::known::{self, DriverCuda};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Supported,
    /// Drivers newer than this branch have dropped the GPU.
    TooOld {
        last: u32,
    },
    /// Drivers support the GPU since this CUDA.
    TooNew {
        since: Cuda,
    },
    Unknown,
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(match self {
            Answer::Supported => "yes",
            Answer::TooOld { .. } => "no, too old",
            Answer::TooNew { .. } => "no, too new",
            Answer::Unknown => "?",
        })
    }
}

pub fn ask(asked: &Asked) -> Answer {
    let (machine, driver) = (asked.machine, asked.driver);
    let dropped_by = |last: &u32| match (known::branch(machine), machine.cuda, DriverCuda::of_branch(*last)) {
        (Some(branch), ..) => branch > *last,
        // No driver of a branch supports a newer CUDA than the branch.
        (None, Some(cuda), DriverCuda::Exactly(of_last)) => cuda > of_last,
        _ => false,
    };
    if let Some(last) = known::last_branch(machine.gpu).filter(dropped_by) {
        return Answer::TooOld { last };
    }
    match known::driver_knows(machine.gpu, driver) {
        (Some(true), _) => Answer::Supported,
        (Some(false), Some(since)) => Answer::TooNew { since },
        _ => Answer::Unknown,
    }
}
