//! Which CUDA libraries a container image holds, who loads each copy, and which are missing or redundant.

pub mod archive;
pub mod bytes;
pub mod catalogue;
pub mod census;
pub mod contents;
pub mod elf;
pub mod fatbin;
pub mod image;
pub mod leftovers;
pub mod loader;
pub mod loads;
pub mod packages;
pub mod python;
pub mod secrets;
pub mod source;
pub mod strings;
pub mod tree;
mod usage;
pub mod verdict;
