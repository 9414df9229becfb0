//! The modules of cudacheck's facts that look at an image, through the link `facts` beside this file.
//! Those that look at the machine are left out.

pub mod archive;
pub mod bytes {
    include!(concat!(env!("OUT_DIR"), "/bytes.rs"));
}
pub mod catalogue;
pub mod census;
pub mod contents;
pub mod elf;
pub mod fatbin;
pub mod hygiene;
pub mod image;
pub mod loader;
pub mod packages;
pub mod python;
pub mod secrets;
pub mod source;
pub mod strings;
pub mod tree;
mod users;
