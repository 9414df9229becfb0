//! Does the machine's kernel module support the GPU?

use std::fmt;

use crate::facts::target_machine::TargetMachine;
use crate::facts::target_machine::known;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Open,
    Closed,
    /// Unknown, and either one supports the GPU.
    Any,
    ClosedNeedsOpen,
    OpenNeedsClosed,
    /// Unknown, and the GPU needs the open one.
    UnknownNeedsOpen,
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(match self {
            Answer::Open | Answer::OpenNeedsClosed => "open",
            Answer::Closed | Answer::ClosedNeedsOpen => "closed",
            Answer::Any => "any",
            Answer::UnknownNeedsOpen => "?",
        })
    }
}

pub fn ask(machine: &TargetMachine) -> Answer {
    match machine.open_module {
        Some(true) if known::needs_closed_module(machine.gpu) => Answer::OpenNeedsClosed,
        Some(true) => Answer::Open,
        Some(false) if known::needs_open_module(machine.gpu) => Answer::ClosedNeedsOpen,
        Some(false) => Answer::Closed,
        None if known::needs_open_module(machine.gpu) => Answer::UnknownNeedsOpen,
        None => Answer::Any,
    }
}
