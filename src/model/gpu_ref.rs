//! Which GPU is meant. CUDA and NVML number GPUs independently, so that a bare number names none.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A GPU or a MIG instance, by each name that is known. `facts/gpus.rs` makes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GpuRef {
    /// CUDA's ordinal in this container; none where CUDA was not asked or does not list it.
    pub ordinal: Option<u32>,
    /// NVML's index, as nvidia-smi shows it; none where NVML does not list it.
    pub index: Option<u32>,
    /// As nvidia-smi prints it: GPU-… or MIG-….
    pub uuid: Option<String>,
    /// A MIG instance.
    pub mig: bool,
}

impl GpuRef {
    /// Whether both name one GPU: by the most specific name that both have.
    pub fn is_same(&self, other: &GpuRef) -> bool {
        fn both<'a, T: PartialEq>(a: &'a Option<T>, b: &'a Option<T>) -> Option<bool> {
            Some(a.as_ref()? == b.as_ref()?)
        }
        both(&self.ordinal, &other.ordinal)
            .or_else(|| both(&self.uuid, &other.uuid))
            .or_else(|| both(&self.index, &other.index))
            .unwrap_or(false)
    }

    /// The number that people see: CUDA's, which programs use, else NVML's.
    pub fn number(&self) -> Option<u32> {
        self.ordinal.or(self.index)
    }
}

impl fmt::Display for GpuRef {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match (self.number(), &self.uuid) {
            (Some(number), _) => write!(out, "GPU {number}"),
            (None, Some(uuid)) => write!(out, "GPU {uuid}"),
            (None, None) => write!(out, "a GPU"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gpu_under_two_names() {
        let uuid = |text: &str| Some(text.to_owned());
        let whole = GpuRef { ordinal: Some(0), index: Some(3), uuid: uuid("GPU-a"), mig: false };
        let by_index = GpuRef { index: Some(3), ..GpuRef::default() };
        let by_uuid = GpuRef { uuid: uuid("GPU-a"), ..GpuRef::default() };
        let by_ordinal = GpuRef { ordinal: Some(3), ..GpuRef::default() };
        assert!(whole.is_same(&by_index) && by_index.is_same(&whole) && whole.is_same(&by_uuid));
        // A number of CUDA's is none of NVML's.
        assert!(!whole.is_same(&by_ordinal) && !by_index.is_same(&by_ordinal));
        assert!(!by_index.is_same(&by_uuid), "nothing says so");
        assert_eq!((whole.to_string(), by_index.to_string()), ("GPU 0".into(), "GPU 3".into()));
    }

    #[test]
    fn two_instances_of_one_gpu_are_two() {
        let instance = |ordinal, uuid: &str| GpuRef {
            ordinal: Some(ordinal),
            index: Some(0),
            uuid: Some(uuid.to_owned()),
            mig: true,
        };
        assert!(!instance(0, "MIG-a").is_same(&instance(1, "MIG-b")));
    }
}
