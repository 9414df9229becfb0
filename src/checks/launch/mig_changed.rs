//! MIG instances were created or destroyed after the container was created.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.mig-changed",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "MIG instances changed after the container was created",
    why: "A container gets its device nodes once, when it is created. Instances that are created later stay invisible, \
          and destroyed ones stay listed.",
    remedy: "Recreate the container after each change of the MIG layout",
    explains: &[],
    codes: &[],
    judge: unseen,
};
