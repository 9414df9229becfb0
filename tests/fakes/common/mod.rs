//! Shared by the fake libraries: the script, its actions, the GPUs that it describes, and helpers for
//! pointers of C callers.
//!
//! Every library is a separate crate with its own copy of these modules. It defines two constants
//! that they use: `INVALID` (its code for a bad argument) and `LOST`.

#![allow(dead_code, reason = "each library uses its own part of these modules")]

pub mod abi;
pub mod act;
pub mod driver;
pub mod gpu;
pub mod launch;
pub mod nodes;
pub mod script;
pub mod space;
pub mod table;
