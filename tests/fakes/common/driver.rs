//! How the other libraries find the fake libcuda of their process. They never load it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null;
use std::sync::OnceLock;

const RTLD_NOW: c_int = 2;
const RTLD_NOLOAD: c_int = 4;

/// `Dl_info`.
#[repr(C)]
struct Place {
    file: *const c_char,
    base: *const c_void,
    symbol: *const c_char,
    address: *const c_void,
}

// SAFETY: the signatures are those of <dlfcn.h>.
unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dladdr(address: *const c_void, to: *mut Place) -> c_int;
}

/// The address of a function of libcuda; null without libcuda or without the function.
pub fn address(name: &CStr) -> *mut c_void {
    static LIBRARY: OnceLock<usize> = OnceLock::new();
    let library = match LIBRARY.get() {
        Some(library) => *library,
        None => {
            let found = loaded(c"libcuda.so.1").or_else(by_file_name);
            let Some(found) = found else {
                return std::ptr::null_mut();
            };
            *LIBRARY.get_or_init(|| found)
        }
    };
    // SAFETY: the handle came from dlopen and is never closed.
    unsafe { dlsym(library as *mut c_void, name.as_ptr()) }
}

fn loaded(name: &CStr) -> Option<usize> {
    // SAFETY: the name ends in a zero byte; NOLOAD runs no constructor.
    let library = unsafe { dlopen(name.as_ptr(), RTLD_NOW | RTLD_NOLOAD) };
    (!library.is_null()).then_some(library as usize)
}

/// For a libcuda that was linked without a soname: the loader knows it by its path only.
fn by_file_name() -> Option<usize> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps
        .lines()
        .filter_map(|line| line.find('/').map(|start| &line[start..]))
        .find(|path| path.rsplit('/').next().is_some_and(|file| file.starts_with("libcuda.so")))?;
    loaded(&CString::new(path).ok()?)
}

/// A function of libcuda.
///
/// # Safety
/// `F` must be the function pointer type of the symbol.
pub unsafe fn function<F: Copy>(name: &CStr) -> Option<F> {
    let address = address(name);
    assert!(size_of::<F>() == size_of_val(&address));
    // SAFETY: not null, of the size of a pointer, and the caller vouches for the type.
    (!address.is_null()).then(|| unsafe { std::mem::transmute_copy(&address) })
}

/// The number of the GPU whose context is current in this thread.
pub fn current_gpu() -> Option<u32> {
    // SAFETY: the type is that of the function in cuda/context.rs.
    let current = unsafe { function::<extern "C" fn() -> c_int>(c"fake_current_gpu") }?;
    u32::try_from(current()).ok()
}

/// The number of the GPU behind an ordinal of libcuda; the ordinal itself without libcuda.
pub fn gpu_of(ordinal: c_int) -> Option<u32> {
    // SAFETY: the type is that of the function in cuda/device.rs.
    let known = unsafe { function::<extern "C" fn(c_int) -> c_int>(c"fake_gpu_of") };
    u32::try_from(known.map_or(ordinal, |known| known(ordinal))).ok()
}

/// Whether the bytes are in one allocation of device memory.
pub fn owns(pointer: usize, bytes: usize) -> bool {
    // SAFETY: the type is that of the function in cuda/memory.rs.
    let owns = unsafe { function::<extern "C" fn(usize, usize) -> bool>(c"fake_owns") };
    owns.is_some_and(|owns| owns(pointer, bytes))
}

/// A file in the directory that this library was loaded from, if there is one of that name.
pub fn next_to_library(name: &str) -> Option<PathBuf> {
    let mut place = Place { file: null(), base: null(), symbol: null(), address: null() };
    // SAFETY: the address is that of a function of this library, and the structure is dladdr's.
    let found = unsafe { dladdr(next_to_library as *const c_void, &mut place) } != 0 && !place.file.is_null();
    // SAFETY: dladdr gave the loader's own name of the file, which lives as long as the library.
    let file = found.then(|| unsafe { CStr::from_ptr(place.file) })?;
    let path = Path::new(file.to_str().ok()?).with_file_name(name);
    path.exists().then_some(path)
}

/// Whether the loader can load a library.
pub fn loads(name: &CStr) -> bool {
    // SAFETY: the name ends in a zero byte; the library stays loaded.
    unsafe { !dlopen(name.as_ptr(), RTLD_NOW).is_null() }
}
