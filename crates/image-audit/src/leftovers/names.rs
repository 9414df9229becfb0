//! Leftovers by file name: tools, compilers, static libraries, wheels, and CUDA headers among those of the
//! distribution.

use super::kind::Kind::{self, *};
use super::places::Context;

/// nvcc, what it calls, and what reads its output.
const NVCC: [&str; 14] = [
    "nvcc",
    "nvcc.profile",
    "__nvcc_device_query",
    "cicc",
    "ptxas",
    "nvlink",
    "fatbinary",
    "cudafe++",
    "bin2c",
    "cuobjdump",
    "nvdisasm",
    "nvprune",
    "cu++filt",
    "tileiras",
];

const NSIGHT: [&str; 14] = [
    "nsys",
    "nsys-ui",
    "ncu",
    "ncu-ui",
    "nvprof",
    "nvvp",
    "computeprof",
    "cuda-gdb",
    "cuda-gdb-minimal",
    "cuda-gdbserver",
    "cuda-memcheck",
    "compute-sanitizer",
    "TreeLauncherSubreaper",
    "TreeLauncherTargetLdPreloadHelper",
];

/// Without target prefix and version.
const COMPILERS: [&str; 28] = [
    "gcc",
    "g++",
    "cc",
    "c++",
    "cpp",
    "gfortran",
    "gcc-ar",
    "gcc-nm",
    "gcc-ranlib",
    "gcov",
    "gcov-dump",
    "gcov-tool",
    "lto-dump",
    "clang",
    "clang++",
    "clang-cpp",
    "lld",
    "ld",
    "ld.bfd",
    "ld.gold",
    "ld.lld",
    "gold",
    "as",
    "ar",
    "nm",
    "objcopy",
    "objdump",
    "ranlib",
];

/// Prefixes of CUDA's static libraries.
const STATIC: [&str; 32] = [
    "libcublas",
    "libcuda",
    "libcudnn",
    "libcudss",
    "libcufft",
    "libcufile",
    "libcufilt",
    "libculibos",
    "libcupti",
    "libcurand",
    "libcusolver",
    "libcusparse",
    "libcutensor",
    "liblapack_static",
    "libmetis_static",
    "libnccl",
    "libnpp",
    "libnvJitLink",
    "libnvblas",
    "libnvcuvid",
    "libnvfatbin",
    "libnvinfer",
    "libnvjpeg",
    "libnvonnxparser",
    "libnvparsers",
    "libnvperf",
    "libnvptxcompiler",
    "libnvrtc",
    "libnvshmem",
    "libnvToolsExt",
    "libnvvm",
    "libpcsamplingutil",
];

/// Prefixes of static libraries of device code, which programs link to their kernels at run time.
const DEVICE: [&str; 2] = ["libcudadevrt", "libnvshmem_device"];

/// Directories of headers that only CUDA has.
const HEADER_DIRECTORIES: [&str; 13] = [
    "Openacc",
    "Openmp",
    "cooperative_groups",
    "crt",
    "cub",
    "cuda",
    "cuda-gdb",
    "cuda_std",
    "nccl_device",
    "nv",
    "nvtx3",
    "thrust",
    "cccl",
];

/// Prefixes of CUDA's headers.
const HEADERS: [&str; 52] = [
    "NvInfer",
    "NvOnnx",
    "builtin_types.h",
    "channel_descriptor.h",
    "common_functions.h",
    "cooperative_groups.h",
    "cuComplex.h",
    "cublas",
    "cuda",
    "cudnn",
    "cudss",
    "cufft",
    "cufile",
    "cupti",
    "curand",
    "cusolver",
    "cusparse",
    "cutensor",
    "cuviddec.h",
    "device_atomic_functions.h",
    "device_double_functions.h",
    "device_functions.h",
    "device_launch_parameters.h",
    "device_types.h",
    "driver_functions.h",
    "driver_types.h",
    "fatbinary_section.h",
    "generated_cuda",
    "generated_nvtx",
    "host_config.h",
    "host_defines.h",
    "library_types.h",
    "math_constants.h",
    "math_functions.h",
    "mma.h",
    "nccl",
    "npp",
    "nvJitLink.h",
    "nvPTXCompiler.h",
    "nvToolsExt",
    "nv_decode.h",
    "nvblas.h",
    "nvcuvid.h",
    "nvfunctional",
    "nvjpeg",
    "nvml.h",
    "nvperf_",
    "nvrtc",
    "nvvm",
    "sm_",
    "surface_",
    "texture_",
];
/// CUDA headers whose prefixes others use as well.
const VECTORS: [&str; 3] = ["vector_functions.h", "vector_functions.hpp", "vector_types.h"];

