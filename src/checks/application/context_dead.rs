//! The application's CUDA context is corrupted, and only a new process gets another.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::codes::Library;
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
        (Library::Driver, 700),
        (Library::Driver, 710),
        (Library::Driver, 719),
        (Library::Runtime, 700),
        (Library::Runtime, 710),
        (Library::Runtime, 719),
    ],
    judge: unseen,
};
