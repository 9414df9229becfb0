//! Healthy set-ups that look broken: status 0, and nothing worse than a note.

use super::machine::{DRIVER, Machine, open_module};
use super::{Scenario, healthy};
use crate::util::READ_ONLY;

const UUID: &str = "GPU-00000000-0000-0000-0000-000000000000";

#[rustfmt::skip]
pub const HEALTHY: &[Scenario] = &[
    healthy("A container with its GPU", "gemm", || Machine::whole("")),
    healthy("CDI: NVIDIA_VISIBLE_DEVICES=void, and the GPU is there", "gemm",
        || Machine::whole("").env("NVIDIA_VISIBLE_DEVICES", "void")),
    healthy("A MIG instance; NVML returns 4 for other GPUs", "gemm",
        || Machine::whole("gpus = 2\nmig = 1\ngpu.1.nvmlDeviceGetHandleByIndex_v2 = 4")
            .with_node("nvidia-caps/nvidia-cap1")
            .env("CUDA_VISIBLE_DEVICES", "MIG-00000000-0000-0000-0000-000000000000")),
    healthy("WSL: /dev/dxg, and no /dev/nvidia*", "gemm", || Machine::wsl("")),
    healthy("GKE: driver in /usr/local/nvidia/lib64, found by LD_LIBRARY_PATH", "gemm",
        || Machine::without_gpu().with_cuda().given_nodes().given_driver("/usr/local/nvidia/lib64")
            .script("sms = 2")
            .env("LD_LIBRARY_PATH", "/usr/local/nvidia/lib64").env("KUBERNETES_SERVICE_HOST", "10.0.0.1")),
    healthy("A pod with its GPU", "gemm",
        || Machine::whole("").env("KUBERNETES_SERVICE_HOST", "10.0.0.1").env("NVIDIA_VISIBLE_DEVICES", UUID)),
    healthy("The application uses all GPU memory", "gemm", || Machine::whole("free_mib = 200\nused_by = 1")),
    healthy("Compute mode exclusive, and the application uses the GPU", "gemm",
        || Machine::whole("compute_mode = 3\nused_by = 1")),
    healthy("One GPU of eight; NVML returns 4 for the others", "gemm", || Machine::whole(ONE_OF_EIGHT)
        .env("CUDA_VISIBLE_DEVICES", "0")),
    healthy("Forward compatibility in use", "gemm",
        || Machine::whole("").with_compat_in_force("cuda = 13000")),
    healthy("Not root", "gemm", || Machine::that_opens_nodes("").user("65534:65534")),
    healthy("Not root, in the group of the device nodes", "gemm",
        || Machine::that_opens_nodes("").with_nodes_of_group(44).user("65534:65534 --groups=44")),
    healthy("distroless: LD_LIBRARY_PATH instead of ld.so.cache", "gemm",
        || Machine::without_gpu().with_cuda().given_nodes().given_driver("/usr/lib64").script("sms = 2")
            .env("LD_LIBRARY_PATH", "/usr/lib64")),
    healthy("A read-only root", "gemm", || Machine::whole("").shell(READ_ONLY)),
    healthy("The open kernel module", "gemm", || Machine::whole("").with_module(&open_module(DRIVER))),
    healthy("Eight GPUs", "smoke", || Machine::whole("gpus = 8")),
    healthy("A driver older than the runtime, of the same major version", "gemm",
        || Machine::whole("runtime = 12080")),
    healthy("An image without CUDA libraries", "gemm", || Machine::whole("").without_cuda()),
    healthy("Idle: the PCIe link runs at generation 1", "gemm", || Machine::whole("pcie_gen = 1")),
    healthy("GPUs without NVLink fabric", "gemm", || Machine::whole("fabric_state = 0")),
    healthy("One GPU and Docker's default /dev/shm of 64 MiB", "smoke",
        || Machine::whole("").with_shared_memory("64m")),
    healthy("Driver capabilities without compute, at level nvml", "nvml",
        || Machine::whole("").without_libcuda().without_node("nvidia-uvm")),
    healthy("NVIDIA_REQUIRE_CUDA, satisfied by its second alternative", "driver",
        || Machine::whole("").env("NVIDIA_REQUIRE_CUDA", "cuda>=12.8 driver>=550,driver<551")),
    healthy("CUDA_VISIBLE_DEVICES ends with -1", "driver",
        || Machine::whole("gpus = 2").env("CUDA_VISIBLE_DEVICES", "0,1,-1")),
    // One warning, and status 0.
    healthy("No NVML; CUDA works", "gemm",
        || Machine::whole("").without_nvml().env("NVIDIA_DRIVER_CAPABILITIES", "compute"))
        .except("driver.nvml"),
];

const ONE_OF_EIGHT: &str = "gpus = 8
gpu.1.nvmlDeviceGetHandleByIndex_v2 = 4
gpu.2.nvmlDeviceGetHandleByIndex_v2 = 4
gpu.3.nvmlDeviceGetHandleByIndex_v2 = 4
gpu.4.nvmlDeviceGetHandleByIndex_v2 = 4
gpu.5.nvmlDeviceGetHandleByIndex_v2 = 4
gpu.6.nvmlDeviceGetHandleByIndex_v2 = 4
gpu.7.nvmlDeviceGetHandleByIndex_v2 = 4";
