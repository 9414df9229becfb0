//! The container engine refuses to start containers with a GPU.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.start-refused",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The container engine cannot give containers a GPU",
    why: "docker run fails with 'could not select device driver \"\" with capabilities: [[gpu]]' if the NVIDIA \
          Container Toolkit is not installed, and with 'load library failed: libnvidia-ml.so.1' if the host has no \
          driver. The container never starts, so cudacheck cannot detect this.",
    remedy: "On the host, with the driver installed (`nvidia-smi` works): `sudo apt-get install \
             nvidia-container-toolkit && sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart \
             docker`",
    explains: &[],
    codes: &[],
    judge: unseen,
};
