use super::*;
use crate::leftovers::Base;

/// Kind and place of one file.
fn leftover(path: &str) -> Option<(Kind, String)> {
    let mut collector = Collector::new();
    collector.entry(path, 7);
    let found = collector.finish();
    assert!(found.len() <= 1, "{path}: {found:?}");
    found.into_iter().next().map(|found| {
        assert_eq!((found.bytes, found.files, found.largest.as_str()), (7, 1, path));
        (found.kind, found.place)
    })
}

const SITE: &str = "/usr/local/lib/python3.11/dist-packages";
const CUDA: &str = "/usr/local/cuda-12.4";

#[test]
fn kinds_and_places() {
    use Kind::*;
    // The place is the part before the bar.
    let table = [
        (PipCache, "/root/.cache/pip|/http-v2/a/b/c"),
        (PipCache, "/home/a b/.cache/pip|/wheels/1/torch.whl"),
        (PipCache, "/pip-cache/http-v2|/a/b/c"),
        (UvCache, "/root/.cache/uv|/archive-v0/x/nvidia/cublas/include/cublas.h"),
        (UvCache, "/uv/archive-v0|/x/torch/lib/libtorch.so"),
        (PoetryCache, "/root/.cache/pypoetry/artifacts|/ab/torch.whl"),
        (CondaPackages, "/opt/conda/pkgs|/torch-2.5.1-0.conda"),
        (CondaPackages, "/opt/conda/pkgs|/torch-2.5.1-0/info/index.json"),
        (AptArchives, "/var/cache/apt|/archives/gcc_12_amd64.deb"),
        (AptArchives, "/var/cache/apt|/pkgcache.bin"),
        (AptLists, "/var/lib/apt/lists|/deb.debian.org_dists_bookworm_InRelease"),
        (YumCache, "/var/cache/dnf|/baseos-1/repodata/x.xml.gz"),
        (ApkCache, "/var/cache/apk|/APKINDEX.1.tar.gz"),
        (Ccache, "/root/.ccache|/0/1/x"),
        (CargoRegistry, "/root/.cargo/registry|/cache/x/serde.crate"),
        (NpmCache, "/root/.npm|/_cacache/content-v2/x"),
        (HuggingfaceCache, "/root/.cache/huggingface|/hub/models--a/blobs/x"),
        (Wheels, "/wheels|/torch-2.5.1-cp311-cp311-linux_x86_64.whl"),
        (Installers, "/var/cuda-repo-ubuntu2204-12-4-local|/cuda-nvcc-12-4_12.4.131-1_amd64.deb"),
        (Installers, "/opt/cuda_12.4.0_550.54.14_linux.run|"),
        (Installers, "/root/Miniconda3-latest-Linux-x86_64.sh|"),
        (CudaHeaders, "/usr/local/cuda-12.4/targets/x86_64-linux/include|/thrust/copy.h"),
        (CudaHeaders, "/usr/local/cuda/extras/CUPTI/include|/cupti.h"),
        (CudaHeaders, "/opt/conda/targets/x86_64-linux/include|/cuda.h"),
        (CudaHeaders, "/usr/include|/cublas_v2.h"),
        (CudaHeaders, "/usr/include|/vector_types.h"),
        (CudaHeaders, "/usr/include/cuda|/std/atomic"),
        (CudaHeaders, "/usr/include/x86_64-linux-gnu|/cudnn_v9.h"),
        (HeadersInWheels, "/usr/local/lib/python3.11/dist-packages/torch/include|/ATen/ATen.h"),
        (HeadersInWheels, "/v/lib/python3.12/site-packages/nvidia/cu13/include|/cuda.h"),
        (StaticLibraries, "/usr/local/cuda-12.4/targets/x86_64-linux/lib|/libcublas_static.a"),
        (StaticLibraries, "/usr/lib/x86_64-linux-gnu|/libnppc_static.a"),
        (StaticLibrariesInWheels, "/v/site-packages/nvidia/cu13/lib|/libcudart_static.a"),
        (
            StaticLibrariesInWheels,
            "/v/site-packages/triton/backends/nvidia/lib/cupti|/libnvperf_host_static.a",
        ),
        (Nvcc, "/usr/local/cuda-12.4/bin|/ptxas"),
        (Nvcc, "/usr/local/cuda-12.4/nvvm/bin|/cicc"),
        (Nvcc, "/usr/bin/nvcc|"),
        (Nvcc, "/opt/conda/bin/nvcc|"),
        (Nvcc, "/v/site-packages/nvidia/cuda_nvcc/bin|/ptxas"),
        (Nsight, "/usr/local/cuda-12.4/nsight-compute-2024.1.0|/target/x/ncu"),
        (Nsight, "/opt/nvidia/nsight-systems|/2024.1.1/bin/nsys"),
        (Nsight, "/v/site-packages/nvidia/nsight_systems|/bin/nsys"),
        (Nsight, "/usr/local/cuda-12.4/compute-sanitizer|/libsanitizer-public.so"),
        (Compilers, "/usr/lib/gcc|/x86_64-linux-gnu/12/cc1plus"),
        (Compilers, "/usr/bin/x86_64-linux-gnu-g++-12|"),
        (Compilers, "/usr/bin/clang-14|"),
        (Compilers, "/usr/bin/ld.gold|"),
        (Compilers, "/opt/rh/gcc-toolset-13|/root/usr/bin/gcc"),
        (Compilers, "/root/.rustup/toolchains|/stable/bin/rustc"),
        (CudaSamplesDocs, "/usr/local/cuda-12.4/extras/demo_suite|/deviceQuery"),
        (CudaSamplesDocs, "/usr/src/cudnn_samples_v8|/conv_sample/x.cpp"),
        (Git, "/app/.git|/objects/ab/cd"),
        (Git, "/v/site-packages/editable/.git|/HEAD"),
        (BuildTrees, "/app/build/CMakeFiles|/x.dir/y.cpp.o"),
        (BuildTrees, "/app/build/temp.linux-x86_64-cpython-311|/y.o"),
        (DebugSymbols, "/usr/lib/debug|/.build-id/ab/cd.debug"),
        (TemporaryFiles, "/tmp|/pip-x/torch/include/torch.h"),
        (CrashDumps, "/app/core.1234|"),
    ];
    for (kind, path) in table {
        let (place, rest) = path.split_once('|').unwrap();
        assert_eq!(leftover(&format!("{place}{rest}")), Some((kind, place.to_owned())), "{path}");
    }
}

