//! What is known about an ELF file.

use serde::{Deserialize, Serialize};

use crate::fatbin::DeviceCode;

/// What is known about a 64-bit ELF file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// e_machine, such as 62 for x86-64.
    pub machine: u16,
    /// PT_INTERP: the loader of a program.
    pub interpreter: Option<String>,
    /// Whether it has a dynamic section, so that a loader accepts it.
    pub dynamic: bool,
    /// Whether it makes the loader turn the stack of the process executable.
    pub executable_stack: bool,
    /// DT_SONAME.
    pub soname: Option<String>,
    /// DT_NEEDED, in order.
    pub needed: Vec<String>,
    /// Directories of DT_RPATH.
    pub rpath: Vec<String>,
    /// Directories of DT_RUNPATH.
    pub runpath: Vec<String>,
    /// DF_1_NODEFLIB: the loader does not search its default directories for this object.
    pub no_default_directories: bool,
    /// Symbol versions that it needs, such as GLIBC_2.34 of libc.so.6.
    pub versions_needed: Vec<VersionsNeeded>,
    /// Symbol versions that it defines.
    pub versions_defined: Vec<String>,
    /// Whether it imports dlopen, so that it may load what it names.
    pub imports_dlopen: bool,
    /// Sonames and paths of CUDA libraries in its read-only data.
    pub names: Vec<String>,
    /// Stems in its read-only data that look like parts of such names.
    pub mentions: Vec<String>,
    /// Pieces of such names in its code, if that was read.
    pub pieces: Vec<String>,
    /// Of glibc's loader: the default directories, in order.
    pub system_directories: Vec<String>,
    /// Device code, by architecture.
    pub device_code: Vec<DeviceCode>,
    /// Of a libcuda for forward compatibility: the drivers that it supports.
    pub forward: Option<Forward>,
}

impl Elf {
    pub(crate) fn has_search_path(&self) -> bool {
        !self.rpath.is_empty() || !self.runpath.is_empty()
    }
}

/// Symbol versions that an object needs of one library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionsNeeded {
    /// The library.
    pub soname: String,
    /// The versions, except weak ones.
    pub versions: Vec<String>,
}

/// The drivers that a libcuda for forward compatibility supports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The CUDA version that it provides, such as `13.1`.
    pub cuda: Option<String>,
    /// Branches of the kernel driver that it runs on, such as 535.
    pub drivers: Vec<u32>,
}
