//! Faults: every failure mode that can be built without hardware.
//!
//! Each entry: failure mode, description, level, the finding that must come first, how to build the machine, and the
//! remedy where it can be applied here.

use super::machine::{DRIVER, Machine, OLD_DRIVER, closed_module, open_module};
use super::{Scenario, fault};

const UUID: &str = "GPU-00000000-0000-0000-0000-000000000000";
const MIG: &str = "MIG-00000000-0000-0000-0000-000000000000";
const HIDDEN: &str = "CUDA_VISIBLE_DEVICES";
const GIVEN: &str = "NVIDIA_VISIBLE_DEVICES";
const SEARCHED: &str = "LD_LIBRARY_PATH";

#[rustfmt::skip]
pub const FAULTS: &[Scenario] = &[
    // A: injection and loader
    fault("A1", "No GPU was requested", "gemm", "launch.not-requested",
        || Machine::without_gpu().with_cuda())
        .fixed_by(Machine::given_gpu),
    fault("A1", "No driver on the host", "gemm", "launch.driver-not-loaded",
        || Machine::without_driver().with_cuda()),
    fault("A3", "NVIDIA_REQUIRE_CUDA is not satisfied by the driver", "driver", "launch.requirement",
        || Machine::whole("cuda = 12040").env("NVIDIA_REQUIRE_CUDA", "cuda>=12.8")
            .env("NVIDIA_DISABLE_REQUIRE", "1"))
        .fixed_by(|machine| machine.script("cuda = 12080")),
    fault("A4", "NVIDIA_VISIBLE_DEVICES=none: everything but the GPU's device node", "driver", "launch.no-gpu-selected",
        || Machine::whole("gpus = 0").without_node("nvidia0").env(GIVEN, "none"))
        .fixed_by(|machine| machine.with_node("nvidia0").env(GIVEN, "all").script("gpus = 1")),
    fault("A4", "NVIDIA_VISIBLE_DEVICES=void, and nothing was injected", "driver", "launch.no-gpu-selected",
        || Machine::without_gpu().env(GIVEN, "void"))
        .fixed_by(|machine| machine.given_gpu().env(GIVEN, "all")),
    fault("A4", "NVIDIA_VISIBLE_DEVICES is empty, nothing was injected", "driver", "launch.no-gpu-selected",
        || Machine::without_gpu().env(GIVEN, ""))
        .fixed_by(|machine| machine.given_gpu().env(GIVEN, "all")),
    fault("A5", "NVIDIA_DRIVER_CAPABILITIES without compute", "driver", "launch.libcuda-missing",
        || Machine::whole("").without_libcuda().env("NVIDIA_DRIVER_CAPABILITIES", "utility"))
        .fixed_by(|machine| machine.given_libcuda().env("NVIDIA_DRIVER_CAPABILITIES", "compute,utility")),
    fault("A6", "NVIDIA_DRIVER_CAPABILITIES without utility", "driver", "driver.nvml",
        || Machine::whole("").without_nvml().env("NVIDIA_DRIVER_CAPABILITIES", "compute"))
        .fixed_by(|machine| machine.given_nvml().env("NVIDIA_DRIVER_CAPABILITIES", "compute,utility")),
    fault("A7", "A pod with a GPU, and a runtime that does not inject it", "driver", "launch.no-runtime-class",
        || Machine::without_gpu().env("KUBERNETES_SERVICE_HOST", "10.0.0.1").env(GIVEN, UUID))
        .fixed_by(Machine::given_gpu),
    fault("A8", "The driver is in a directory that the loader does not search", "driver", "launch.library-path",
        || Machine::without_gpu().given_nodes().given_driver("/usr/local/nvidia/lib64"))
        .fixed_by(|machine| machine.env(SEARCHED, "/usr/local/nvidia/lib64")),
    fault("A9", "The driver is in a directory that only ld.so.cache would list", "driver", "image.no-ld-cache",
        || Machine::without_gpu().given_nodes().given_driver("/usr/lib64"))
        .fixed_by(|machine| machine.file("/etc/ld.so.conf", "/usr/lib64\n").shell("ldconfig -r $R")),
    fault("A10", "musl instead of glibc", "driver", "image.no-glibc",
        || Machine::from_scratch().with_real_musl()),
    fault("A10", "No loader at all", "driver", "image.no-glibc",
        Machine::from_scratch),
    fault("A11", "libcuda needs GLIBC_2.99", "driver", "image.glibc-too-old",
        || Machine::whole("").with_libcuda_of_newer_glibc()),
    fault("A12", "An empty libcuda from docker commit", "driver", "image.driver-file-empty",
        || Machine::whole("").with_driver_of(DRIVER).mounted("/usr/lib/libcuda.so.550.54.15")
            .file("/usr/lib/libcuda.so.535.104.05", "")
            .linked("/usr/lib/libcuda.so.1", "libcuda.so.535.104.05"))
        .fixed_by(|machine| machine.without("/usr/lib/libcuda.so.535.104.05")
            .linked("/usr/lib/libcuda.so.1", "libcuda.so.550.54.15")
            .mounted("/usr/lib/libnvidia-ml.so.550.54.15")),
    fault("A13", "A driver package of another version in the image", "driver", "image.driver-mismatch",
        || Machine::whole("nvmlInit_v2 = 18\ncuInit = 803").with_driver_of(OLD_DRIVER))
        .fixed_by(|machine| machine.without("/usr/lib/libcuda.so.535.104.05")
            .without("/usr/lib/libnvidia-ml.so.535.104.05")
            .without_libcuda().without_nvml().given_driver("/usr/lib").script("gpus = 1")),
    fault("A14", "The toolkit's stub libcuda, found by LD_LIBRARY_PATH", "driver", "image.stub-libcuda",
        || Machine::whole("").with_real_stub("/usr/local/cuda/lib64/stubs")
            .env(SEARCHED, "/usr/local/cuda/lib64/stubs"))
        .fixed_by(|machine| machine.unset(SEARCHED)),
    fault("A15", "cuda-compat older than the kernel module, first in the search path", "driver", "image.compat-mismatch",
        || Machine::whole("").with_compat("cuInit = 803"))
        .fixed_by(|machine| machine.unset(SEARCHED)),
    fault("A16", "cuda-compat on a GPU that does not support it", "driver", "image.compat-unsupported",
        || Machine::whole("").with_compat("cuInit = 804"))
        .fixed_by(|machine| machine.unset(SEARCHED)),
    fault("A17", "A RUN step of an image build", "gemm", "launch.build-step",
        || Machine::without_gpu().with_cuda().shell("hostname buildkitsandbox")),

    // B: device nodes and permissions
    fault("B1, B2", "The device cgroup denies the device nodes", "driver", "launch.device-denied",
        || Machine::that_opens_nodes("").with_nodes_of_nvidia().denied_by_cgroup())
        .fixed_by(Machine::recreated),
    fault("B1, B2", "The same with NVIDIA's driver libraries", "driver", "launch.device-denied",
        || Machine::whole("").with_real_driver().with_nodes_of_nvidia().denied_by_cgroup()),
    fault("B3", "Device nodes of a group that the user is not in", "driver", "launch.node-permissions",
        || Machine::that_opens_nodes("").with_nodes_of_group(44).user("65534:65534"))
        .fixed_by(|machine| machine.user("65534:65534 --groups=44")),
    fault("B4", "SELinux denies access that the file mode allows", "driver", "launch.selinux",
        || Machine::that_opens_nodes("").that_refuses_devices()
            .proc("1/attr/current", "system_u:system_r:container_t:s0:c1,c2")),
    fault("B1, B2", "The device cgroup denies only /dev/nvidia-uvm; NVML works", "driver", "launch.device-denied",
        || Machine::whole("cuInit = 999").with_nodes_of_nvidia().with_node("nvidiactl").with_node("nvidia0")
            .denied_by_cgroup()),
    fault("B6", "No /dev/nvidia-uvm", "driver", "launch.uvm-missing",
        || Machine::that_opens_nodes("").without_node("nvidia-uvm"))
        .fixed_by(|machine| machine.with_node("nvidia-uvm")),
    fault("B7", "/dev/nvidia-uvm with the major number from before a reboot", "driver", "launch.uvm-stale",
        || Machine::that_opens_nodes("").with_made_node("nvidia-uvm", "c 511 0", "0666", 0))
        .fixed_by(Machine::recreated),
    fault("B8", "cuInit returns 3 with the open kernel module", "driver", "node.hmm",
        || Machine::whole("cuInit = 3").with_module(&open_module(DRIVER))),
    fault("B9", "cuInit returns 999, and every device node opens", "driver", "node.uvm-wedged",
        || Machine::that_opens_nodes("cuInit = 999")),
    fault("B10", "cuInit returns 304 under a seccomp filter", "driver", "launch.seccomp",
        || Machine::whole("cuInit = 304").shell(FILTERED)),
    fault("B11", "gVisor without nvproxy", "driver", "launch.gvisor",
        || Machine::without_driver().proc("version", "Linux version 4.4.0-gVisor #1 SMP\n")),
    fault("B12", "A MIG instance without its capability nodes", "driver", "launch.mig-caps",
        || Machine::whole("mig = 2\ncuInit = 100\nnvmlDeviceGetMigDeviceHandleByIndex = 4").env(GIVEN, MIG)),

    // C: driver, kernel, hardware
    fault("C1", "NVIDIA's driver libraries without a kernel module", "driver", "launch.driver-not-loaded",
        || Machine::without_driver().with_real_driver()),
    fault("C2", "Host libraries of driver 535, kernel module 550", "driver", "node.driver-mismatch",
        || Machine::whole("nvmlInit_v2 = 18\ncuInit = 803").with_driver_of(OLD_DRIVER)
            .mounted("/usr/lib/libcuda.so.535.104.05").mounted("/usr/lib/libnvidia-ml.so.535.104.05"))
        .fixed_by(|machine| machine.with_module(&closed_module(OLD_DRIVER)).script("driver = 535.104.05")),
    fault("C2", "The same without NVML", "driver", "node.driver-mismatch",
        || Machine::whole("cuInit = 803").with_driver_of(OLD_DRIVER).without_nvml()
            .mounted("/usr/lib/libcuda.so.535.104.05")),
    fault("C3", "libcudart of CUDA 13 on a driver for CUDA 12.4", "gemm", "math.driver-too-old",
        || Machine::whole("runtime = 13000"))
        .fixed_by(|machine| machine.script("sms = 2\nruntime = 13000\ncuda = 13000")),
    fault("C4", "PTX newer than the driver", "smoke", "device.ptx-too-new",
        || Machine::whole("cuModuleLoadDataEx = 222")),
    fault("C5", "PyTorch 2.5 on a GPU of compute capability 12.0", "driver", "code.none-for-gpu",
        || NEEDED_BY_TORCH.iter().fold(
            Machine::whole("cc = 12.0").with_real_library("torch12", TORCH),
            |machine, library| machine.with_library(&format!("/app/{library}")))),
    fault("C6", "cuBLAS 13 on a GPU of compute capability 7.0", "driver", "code.none-for-gpu",
        || Machine::whole("cc = 7.0").with_real_library("cublas/13", "nvidia/cu13/lib/libcublas.so.13")),
    fault("C7", "No PTX JIT compiler beside libcuda", "smoke", "device.jit-compiler",
        || Machine::whole("needs_compiler = 1"))
        .fixed_by(|machine| machine.with_library("/usr/lib/libnvidia-ptxjitcompiler.so.1")),
    fault("C8", "NVLink fabric setup in progress", "driver", "node.fabric",
        || Machine::whole("cuInit = 802\nfabric_state = 2")),
    fault("C9", "Confidential computing, and the GPU ready state is not set", "driver", "node.confidential",
        || Machine::whole("cuInit = 802\nconfidential = 1\nreleased = 0")),
    fault("C10", "The proprietary kernel module drives no GPU", "driver", "node.closed-module",
        || Machine::whole("gpus = 0").with_module(&closed_module("570.124.06")).env(GIVEN, "all")),
    fault("C11", "One GPU of two is lost", "driver", "driver.gpu-lost",
        || Machine::whole("gpus = 2\ngpu.1.lost = 1")),
    fault("C13", "Row remapping failed", "smoke", "device.row-remap",
        || Machine::whole("remap_failed = 1")),
    fault("C13", "Row remapping pending", "smoke", "device.reset-pending",
        || Machine::whole("remap_pending = 1")),
    fault("C13", "Uncorrected ECC errors", "smoke", "device.ecc",
        || Machine::whole("ecc_uncorrected = 3")),
    fault("C14", "Thermal slowdown", "smoke", "device.throttled",
        || Machine::whole("throttle = 0x40")),
    fault("C14", "GPU memory above its slowdown temperature", "smoke", "device.memory-temperature",
        || Machine::whole("memory_temperature = 96")),
    fault("C15", "PCIe x4 instead of x16", "gemm", "device.pcie",
        || Machine::whole("pcie_width = 4")),
    fault("C16", "cuInit never returns", "driver", "probe.hung",
        || Machine::whole("cuInit = hang").timeout("2s")),
    fault("C17", "A vGPU without a license", "driver", "node.vgpu-license",
        || Machine::whole("cuInit = 102")),
    fault("C18", "cuInit takes seconds without persistence mode", "driver", "node.slow-init",
        || Machine::whole("cuInit = sleep:2500\npersistence = 0")),

    // D: visibility and sharing
    fault("D1", "CUDA_VISIBLE_DEVICES=7 with two GPUs", "driver", "launch.visible-devices",
        || Machine::whole("gpus = 2").env(HIDDEN, "7"))
        .fixed_by(|machine| machine.unset(HIDDEN)),
    fault("D1", "CUDA_VISIBLE_DEVICES is empty", "driver", "launch.visible-devices",
        || Machine::whole("").env(HIDDEN, ""))
        .fixed_by(|machine| machine.unset(HIDDEN)),
    fault("D1", "CUDA_VISIBLE_DEVICES=-1", "driver", "launch.visible-devices",
        || Machine::whole("").env(HIDDEN, "-1"))
        .fixed_by(|machine| machine.unset(HIDDEN)),
    fault("D1", "CUDA_VISIBLE_DEVICES has the UUID of another machine's GPU", "driver", "launch.visible-devices",
        || Machine::whole("").env(HIDDEN, "GPU-11111111-2222-3333-4444-555555555555"))
        .fixed_by(|machine| machine.unset(HIDDEN)),
    fault("D2", "CUDA_VISIBLE_DEVICES=0,5 with two GPUs", "driver", "launch.visible-devices-cut",
        || Machine::whole("gpus = 2").env(HIDDEN, "0,5"))
        .fixed_by(|machine| machine.unset(HIDDEN)),
    fault("D3", "A MIG name in the format before driver 470", "driver", "launch.mig-name",
        || Machine::whole("mig = 2").with_node("nvidia-caps/nvidia-cap1")
            .env(HIDDEN, "MIG-GPU-00000000-0000-0000-0000-000000000000/1/0"))
        .fixed_by(|machine| machine.env(HIDDEN, MIG)),
    fault("D3", "The UUID of a destroyed MIG instance", "driver", "launch.mig-name",
        || Machine::whole("mig = 2").with_node("nvidia-caps/nvidia-cap1")
            .env(HIDDEN, "MIG-11111111-2222-3333-4444-555555555555"))
        .fixed_by(|machine| machine.env(HIDDEN, MIG)),
    fault("D4", "MIG mode without an instance", "driver", "node.mig-empty",
        || Machine::whole("mig_mode = 1"))
        .fixed_by(|machine| machine.script("mig_mode = 1\nmig = 1")),
    fault("D4", "The same with CUDA_VISIBLE_DEVICES=0", "driver", "node.mig-empty",
        || Machine::whole("mig_mode = 1").env(HIDDEN, "0"))
        .fixed_by(|machine| machine.script("mig_mode = 1\nmig = 1")),
    fault("D6", "Two MIG instances; CUDA uses one", "driver", "device.mig-one",
        || Machine::whole("mig = 2").with_node("nvidia-caps/nvidia-cap1")),
    fault("D7", "Compute mode exclusive, and another process uses the GPU", "smoke", "device.busy",
        || Machine::whole("compute_mode = 3\nused_by = 1")),
    fault("D8", "GPU memory is full", "smoke", "device.busy",
        || Machine::whole("free_mib = 200\nused_by = 1")),
    fault("D9", "The container is at its memory limit", "driver", "launch.host-memory",
        || Machine::whole("cuInit = 3").at_its_memory_limit()),
    fault("D10", "ulimit -v", "smoke", "launch.address-space",
        || Machine::whole("reserves_gib = 64").shell("ulimit -v 16000000"))
        .fixed_by(|machine| machine.without_shell("ulimit -v 16000000")),
    fault("D11", "GPU memory is in use, and no process is listed", "smoke", "device.memory-unaccounted",
        || Machine::whole("free_mib = 30000\nused_by = 0")),
    fault("D12", "The MPS daemon cannot be reached", "driver", "launch.mps",
        || Machine::whole("cuInit = 805\ncompute_mode = 3")
            .env("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")),

    // E: libraries, profiling, several GPUs
    fault("E1", "A program needs libcudnn.so.9, which is missing", "gemm", "library.missing",
        || Machine::whole("").needing("/app/train.so", "libcudnn.so.9"))
        .fixed_by(|machine| machine.with_library("/usr/lib/libcudnn.so.9")),
    fault("E2", "LD_LIBRARY_PATH has a cuBLASLt of another release", "gemm", "math.cublas-mixed",
        || Machine::whole("").with_fake("libcublasLt.so.12", "/usr/local/cuda/lib64")
            .file("/usr/local/cuda/lib64/fake-gpu", "cublas_lt = 120901")
            .env(SEARCHED, "/usr/local/cuda/lib64"))
        .fixed_by(|machine| machine.unset(SEARCHED).without("/usr/local/cuda/lib64/libcublasLt.so.12")),
    fault("E3", "LD_LIBRARY_PATH has a cuDNN sub-library of another release", "driver", "library.mixed",
        || Machine::whole("").with_two_cudnns().env(SEARCHED, "/opt/cudnn-9.5"))
        .fixed_by(|machine| machine.unset(SEARCHED).without("/opt/cudnn-9.5/libcudnn_ops.so.9")
            .without("/opt/cudnn-9.5/libcudnn_ops.so.9.5.1")),
    fault("E4", "A sub-library that libcudnn needs is missing", "driver", "library.missing",
        || Machine::whole("").with_two_cudnns().without("/opt/cudnn-9.5/libcudnn_ops.so.9")
            .without("/opt/cudnn-9.5/libcudnn_ops.so.9.5.1").without("/app/libcudnn_ops.so.9")
            .without("/app/libcudnn_ops.so.9.1.0"))
        .fixed_by(|machine| machine.with_library("/app/libcudnn_ops.so.9")),
    fault("E5", "cublasCreate returns 1, and little GPU memory is free", "gemm", "device.busy",
        || Machine::whole("cublasCreate_v2 = 1\nfree_mib = 700\nused_by = 1")),
    fault("E5", "cublasCreate returns 1 with enough free GPU memory", "gemm", "math.cublas-init",
        || Machine::whole("cublasCreate_v2 = 1")),
    fault("E6", "NVRTC without its builtins", "driver", "library.missing",
        || Machine::whole("").with_nvrtc())
        .fixed_by(|machine| machine.with_library("/usr/lib/libnvrtc-builtins.so.12.4")),
    fault("E7", "No CUPTI", "gemm", "math.absent",
        || Machine::whole("").without("/usr/lib/libcupti.so.12"))
        .fixed_by(|machine| machine.with_fake("libcupti.so.12", "/usr/lib")),
    fault("E8", "Performance counters are restricted to administrators", "gemm", "math.counters",
        || Machine::whole("counters = 0")),
    fault("E9", "Another profiler is attached", "gemm", "math.cupti-subscriber",
        || Machine::whole("cuptiActivityEnable = 39")
            .env("CUDA_INJECTION64_PATH", "/opt/nsight/libinject.so")),
    fault("E10", "A library needs more static TLS than the loader has left", "gemm", "image.static-tls",
        || Machine::whole("").with_static_tls("/usr/lib/libcublas.so.12")),
    fault("E11", "Two GPUs and Docker's default /dev/shm of 64 MiB", "driver", "launch.small-shm",
        || Machine::whole("gpus = 2").with_shared_memory("64m"))
        .fixed_by(|machine| machine.with_shared_memory("1g")),

    // F: platforms
    fault("F1", "WSL: the operating system blocks access", "driver", "launch.wsl",
        || Machine::wsl("nvmlInit_v2 = 17\ncuInit = 100")),
    fault("F1", "WSL: /dev/dxg is missing in the container", "driver", "launch.not-requested",
        || Machine::wsl("").without_node("dxg").unset(SEARCHED)),
    fault("F1", "WSL: the loader does not search the directory of the driver", "driver", "launch.library-path",
        || Machine::wsl("").unset(SEARCHED))
        .fixed_by(|machine| machine.env(SEARCHED, "/usr/lib/wsl/lib")),
    fault("F2", "Jetson, not root", "driver", "launch.jetson",
        || Machine::jetson("cuInit = 100").user("65534:65534")),
];

/// A seccomp filter, as /proc shows it.
const FILTERED: &str = "sed 's/^Seccomp:.*/Seccomp:\\t2/' $R/proc/1/status >$R/.machine/status\n\
    mount -n --bind $R/.machine/status $R/proc/1/status";

/// A PyTorch library with device code for compute capabilities 5.0 to 9.0 and without PTX.
const TORCH: &str = "usr/local/lib/python3.11/dist-packages/torch/lib/libtorch_cuda_linalg.so";

/// What it is linked to besides the libraries of the machine.
const NEEDED_BY_TORCH: [&str; 2] = ["libcusolver.so.11", "libcusparse.so.12"];
