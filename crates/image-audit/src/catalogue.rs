//! The CUDA libraries and tools that an audit looks for, and how their files are recognized.
//!
//! The number in a soname is not the CUDA release: libcufft.so.11 belongs to CUDA 12.

use std::borrow::Cow;

use crate::path_index::Index;
use crate::paths;

pub use crate::wheels::{wheel, wheels_checked};

/// A CUDA library: every file named like one of the stems, then `.so` and possibly a version.
#[derive(Debug)]
pub struct Library {
    /// The name that people search for, such as `libcublas`.
    pub name: &'static str,
    /// File names before `.so`. A `*` at the end matches anything.
    pub stems: &'static [&'static str],
    /// It belongs to the driver: the container runtime mounts it, and the image must not have it.
    pub driver: bool,
    /// Reports list it even if the image does not need it.
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

/// All libraries, in the order of reports.
pub const LIBRARIES: [Library; 38] = [
    driver("libcuda", &["libcuda"]),
    driver("libnvidia-ml", &["libnvidia-ml"]),
    library("libcudart", &["libcudart"]),
    library("libcublas", &["libcublas", "libnvblas"]),
    library("libcublasLt", &["libcublasLt"]),
    library("libcufft", &["libcufft", "libcufftw"]),
    library("libcurand", &["libcurand"]),
    library("libcusparse", &["libcusparse"]),
    library("libcusolver", &["libcusolver", "libcusolverMg"]),
    library(
        "libcupti",
        &["libcupti", "libnvperf_host", "libnvperf_target", "libpcsamplingutil", "libcheckpoint"],
    ),
    library("libcudnn", &["libcudnn", "libcudnn_*"]),
    library("libnccl", &["libnccl", "libnccl-*"]),
    library("libnvJitLink", &["libnvJitLink"]),
    library("libnvrtc", &["libnvrtc", "libnvrtc-builtins", "libnvrtc.alt", "libnvrtc-builtins.alt"]),
    rare("libcusparseLt", &["libcusparseLt"]),
    rare("libcutensor", &["libcutensor", "libcutensorMg", "libcutensorMp"]),
    rare("libcudss", &["libcudss", "libcudss_*"]),
    rare("libnvshmem", &["libnvshmem_host", "nvshmem_*"]),
    rare("libcufile", &["libcufile", "libcufile_rdma"]),
    rare("libnvjpeg", &["libnvjpeg"]),
    rare("libnpp", &["libnpp*"]),
    rare("libnvfatbin", &["libnvfatbin"]),
    rare("libnvvm", &["libnvvm"]),
    rare("libnvToolsExt", &["libnvToolsExt"]),
    rare("libnvtx3interop", &["libnvtx3interop"]),
    rare("libnvcomp", &["libnvcomp", "libnvcomp_*"]),
    rare("libnvimgcodec", &["libnvimgcodec"]),
    rare("libnvjpeg2k", &["libnvjpeg2k"]),
    rare("libnvtiff", &["libnvtiff"]),
    rare("libnvinfer", &["libnvinfer", "libnvinfer_*", "libnvonnxparser", "libnvonnxparser_*"]),
    rare("libcustatevec", &["libcustatevec"]),
    rare("libcutensornet", &["libcutensornet"]),
    rare("libcudensitymat", &["libcudensitymat"]),
    rare("libcupauliprop", &["libcupauliprop"]),
    rare("libcustabilizer", &["libcustabilizer"]),
    rare("libcublasmp", &["libcublasmp"]),
    rare("libcusolverMp", &["libcusolverMp"]),
    rare("libcufftMp", &["libcufftMp"]),
];

/// Libraries that load others from their own directory, by names composed at run time: prefixes of the file
/// names of the library and of what it loads.
pub(crate) const PARTS: [(&str, &str); 8] = [
    ("libcudnn.so", "libcudnn_"),
    ("libnvrtc.so", "libnvrtc-builtins"),
    ("libnccl.so", "libnccl-"),
    ("libnvshmem_host.so", "nvshmem_"),
    ("libcudss.so", "libcudss_"),
    ("libcupti.so", "libnvperf_"),
    ("libcufile.so", "libcufile_rdma"),
    ("libnvinfer.so", "libnvinfer_builder_resource"),
];

/// A tool or set of files that a production image rarely needs.
#[derive(Debug)]
pub struct Tool {
    /// Such as `nvcc`.
    pub name: &'static str,
    /// It is present if a path ends in one of these.
    pub marks: &'static [&'static str],
}

/// All tools, in the order of reports.
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

static MARKS: Index = marks();

const fn marks() -> Index {
    let (mut index, mut row) = (Index::EMPTY, 0);
    while row < TOOLS.len() {
        let mut mark = 0;
        while mark < TOOLS[row].marks.len() {
            index = index.with(TOOLS[row].marks[mark], row);
            mark += 1;
        }
        row += 1;
    }
    index
}

