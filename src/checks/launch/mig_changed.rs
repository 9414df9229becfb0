//! MIG instances were made after the container was started.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.mig-changed",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "MIG instances were made after the container was started",
    why: "Nodes are given to a container once, when it is created. Instances that were made later stay invisible, \
          and those that were destroyed stay listed.",
    remedy: "Recreate the container after the layout of MIG has changed",
    explains: &[],
    codes: &[],
    judge: unseen,
};
