//! Explains GPU-to-GPU copies that return zeros.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.peer-access",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "GPU-to-GPU copies return zeros, or NCCL hangs",
    why: "The driver reports that two GPUs can access each other, but the IOMMU or PCIe access control (ACS) redirects \
          what one writes to the other. cudacheck does not copy between GPUs.",
    remedy: "On the host: boot with iommu=pt and turn ACS off in the BIOS; until then, set NCCL_P2P_DISABLE=1",
    explains: &[],
    codes: &[],
    judge: unseen,
};
