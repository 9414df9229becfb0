//! GPUs copy zeros to each other, or NCCL hangs.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.peer-access",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "GPUs copy zeros to each other, or NCCL hangs",
    why: "The driver says that two GPUs can reach each other, and the IOMMU or PCIe's access control sends what one \
          writes elsewhere. cudacheck does not copy between GPUs.",
    remedy: "On the host: boot with iommu=pt and turn ACS off in the BIOS; until then NCCL_P2P_DISABLE=1",
    explains: &[],
    codes: &[],
    judge: unseen,
};
