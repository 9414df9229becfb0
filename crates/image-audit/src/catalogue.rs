//! The libraries and tools that a CUDA image is asked about, and how their files are recognised.
//!
//! A soname's number is not the CUDA release (libcufft.so.11 belongs to CUDA 12), so nothing is
//! concluded from it here.

use std::borrow::Cow;

/// A library: every file whose name is one of the stems, then `.so` and perhaps numbers.
pub struct Library {
    pub name: &'static str,
    /// File names before `.so`. With a `*` at the end: any that begin so.
    pub stems: &'static [&'static str],
    /// Belongs to the driver: the container runtime brings it, the image must not.
    pub driver: bool,
    /// Every report speaks of it, also where it is not needed.
    pub common: bool,
}

const fn library(name: &'static str, stems: &'static [&'static str]) -> Library {
    Library { name, stems, driver: false, common: true }
}

const fn driver(name: &'static str, stems: &'static [&'static str]) -> Library {
    Library { name, stems, driver: true, common: true }
}

const fn rare(name: &'static str, stems: &'static [&'static str]) -> Library {
    Library { name, stems, driver: false, common: false }
}

/// In the order of reports.
pub const LIBRARIES: [Library; 24] = [
    driver("libcuda", &["libcuda"]),
    driver("nvml", &["libnvidia-ml"]),
    library("cudart", &["libcudart"]),
    library("cublas", &["libcublas", "libnvblas"]),
    library("cublasLt", &["libcublasLt"]),
    library("cufft", &["libcufft", "libcufftw"]),
    library("curand", &["libcurand"]),
    library("cusparse", &["libcusparse"]),
    library("cusolver", &["libcusolver", "libcusolverMg"]),
    library("cupti", &["libcupti", "libnvperf_host", "libnvperf_target"]),
    library("cudnn", &["libcudnn", "libcudnn_*"]),
    library("nccl", &["libnccl", "libnccl-*"]),
    library("nvjitlink", &["libnvJitLink"]),
    library("nvrtc", &["libnvrtc", "libnvrtc-builtins", "libnvrtc.alt", "libnvrtc-builtins.alt"]),
    rare("cusparseLt", &["libcusparseLt"]),
    rare("cutensor", &["libcutensor", "libcutensorMg"]),
    rare("cudss", &["libcudss", "libcudss_*"]),
    rare("nvshmem", &["libnvshmem_host", "nvshmem_*"]),
    rare("cufile", &["libcufile", "libcufile_rdma"]),
    rare("nvjpeg", &["libnvjpeg"]),
    rare("npp", &["libnpp*"]),
    rare("nvfatbin", &["libnvfatbin"]),
    rare("nvvm", &["libnvvm"]),
    rare("nvtx", &["libnvToolsExt"]),
];

/// Parts that a library loads by names made at run time, from its own directory: the file name of the
/// library begins with the first, those of its parts with the second.
pub const PARTS: [(&str, &str); 7] = [
    ("libcudnn.so", "libcudnn_"),
    ("libnvrtc.so", "libnvrtc-builtins"),
    ("libnccl.so", "libnccl-"),
    ("libnvshmem_host.so", "nvshmem_"),
    ("libcudss.so", "libcudss_"),
    ("libcupti.so", "libnvperf_"),
    ("libcufile.so", "libcufile_rdma"),
];

/// A tool or set of files that a production image rarely needs, known by a file of it.
pub struct Tool {
    pub name: &'static str,
    /// Paths end in one of these.
    pub marks: &'static [&'static str],
}

pub const TOOLS: [Tool; 3] = [
    Tool { name: "nvcc", marks: &["/bin/nvcc"] },
    Tool { name: "headers", marks: &["/include/cuda.h", "/cuda_runtime.h"] },
    Tool {
        name: "nsight",
        marks: &[
            "/bin/nsys",
            "/nsys-ui",
            "/bin/ncu",
            "/ncu-ui",
            "/bin/nsight-sys",
            "/target-linux-x64/nsys",
            "/target/linux-desktop-glibc_2_11_3-x64/ncu",
        ],
    },
];

/// The library that a file name belongs to.
pub fn library_of(file: &str) -> Option<&'static Library> {
    if !file.starts_with("lib") && !file.starts_with("nvshmem_") {
        return None;
    }
    let stem = stem(file)?;
    LIBRARIES.iter().find(|library| {
        library.stems.iter().any(|known| match known.strip_suffix('*') {
            Some(prefix) => stem.starts_with(prefix),
            None => stem == *known,
        })
    })
}

/// `libcublas` of `libcublas.so.12.4` and of `libcublas-294d6944.so.12`, as auditwheel renames it.
fn stem(file: &str) -> Option<&str> {
    let (stem, rest) = file.split_at(file.find(".so")?);
    let numbers = rest[3..].strip_prefix('.').is_none_or(|numbers| {
        numbers.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    });
    if !numbers || (rest.len() > 3 && !rest[3..].starts_with('.')) {
        return None;
    }
    Some(&stem[..stem.len() - hash(stem).map_or(0, str::len)])
}

/// `-294d6944` of `libcublas-294d6944`.
fn hash(stem: &str) -> Option<&str> {
    let hash = &stem[stem.rfind('-')?..];
    (hash.len() == 9 && hash.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit())).then_some(hash)
}

/// A name without the hash that auditwheel puts into it.
pub fn unhashed(name: &str) -> Cow<'_, str> {
    let stem = name.split(".so").next().unwrap_or(name);
    match hash(stem) {
        Some(hash) => format!("{}{}", &stem[..stem.len() - hash.len()], &name[stem.len()..]).into(),
        None => name.into(),
    }
}

/// `12.4.5` of `libcublas.so.12.4.5`.
pub fn version_in_name(file: &str) -> Option<&str> {
    file.split_once(".so.").map(|(_, version)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_vendored_copies() {
        assert_eq!(unhashed("libcublas-1a2b3c4d.so.12"), "libcublas.so.12");
        for name in ["libcublas.so.12", "libnvrtc-builtins.so.12.4", "libnccl-net.so", "x"] {
            assert_eq!(unhashed(name), name);
        }
    }

    #[test]
    fn file_names_and_their_libraries() {
        let known = [
            ("libcuda.so.1", "libcuda"),
            ("libcuda.so.535.261.03", "libcuda"),
            ("libcublas.so", "cublas"),
            ("libcublasLt.so.12", "cublasLt"),
            ("libcudnn_engines_precompiled.so.9", "cudnn"),
            ("libnvrtc-builtins.so.12.4", "nvrtc"),
            ("libcusparse-294d6944.so.0", "cusparse"),
            ("libcusparseLt-294d6944.so.0", "cusparseLt"),
            ("libcufftw.so.11", "cufft"),
            ("libcusolverMg.so.11", "cusolver"),
            ("libnppif.so.12", "npp"),
            ("nvshmem_transport_ibrc.so.3", "nvshmem"),
        ];
        for (file, name) in known {
            assert_eq!(library_of(file).map(|library| library.name), Some(name), "{file}");
        }
        let others = [
            "libcudadebugger.so.1",
            "libcublasother.so.12",
            "libcublas.a",
            "libcublas.so.12.bak",
            "libcublas.sonic",
            "libcublas.so.",
            "",
        ];
        for file in others {
            assert!(library_of(file).is_none(), "{file}");
        }
    }
}