/// The tool that the path of a file is a mark of.
pub fn tool_of(path: &str) -> Option<&'static Tool> {
    let mut tools = MARKS.rows(paths::name(path).as_bytes()).map(|row| &TOOLS[row]);
    tools.find(|tool| tool.marks.iter().any(|mark| path.ends_with(mark)))
}

/// The library that a file name belongs to, such as `libcublas` for `libcublas.so.12`.
pub fn library_of(file: &str) -> Option<&'static Library> {
    if !begins(file) {
        return None;
    }
    find(stem(file)?)
}

/// The library of a file name without its ending, such as `libcublas`.
pub fn library_of_stem(name: &str) -> Option<&'static Library> {
    if !begins(name) || name.contains(".so") {
        return None;
    }
    find(&name[..name.len() - hash(name).map_or(0, str::len)])
}

/// How all names of the table begin.
fn begins(name: &str) -> bool {
    name.starts_with("lib") || name.starts_with("nvshmem_")
}

fn find(stem: &str) -> Option<&'static Library> {
    LIBRARIES.iter().find(|library| {
        library.stems.iter().any(|known| match known.strip_suffix('*') {
            Some(prefix) => stem.starts_with(prefix),
            None => stem == *known,
        })
    })
}

/// `libcublas` of `libcublas.so.12.4` and of `libcublas-294d6944.so.12`, as auditwheel renames it. torchvision's wheels
/// have a dot before the hash.
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

/// `-294d6944` of `libcublas-294d6944`, `.e8e8b82a` of `libcudart.e8e8b82a`.
fn hash(stem: &str) -> Option<&str> {
    let hash = &stem[stem.rfind(['-', '.'])?..];
    (hash.len() == 9 && hash.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit())).then_some(hash)
}

/// A file name or soname without the hash that auditwheel adds.
pub fn unhashed(name: &str) -> Cow<'_, str> {
    let stem = name.split(".so").next().unwrap_or(name);
    match hash(stem) {
        Some(hash) => format!("{}{}", &stem[..stem.len() - hash.len()], &name[stem.len()..]).into(),
        None => name.into(),
    }
}

/// `12.4.5` of `libcublas.so.12.4.5`.
pub(crate) fn version_in_name(file: &str) -> Option<&str> {
    file.split_once(".so.").map(|(_, version)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_removed() {
        assert_eq!(unhashed("libcublas-1a2b3c4d.so.12"), "libcublas.so.12");
        assert_eq!(unhashed("libcudart.e8e8b82a.so.12"), "libcudart.so.12");
        for name in
            ["libnvrtc.alt.so.13", "libcublas.so.12", "libnvrtc-builtins.so.12.4", "libnccl-net.so", "x"]
        {
            assert_eq!(unhashed(name), name);
        }
    }

    #[test]
    fn libraries_by_file_name() {
        let known = [
            ("libcuda.so.1", "libcuda"),
            ("libcuda.so.535.261.03", "libcuda"),
            ("libcublas.so", "libcublas"),
            ("libcublasLt.so.12", "libcublasLt"),
            ("libcudnn_engines_precompiled.so.9", "libcudnn"),
            ("libnvrtc-builtins.so.12.4", "libnvrtc"),
            ("libcusparse-294d6944.so.0", "libcusparse"),
            ("libcusparseLt-294d6944.so.0", "libcusparseLt"),
            ("libcudart.e8e8b82a.so.12", "libcudart"),
            ("libnvrtc.alt.so.13", "libnvrtc"),
            ("libcufftw.so.11", "libcufft"),
            ("libcusolverMg.so.11", "libcusolver"),
            ("libnppif.so.12", "libnpp"),
            ("nvshmem_transport_ibrc.so.3", "libnvshmem"),
            ("libpcsamplingutil.so", "libcupti"),
            ("libcheckpoint.so", "libcupti"),
            ("libcutensorMp.so.2", "libcutensor"),
            ("libcutensornet.so.2", "libcutensornet"),
            ("libnvcomp_cpu.so.5", "libnvcomp"),
            ("libnvcomp_device.so", "libnvcomp"),
            ("libnvjpeg2k.so.0", "libnvjpeg2k"),
            ("libnvtx3interop.so.1", "libnvtx3interop"),
            ("libnvinfer_builder_resource_sm90.so.11.4.0", "libnvinfer"),
            ("libnvinfer_plugin.so.10", "libnvinfer"),
            ("libnvonnxparser.so.10", "libnvinfer"),
            ("libcusolverMp.so.0", "libcusolverMp"),
            ("libcublasmp.so.0", "libcublasmp"),
        ];
        for (file, name) in known {
            assert_eq!(library_of(file).map(|library| library.name), Some(name), "{file}");
        }
        let others = [
            "libcudadebugger.so.1",
            // Modules of nvImageCodec, not the libraries that they open.
            "libnvjpeg2k_ext.so.0.9.0",
            "libnvtiff_ext.so.0.9.0",
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
