//! A machine that an image is to run on, as the user described it (`--on`). `known` answers questions about
//! drivers and GPUs from the published `tables`.

pub mod known;
mod tables;

pub use tables::Build;

use serde::{Deserialize, Serialize};

/// Major and minor version.
pub type Cuda = (u32, u32);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetMachine {
    /// From the configuration, or composed from the flags.
    pub name: String,
    /// Compute capability, such as 90.
    pub gpu: u32,
    /// Version of the host's driver, such as 535.104.05.
    pub driver: Option<String>,
    /// The newest CUDA version that the host's driver supports, if given.
    pub cuda: Option<Cuda>,
    /// Whether the kernel module is the open one, if given.
    pub open_module: Option<bool>,
    /// Whether it is a data center GPU, if given or evident from its name.
    pub datacenter: Option<bool>,
}

/// Whether a text is a driver version as shown by nvidia-smi.
pub fn is_driver(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let digits = |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() <= 4 && parts.iter().all(digits) && parts[0].len() == 3
}
