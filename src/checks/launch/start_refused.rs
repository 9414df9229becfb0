//! The container engine cannot give containers a GPU.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.start-refused",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The container engine cannot give containers a GPU",
    why: "docker run says 'could not select device driver \"\" with capabilities: [[gpu]]' where the NVIDIA Container \
          Toolkit is not installed, and 'load library failed: libnvidia-ml.so.1' where the host has no driver. The \
          container never starts, so cudacheck cannot see it.",
    remedy: "On the host, with the driver installed (nvidia-smi works): sudo apt-get install \
             nvidia-container-toolkit && sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl \
             restart docker",
    explains: &[],
    codes: &[],
    judge: unseen,
};
