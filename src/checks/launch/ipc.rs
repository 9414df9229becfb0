//! Containers with one GPU each cannot share memory of their GPUs.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.ipc",
    severity: Severity::Warning,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "Containers with one GPU each cannot share memory of their GPUs",
    why: "CUDA IPC and NVLink between processes need all their GPUs visible in both containers, and one IPC \
          namespace.",
    remedy: "docker run --gpus all --ipc=host ...   for all of them, each choosing its GPU by CUDA_VISIBLE_DEVICES",
    explains: &[],
    codes: &[],
    judge: unseen,
};
