//! A machine that an image is to run on, as the user described it (`--on`). `known` has what is published about
//! drivers and GPUs.

pub mod known;

use serde::{Deserialize, Serialize};

/// Major and minor, as in 12.2.
pub type Cuda = (u32, u32);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetMachine {
    /// Of the configuration, or put together from what was said.
    pub name: String,
    /// Compute capability, such as 90.
    pub gpu: u32,
    /// Of the host's driver, such as 535.104.05.
    pub driver: Option<String>,
    /// The newest CUDA that the host's driver supports, where it was said.
    pub cuda: Option<Cuda>,
    /// Whether the kernel module is the open one, where it was said.
    pub open_module: Option<bool>,
    /// Whether the GPU is one for data centres, where it was said or the GPU's name tells.
    pub datacenter: Option<bool>,
}

/// Whether it is a version of a driver as nvidia-smi prints it.
pub fn is_driver(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let digits = |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() <= 4 && parts.iter().all(digits) && parts[0].len() == 3
}
