//! Containers that see only their own GPU cannot share GPU memory.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.ipc",
    severity: Severity::Warning,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "Containers with one GPU each cannot share GPU memory",
    why: "CUDA IPC and NVLink between processes need the GPUs of all processes visible in every container, and one \
          IPC namespace.",
    remedy: "`docker run --gpus all --ipc=host ...` for all of them; each selects its GPU with CUDA_VISIBLE_DEVICES",
    explains: &[],
    codes: &[],
    judge: unseen,
};
