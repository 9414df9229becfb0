//! Leftovers by directory: marks that make all files below a directory one leftover.
//!
//! One pass over the components of a path, without allocation. The topmost mark decides.

use super::kind::Kind::{self, *};
use crate::path_index::Index;

/// The surroundings of a file, which decide what its name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    System,
    /// Headers of the distribution.
    Headers,
    AptLists,
    AptCache,
    /// A CUDA toolkit, or conda's `targets`.
    Toolkit,
    /// Installed Python packages.
    Packages,
    /// NVIDIA's Python packages.
    Nvidia,
}

impl Context {
    pub fn is_packages(self) -> bool {
        matches!(self, Context::Packages | Context::Nvidia)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Leftover(Kind),
    /// A directory that may be conda's package cache.
    Packages,
    /// Not a leftover, but changes the context.
    Enter(Context),
}

/// What the directories of a path show: the topmost mark, and where its directory ends in the path.
pub struct Place {
    pub context: Context,
    pub meaning: Option<(Meaning, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// Exactly this path.
    Root,
    Anywhere,
    /// Not in installed Python packages.
    Outside,
    /// In installed Python packages.
    Packages,
    /// In a toolkit.
    Toolkit,
    /// In NVIDIA's Python packages.
    Nvidia,
    /// In a toolkit or in NVIDIA's Python packages.
    Cuda,
}

struct Mark {
    directory: &'static str,
    place: Where,
    meaning: Meaning,
}

const fn mark(place: Where, directory: &'static str, kind: Kind) -> Mark {
    Mark { directory, place, meaning: Meaning::Leftover(kind) }
}

const fn enter(place: Where, directory: &'static str, context: Context) -> Mark {
    Mark { directory, place, meaning: Meaning::Enter(context) }
}

/// Caches may be in any home directory.
static MARKS: [Mark; 76] = [
    enter(Where::Anywhere, "/dist-packages", Context::Packages),
    enter(Where::Anywhere, "/site-packages", Context::Packages),
    enter(Where::Packages, "/dist-packages/nvidia", Context::Nvidia),
    enter(Where::Packages, "/site-packages/nvidia", Context::Nvidia),
    enter(Where::Root, "/usr/include", Context::Headers),
    enter(Where::Root, "/var/lib/apt/lists", Context::AptLists),
    enter(Where::Root, "/var/cache/apt", Context::AptCache),
    enter(Where::Outside, "/nvidia-cuda-toolkit", Context::Toolkit),
    enter(Where::Outside, "/hpc_sdk", Context::Toolkit),
    enter(Where::Root, "/usr/lib/cuda", Context::Toolkit),
    // Only CUDA uses these names, in conda and NVIDIA's own packages.
    enter(Where::Outside, "/targets/x86_64-linux", Context::Toolkit),
    enter(Where::Outside, "/targets/sbsa-linux", Context::Toolkit),
    enter(Where::Outside, "/targets/aarch64-linux", Context::Toolkit),
    mark(Where::Anywhere, "/.cache/pip", PipCache),
    // A variable may put a cache anywhere; these directories are unique to it.
    mark(Where::Outside, "/http-v2", PipCache),
    mark(Where::Anywhere, "/.cache/uv", UvCache),
    mark(Where::Outside, "/archive-v0", UvCache),
    // Not all of pypoetry: its `virtualenvs` may contain the application.
    mark(Where::Anywhere, "/.cache/pypoetry/cache", PoetryCache),
    mark(Where::Anywhere, "/.cache/pypoetry/artifacts", PoetryCache),
    Mark { directory: "/pkgs", place: Where::Outside, meaning: Meaning::Packages },
    mark(Where::Anywhere, "/.cache/rattler", CondaPackages),
    mark(Where::Root, "/var/cache/yum", YumCache),
    mark(Where::Root, "/var/cache/dnf", YumCache),
    mark(Where::Root, "/var/cache/libdnf5", YumCache),
    mark(Where::Root, "/var/cache/zypp", YumCache),
    mark(Where::Root, "/var/cache/apk", ApkCache),
    mark(Where::Root, "/etc/apk/cache", ApkCache),
    mark(Where::Anywhere, "/.cache/ccache", Ccache),
    mark(Where::Anywhere, "/.ccache", Ccache),
    mark(Where::Root, "/ccache", Ccache),
    mark(Where::Root, "/var/cache/ccache", Ccache),
    mark(Where::Anywhere, "/.cache/sccache", Ccache),
    mark(Where::Anywhere, "/.cache/bazel", BazelCache),
    mark(Where::Outside, "/.cargo/registry", CargoRegistry),
    mark(Where::Outside, "/.cargo/git", CargoRegistry),
    mark(Where::Root, "/usr/local/cargo/registry", CargoRegistry),
    mark(Where::Root, "/usr/local/cargo/git", CargoRegistry),
    mark(Where::Root, "/usr/share/cargo/registry", CargoRegistry),
    mark(Where::Anywhere, "/.cache/go-build", GoCache),
    mark(Where::Outside, "/go/pkg/mod", GoCache),
    mark(Where::Outside, "/.npm", NpmCache),
    mark(Where::Outside, "/_cacache", NpmCache),
    mark(Where::Anywhere, "/.cache/yarn", NpmCache),
    mark(Where::Anywhere, "/.cache/pnpm", NpmCache),
    mark(Where::Anywhere, "/.cache/huggingface", HuggingfaceCache),
    mark(Where::Anywhere, "/.cache/torch/hub", TorchHub),
    mark(Where::Toolkit, "/include", CudaHeaders),
    mark(Where::Nvidia, "/include", HeadersInWheels),
    mark(Where::Packages, "/torch/include", HeadersInWheels),
    mark(Where::Cuda, "/bin/crt", Nvcc),
    mark(Where::Cuda, "/libnvvp", Nsight),
    mark(Where::Cuda, "/compute-sanitizer", Nsight),
    mark(Where::Root, "/usr/lib/nvidia-visual-profiler", Nsight),
    mark(Where::Cuda, "/samples", CudaSamplesDocs),
    mark(Where::Cuda, "/doc", CudaSamplesDocs),
    mark(Where::Cuda, "/docs", CudaSamplesDocs),
    mark(Where::Cuda, "/demo_suite", CudaSamplesDocs),
    mark(Where::Cuda, "/libnvvm-samples", CudaSamplesDocs),
    mark(Where::Root, "/usr/src/tensorrt/samples", CudaSamplesDocs),
    mark(Where::Root, "/usr/share/doc/nvidia-cuda-toolkit-doc", CudaSamplesDocs),
    mark(Where::Root, "/usr/share/doc/nvidia-cuda-doc", CudaSamplesDocs),
    mark(Where::Outside, "/lib/gcc", Compilers),
    mark(Where::Outside, "/lib64/gcc", Compilers),
    mark(Where::Outside, "/libexec/gcc", Compilers),
    mark(Where::Outside, "/include/c++", Compilers),
    mark(Where::Root, "/usr/include/x86_64-linux-gnu/c++", Compilers),
    mark(Where::Root, "/usr/include/aarch64-linux-gnu/c++", Compilers),
    mark(Where::Outside, "/.rustup/toolchains", Compilers),
    mark(Where::Root, "/usr/local/rustup/toolchains", Compilers),
    mark(Where::Anywhere, "/.git", Git),
    mark(Where::Outside, "/CMakeFiles", BuildTrees),
    mark(Where::Root, "/usr/lib/debug", DebugSymbols),
    mark(Where::Root, "/tmp", TemporaryFiles),
    mark(Where::Root, "/var/tmp", TemporaryFiles),
    mark(Where::Root, "/var/crash", CrashDumps),
    mark(Where::Root, "/var/lib/systemd/coredump", CrashDumps),
];

/// Prefixes of directories whose names end in a version.
const PREFIXES: [(&str, Kind); 9] = [
    ("nsight-compute", Nsight),
    ("nsight-systems", Nsight),
    ("nsight_compute", Nsight),
    ("nsight_systems", Nsight),
    ("nsightee_plugins", Nsight),
    ("cudnn_samples_v", CudaSamplesDocs),
    ("gcc-toolset-", Compilers),
    ("devtoolset-", Compilers),
    ("temp.linux-", BuildTrees),
];

static INDEX: Index = index();

const fn index() -> Index {
    let mut index = Index::EMPTY;
    let mut row = 0;
    while row < MARKS.len() {
        index = index.with(MARKS[row].directory, row);
        row += 1;
    }
    index
}

/// Classifies the directories of a path, given the index of its last slash. Leftovers that end before `after`
/// are ignored.
pub fn of(path: &str, slash: usize, after: usize) -> Place {
    let bytes = path.as_bytes();
    let mut context = Context::System;
    let mut start = 1;
    // Components are too short for memchr to pay off.
    for (end, byte) in bytes[..=slash].iter().enumerate().skip(1) {
        if *byte != b'/' {
            continue;
        }
        let component = &bytes[start..end];
        for row in INDEX.rows(component) {
            let mark = &MARKS[row];
            if !mark.place.holds(context) || !mark.is(&path[..end]) {
                continue;
            }
            match mark.meaning {
                Meaning::Enter(entered) => context = entered,
                meaning if end > after => return Place { context, meaning: Some((meaning, end)) },
                _ => {}
            }
        }
        if component.len() >= SHORTEST
            && end > after
            && let Some(kind) = begins(component, context)
        {
            return Place { context, meaning: Some((Meaning::Leftover(kind), end)) };
        }
        if matches!(component, [b'c', b'u', b'd', b'a', ..])
            && super::flavor::is_toolkit(&path[..start - 1], component)
        {
            context = Context::Toolkit;
        }
        start = end + 1;
    }
    Place { context, meaning: None }
}

impl Where {
    fn holds(self, context: Context) -> bool {
        match self {
            Where::Root | Where::Anywhere => true,
            Where::Outside => !context.is_packages(),
            Where::Packages => context.is_packages(),
            Where::Toolkit => context == Context::Toolkit,
            Where::Nvidia => context == Context::Nvidia,
            Where::Cuda => matches!(context, Context::Toolkit | Context::Nvidia),
        }
    }
}

impl Mark {
    fn is(&self, directory: &str) -> bool {
        let at_root = self.place != Where::Root || directory.len() == self.directory.len();
        at_root && directory.ends_with(self.directory)
    }
}

/// Length of the shortest prefix.
const SHORTEST: usize = 11;

fn begins(component: &[u8], context: Context) -> Option<Kind> {
    if context == Context::Packages {
        return None;
    }
    PREFIXES.iter().find(|(prefix, _)| component.starts_with(prefix.as_bytes())).map(|(_, kind)| *kind)
}