const HEADERS_ROOT: &str = "/usr/include";

/// Prefixes of installers of CUDA, the driver and conda.
const INSTALLERS: [&str; 8] =
    ["Anaconda", "Mambaforge", "Miniconda", "Miniforge", "NVIDIA-Linux-", "cuda-", "cuda_", "cudnn-"];

/// The kind of a file, and where its place ends in the path.
pub fn of(path: &str, slash: usize, context: Context) -> Option<(Kind, usize)> {
    let (directory, name) = (&path[..slash], &path[slash + 1..]);
    match context {
        Context::Headers => {
            return header(&path[HEADERS_ROOT.len()..]).map(|end| (CudaHeaders, end + HEADERS_ROOT.len()));
        }
        Context::AptLists => {
            let is_list = name != "lock" && !directory.ends_with("/partial");
            return is_list.then_some((AptLists, "/var/lib/apt/lists".len()));
        }
        Context::AptCache => {
            let is_archive = name.ends_with(".deb") || name.ends_with(".bin");
            return is_archive.then_some((AptArchives, "/var/cache/apt".len()));
        }
        _ => {}
    }
    if matches!(directory.as_bytes(), [.., b'/', b'b', b'i', b'n']) {
        // System directories contain all kinds of programs, with different owners: report each.
        let place = if context == Context::System { path.len() } else { slash };
        return tool(name, context).map(|kind| (kind, place));
    }
    let dot = memchr::memrchr(b'.', name.as_bytes())?;
    match &name[dot + 1..] {
        "a" => static_library(name, context).map(|kind| (kind, slash)),
        _ if context.is_packages() => None,
        "whl" => (!is_of_python(directory)).then_some((Wheels, slash)),
        "deb" | "rpm" => Some((Installers, slash)),
        "run" | "sh" => starts(name, &INSTALLERS).then_some((Installers, path.len())),
        // core.PID, as the kernel and valgrind write them.
        pid if is_number(pid) => {
            matches!(&name[..dot], "core" | "vgcore").then_some((CrashDumps, path.len()))
        }
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn starts(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn tool(name: &str, context: Context) -> Option<Kind> {
    // Other packages, such as triton, use these tools at run time.
    if context == Context::Packages {
        return None;
    }
    if NVCC.contains(&name) {
        Some(Nvcc)
    } else if NSIGHT.contains(&name) {
        Some(Nsight)
    } else if context == Context::System && is_compiler(name) {
        Some(Compilers)
    } else {
        None
    }
}

/// Also with target prefix and version: `x86_64-linux-gnu-g++-12`.
fn is_compiler(name: &str) -> bool {
    let prefixes = ["-linux-gnu-", "-redhat-linux-", "-linux-musl-", "-suse-linux-"];
    let plain = prefixes.iter().find_map(|prefix| Some(name.split_once(prefix)?.1)).unwrap_or(name);
    let is_version = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let stem = match plain.rsplit_once('-') {
        Some((stem, version)) if is_version(version) => stem,
        _ => plain,
    };
    COMPILERS.contains(&stem)
}

fn static_library(name: &str, context: Context) -> Option<Kind> {
    match context {
        Context::Toolkit => Some(StaticLibraries),
        _ if !starts(name, &STATIC) => None,
        Context::Packages | Context::Nvidia if starts(name, &DEVICE) => None,
        Context::Packages | Context::Nvidia => Some(StaticLibrariesInWheels),
        _ => Some(StaticLibraries),
    }
}

/// Whether Python or virtualenv installs from the wheels of a directory, or Python tests itself with them.
fn is_of_python(directory: &str) -> bool {
    ["/ensurepip/_bundled", "/python-wheels", "/test/wheeldata", "/wheels/embed"]
        .iter()
        .any(|end| directory.ends_with(end))
}

/// Where the place of a CUDA header ends, relative to the headers of the distribution.
fn header(below: &str) -> Option<usize> {
    let below = below.strip_prefix('/')?;
    match below.split_once('/') {
        None => is_header(below).then_some(0),
        Some((first, _)) if HEADER_DIRECTORIES.contains(&first) => Some(1 + first.len()),
        // /usr/include/x86_64-linux-gnu
        Some((first, name)) if first.contains("-linux-gnu") && !name.contains('/') => {
            is_header(name).then_some(1 + first.len())
        }
        Some(_) => None,
    }
}

fn is_header(name: &str) -> bool {
    starts(name, &HEADERS) || VECTORS.contains(&name)
}
