//! References to GPUs. CUDA and NVML number GPUs independently, so a bare number is ambiguous.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A GPU or a MIG instance, with all of its known identifiers. Made by `facts/gpus.rs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GpuRef {
    /// CUDA's ordinal in this container. None if CUDA was not queried or does not list it.
    pub ordinal: Option<u32>,
    /// NVML's index, as shown by nvidia-smi. None if NVML does not list it.
    pub index: Option<u32>,
    /// As shown by nvidia-smi: `GPU-...` or `MIG-...`.
    pub uuid: Option<String>,
    /// Whether this is a MIG instance.
    pub mig: bool,
}

impl GpuRef {
    /// Known by NVML's index alone.
    pub fn of_index(index: u32) -> GpuRef {
        GpuRef { index: Some(index), ..GpuRef::default() }
    }

    /// Whether both refer to the same GPU, by the first identifier that both have: ordinal, UUID, index.
    pub fn is_same(&self, other: &GpuRef) -> bool {
        fn both<'a, T: PartialEq>(a: &'a Option<T>, b: &'a Option<T>) -> Option<bool> {
            Some(a.as_ref()? == b.as_ref()?)
        }
        // A MIG instance is a part of its GPU, which NVML knows by one index.
        if self.mig != other.mig {
            return both(&self.index, &other.index).unwrap_or(false);
        }
        both(&self.ordinal, &other.ordinal)
            .or_else(|| both(&self.uuid, &other.uuid))
            .or_else(|| both(&self.index, &other.index))
            .unwrap_or(false)
    }
}

impl fmt::Display for GpuRef {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match (self.ordinal, self.index, &self.uuid) {
            (Some(ordinal), _, _) => write!(out, "GPU {ordinal}"),
            (None, Some(index), _) => write!(out, "NVML GPU {index}"),
            (None, None, Some(uuid)) => write!(out, "GPU {uuid}"),
            (None, None, None) => write!(out, "a GPU"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_with_a_common_identifier_are_compared_by_it() {
        let uuid = |text: &str| Some(text.to_owned());
        let whole = GpuRef { ordinal: Some(0), index: Some(3), uuid: uuid("GPU-a"), mig: false };
        let by_index = GpuRef::of_index(3);
        let by_uuid = GpuRef { uuid: uuid("GPU-a"), ..GpuRef::default() };
        let by_ordinal = GpuRef { ordinal: Some(3), ..GpuRef::default() };
        assert!(whole.is_same(&by_index) && by_index.is_same(&whole) && whole.is_same(&by_uuid));
        // An ordinal is not an index.
        assert!(!whole.is_same(&by_ordinal) && !by_index.is_same(&by_ordinal));
        assert!(!by_index.is_same(&by_uuid), "no identifier in common");
        assert_eq!((whole.to_string(), by_index.to_string()), ("GPU 0".into(), "NVML GPU 3".into()));
    }

    #[test]
    fn two_instances_of_one_gpu_are_different() {
        let instance = |ordinal, uuid: &str| GpuRef {
            ordinal: Some(ordinal),
            index: Some(0),
            uuid: Some(uuid.to_owned()),
            mig: true,
        };
        assert!(!instance(0, "MIG-a").is_same(&instance(1, "MIG-b")));
        // What NVML reports about the GPU concerns each of them, whichever device comes first.
        let gpu = GpuRef { ordinal: Some(0), index: Some(0), uuid: Some("GPU-x".into()), mig: false };
        assert!(gpu.is_same(&instance(1, "MIG-b")) && instance(0, "MIG-a").is_same(&gpu));
    }
}