#[test]
fn needed_files_are_not_leftovers() {
    let table = [
        "/usr/local/lib/python3.11/dist-packages/triton/backends/nvidia/bin/ptxas",
        "/usr/local/lib/python3.11/dist-packages/triton/backends/nvidia/include/cuda.h",
        "/usr/local/lib/python3.11/dist-packages/numpy/_core/include/numpy/arrayobject.h",
        "/usr/local/lib/python3.11/dist-packages/torch/lib/libtorch_cuda.so",
        "/usr/local/lib/python3.11/dist-packages/pip/__pycache__/x.cpython-311.pyc",
        "/usr/local/lib/python3.11/dist-packages/nvidia/cublas/lib/libcublas.so.12",
        "/usr/local/lib/python3.11/ensurepip/_bundled/pip-24.0-py3-none-any.whl",
        "/usr/local/lib/python3.13/test/wheeldata/setuptools-67.6.1-py3-none-any.whl",
        "/v/site-packages/nvidia/cuda_runtime/lib/libcudadevrt.a",
        "/v/site-packages/nvidia/nvshmem/lib/libnvshmem_device.a",
        "/usr/share/python-wheels/pip-23.0.1-py3-none-any.whl",
        "/usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12.4.127",
        "/usr/local/cuda-12.4/compat/libcuda.so.550.54.14",
        "/usr/local/cuda-12.4/extras/CUPTI/lib64/libcupti.so.12",
        "/usr/local/cuda-12.4/nvvm/libdevice/libdevice.10.bc",
        "/var/lib/apt/lists/lock",
        "/var/lib/apt/lists/partial/x",
        "/var/cache/apt/archives/lock",
        "/usr/include/curl/curl.h",
        "/usr/include/curses.h",
        "/usr/include/math.h",
        "/usr/lib/x86_64-linux-gnu/libc.a",
        "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1",
        "/usr/bin/python3.11",
        "/usr/bin/nvidia-smi",
        "/app/pkgs/module.py",
        "/app/.gitignore",
        "/app/.git",
        "/app/core.py",
        "/app/src/include/app.h",
        "/root/.cache/pypoetry/virtualenvs/app/bin/python",
        "/root/.local/share/uv/python/cpython-3.12/bin/python3",
        "/tmp",
        "",
        "x",
        "//",
        "/",
        "///a//b",
    ];
    for path in table {
        assert_eq!(leftover(path), None, "{path}");
    }
}

/// Files in other directories named `pkgs` are classified on their own.
#[test]
fn package_caches_of_conda_are_recognized() {
    let whl = "/a/pkgs/x.whl";
    assert_eq!(leftover(whl), Some((Kind::Wheels, "/a/pkgs".to_owned())));
    for order in [[0, 1], [1, 0]] {
        let mut collector = Collector::new();
        for index in order {
            collector.entry([whl, "/a/pkgs/x-1-0.conda"][index], 1);
        }
        let found = collector.finish();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, found[0].bytes, found[0].files), (Kind::CondaPackages, 2, 2));
    }
}

