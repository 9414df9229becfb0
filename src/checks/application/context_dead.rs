//! The application's CUDA context is corrupted, and only a new process gets another.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "application.context-dead",
    severity: Severity::Error,
    owner: Owner::Application,
    fix: Fix::Restart,
    title: "The application's CUDA context is dead; the GPU works",
    why: "After an illegal memory access or a failed assertion, every further CUDA call of the same process fails with \
          the same error. Other processes, such as this one, still work on the same GPU.",
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
