//! What nobody inside the container can see: it never starts, or the trouble is another process's. These
//! are here to be explained, and never found.

use super::{Check, Outcome};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECKS: &[Check] = &[
    Check {
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
    },
    Check {
        id: "launch.cdi-unresolved",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The CDI devices that were asked for do not exist",
        why: "The engine says 'unresolvable CDI devices nvidia.com/gpu=all': there is no CDI specification, it is not \
              readable for the user, or it does not list that device. The container never starts.",
        remedy: "On the host: sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml && nvidia-ctk cdi list",
        explains: &[],
        codes: &[],
        judge: unseen,
    },
    Check {
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
    },
    Check {
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
    },
    Check {
        id: "launch.imex",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "Memory cannot be shared between nodes: no IMEX channel",
        why: "On machines whose NVLink reaches across nodes, allocations that are exported need a channel in \
              /dev/nvidia-caps-imex-channels. Without one cuMemCreate is not permitted.",
        remedy: "docker run -e NVIDIA_IMEX_CHANNELS=0 ...   with nvidia-imex running on the host; Kubernetes: a \
                 ComputeDomain",
        explains: &[],
        codes: &[(Family::Driver, 800), (Family::Runtime, 800)],
        judge: unseen,
    },
    Check {
        id: "node.xid",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The kernel has reported an Xid",
        why: "The driver writes each fault of a GPU to the kernel's log as an Xid. 13, 31, 43 and 45 come from the \
              application; 48, 63, 64 and 94 from memory; 74 from NVLink; 79 says that the GPU fell off the bus; 119 and \
              120 that its GSP does not answer. A container cannot read that log.",
        remedy: "On the host: sudo dmesg | grep -i xid   then what NVIDIA's catalogue of Xids says for the number",
        explains: &[],
        codes: &[(Family::Driver, 719), (Family::Runtime, 719)],
        judge: unseen,
    },
    Check {
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
    },
    Check {
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
    },
];

fn unseen(_: &Facts) -> Outcome {
    Outcome::Skip("it cannot be seen from inside a container")
}