#[test]
fn sums_are_sorted_and_independent_of_order() {
    let entries = [
        ("/w/b.whl", 10),
        ("/w/a.whl", 10),
        ("/x/c.whl", 90),
        ("/a/.git/index", 5),
        ("/a/pkgs/d.whl", 1),
        ("/a/pkgs/d/info/index.json", 1),
        ("/usr/local/cuda-12.4/bin/nvcc", u64::MAX),
        ("/usr/local/cuda-12.4/bin/ptxas", 3),
    ];
    let mut forward = Collector::new();
    entries.iter().for_each(|(path, bytes)| forward.entry(path, *bytes));
    let mut backward = Collector::new();
    entries.iter().rev().for_each(|(path, bytes)| backward.entry(path, *bytes));
    assert_eq!(forward.flavor(), backward.flavor());
    let found = forward.finish();
    assert_eq!(found, backward.finish());
    let shown: Vec<_> = found.iter().map(|found| (found.kind, &*found.place, found.bytes)).collect();
    let expected = [
        (Kind::CondaPackages, "/a/pkgs", 2),
        (Kind::Wheels, "/x", 90),
        (Kind::Wheels, "/w", 20),
        (Kind::Nvcc, "/usr/local/cuda-12.4/bin", u64::MAX),
        (Kind::Git, "/a/.git", 5),
    ];
    assert_eq!(shown, expected);
    assert_eq!(found[2].largest, "/w/a.whl");
    let Leftover { bytes, files, largest, .. } = &found[0];
    assert_eq!((*bytes, *files, largest.as_str()), (2, 2, "/a/pkgs/d.whl"));
}

#[test]
fn flavors() {
    let cudart = "/usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12.4.127";
    let compat = "/usr/local/cuda-13.0/compat/libcuda.so.580.65.06";
    let cublas = "/usr/local/cuda-12.4/targets/x86_64-linux/lib/libcublas.so.12.4.5.8";
    let wheel = format!("{SITE}/nvidia/cuda_runtime/lib/libcudart.so.12.4.127");
    let nvcc = format!("{CUDA}/bin/nvcc");
    let table: [(&[&str], Base, bool, Option<&str>); 13] = [
        (&[], Base::None, false, None),
        (&[&wheel], Base::None, false, None),
        (&[compat], Base::None, false, None),
        (&["/opt/conda/lib/libcudart.so.12.4.127"], Base::None, false, None),
        (&["/usr/lib/ollama/cuda_v12/libcudart.so.12.4.127"], Base::None, false, None),
        (&[cudart, compat], Base::Base, false, Some("12.4")),
        (&[cudart, cublas], Base::Runtime, false, Some("12.4")),
        (
            &[cudart, cublas, &nvcc, "/usr/lib/x86_64-linux-gnu/libcudnn.so.9.1.0"],
            Base::Devel,
            true,
            Some("12.4"),
        ),
        (&["/usr/local/cuda-12.4/lib64/stubs/libcublas.so"], Base::None, false, None),
        (
            &["/usr/lib/x86_64-linux-gnu/libcudart.so.11.8.89", "/usr/bin/nvcc"],
            Base::Devel,
            false,
            Some("11.8"),
        ),
        (&["/usr/local/cuda-11.8/lib64/libcudart.so.11.8.89", cudart], Base::Base, false, Some("12.4")),
        (&["/usr/local/cuda-9.2/lib64/libcudart.so.9.2.148"], Base::Base, false, Some("9.2")),
        (&["/usr/local/cuda-12.4/include/cuda_runtime.h"], Base::Devel, false, Some("12.4")),
    ];
    for (paths, base, cudnn, version) in table {
        let mut collector = Collector::new();
        paths.iter().for_each(|path| collector.entry(path, 1));
        let expected = Flavor { base, cudnn, cuda_version: version.map(str::to_owned) };
        assert_eq!(collector.flavor(), expected, "{paths:?}");
    }
}

/// A file counts at most once, in a place that contains it.
#[test]
fn damaged_paths_count_once() {
    let path = "/opt/conda/pkgs/é-1/lib/python3.11/site-packages/nvidia/cu13/include/a.h";
    let mut collector = Collector::new();
    let mut entered = 0;
    let mut enter = |path: &str| {
        collector.entry(path, 1);
        entered += 1;
    };
    for (index, _) in path.char_indices() {
        enter(&path[index..]);
        enter(&path[..index]);
        for other in ["/", ".", "c", "é", "\0", "//"] {
            enter(&format!("{}{other}{}", &path[..index], path.get(index + 1..).unwrap_or("")));
        }
    }
    let found = collector.finish();
    let files: u64 = found.iter().map(|leftover| leftover.files).sum();
    assert!((1..=entered).contains(&files), "{files} of {entered}");
    for leftover in found {
        assert!(leftover.largest.starts_with(&leftover.place), "{leftover:?}");
    }
}
