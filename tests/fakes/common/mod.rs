//! What the fake libraries share: the script, the actions it may ask for, the GPUs that it
//! describes, and the few helpers that touch pointers of C callers.
//!
//! Every library is a crate of its own and compiles its own copy of these modules. It defines
//! two constants that they use: `INVALID` (its code for a bad argument) and `LOST`.

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
