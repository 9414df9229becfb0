//! The questions about a described machine. Each file answers one question; the checks turn answers into findings.

pub mod asked;
pub mod code;
pub mod compat_driver;
pub mod cuda;
pub mod gate;
pub mod gpu;
pub mod libraries;
pub mod module;
pub mod require;
pub mod requirement;
pub mod runtime;
