//! The container as seen from inside: kernel module, device nodes, environment, mounts, limits.
//!
//! One file per subject. All of them only read files and metadata; the probe opens device nodes.

mod driver_files;
mod environment;
mod files;
mod limits;
mod loaders;
mod module;
mod mounts;
mod nodes;
mod platform;
mod process;

use std::collections::BTreeMap;
use std::path::Path;

use image_audit::loader::Environment;
use serde::{Deserialize, Serialize};

pub use driver_files::DriverFile;
pub use limits::Limits;
pub use loaders::GLIBC_LOADER;
pub use module::Module;
pub use nodes::Node;
pub use platform::Platform;
pub use process::Process;

/// The container and the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Version of the Linux kernel.
    pub kernel: String,
    pub platform: Platform,
    /// None if it is not loaded.
    pub module: Option<Module>,
    /// Device nodes, by path.
    pub nodes: Vec<Node>,
    /// Major device numbers of the NVIDIA drivers, by name.
    pub majors: BTreeMap<String, u32>,
    /// Variables that affect GPU libraries.
    pub environment: BTreeMap<String, String>,
    /// Variables with a different value in process 1: what an entrypoint exports does not reach health checks.
    /// Empty if the environment of process 1 cannot be read.
    pub differs_in_first: BTreeMap<String, String>,
    /// Mount points of NVIDIA files.
    pub mounts: Vec<String>,
    /// libcuda and libnvidia-ml, whether or not the loader searches their directories.
    pub driver_files: Vec<DriverFile>,
    pub process: Process,
    pub limits: Limits,
    /// The image has the loader of glibc.
    pub glibc_loader: bool,
    /// The loader of musl, if the image has one.
    pub musl_loader: Option<String>,
    /// The image has /etc/ld.so.cache.
    pub ld_cache: bool,
}

impl Host {
    /// What decides which libraries a program of this container loads.
    pub fn loader_environment(&self) -> Environment {
        let variable = |name| self.environment.get(name).cloned();
        let (library_path, preload) = (variable("LD_LIBRARY_PATH"), variable("LD_PRELOAD"));
        Environment { library_path, preload, working_directory: "/".to_owned() }
    }
}

pub fn gather() -> Host {
    let environment = environment::environment();
    let platform = platform::platform(&environment);
    let mounts = mounts::mounts();
    // Outside of a container, process 1 has nothing to do with the application.
    let in_container = platform.container.is_some();
    Host {
        kernel: files::read("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        module: module::module(),
        nodes: nodes::nodes(),
        majors: module::majors(),
        differs_in_first: if in_container {
            environment::differs_in_first(&environment)
        } else {
            BTreeMap::new()
        },
        driver_files: driver_files::driver_files(&environment, &mounts),
        process: process::process(),
        limits: limits::limits(),
        glibc_loader: loaders::has_glibc_loader(),
        musl_loader: loaders::musl_loader(),
        ld_cache: Path::new("/etc/ld.so.cache").exists(),
        platform,
        environment,
        mounts,
    }
}
