//! An application's CUDA context is dead, and the GPU is well.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "application.context-dead",
    severity: Severity::Error,
    owner: Owner::Application,
    fix: Fix::Restart,
    title: "An application's CUDA context is dead, and the GPU is well",
    why: "After an illegal access or a failed assertion every further call of the same process fails with the same \
          number. Another process, such as this one, works on the same GPU.",
    remedy: "Restart the application, and let its own readiness probe fail when its CUDA calls do",
    explains: &[],
    codes: &[
        (Family::Driver, 700),
        (Family::Driver, 710),
        (Family::Driver, 719),
        (Family::Runtime, 700),
        (Family::Runtime, 710),
        (Family::Runtime, 719),
    ],
    judge: unseen,
};
