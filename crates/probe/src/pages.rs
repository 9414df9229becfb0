//! Large pages for the tables that a library clears when it is initialised: NVML's are 12 MB, and three thousand
//! page faults of 4 kB each were two thirds of the time that a check took.
//!
//! A hint to the kernel and no more: where it gives no large pages, nothing changes. Where it has to make them
//! first, by moving memory about (transparent_hugepage/defrag), that takes it some of the time that is saved.

use std::ffi::{CStr, c_int, c_void};

/// Tables smaller than two large pages are let be.
const WORTH: usize = 4 << 20;
const PAGE: usize = 4096;

/// Asks for large pages under the tables of a library that is loaded; `name` is a part of its file's name.
pub fn enlarge(name: &'static str) {
    let mut wanted = name;
    // SAFETY: `visit` has the type that is called, and `wanted` outlives the call, during which nobody else
    // touches it.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut wanted).cast()) };
}

/// One loaded object.
unsafe extern "C" fn visit(object: *mut libc::dl_phdr_info, _: libc::size_t, wanted: *mut c_void) -> c_int {
    // SAFETY: the loader passes an object that lives during this call, and what `enlarge` gave it.
    let (object, wanted) = unsafe { (&*object, *wanted.cast::<&'static str>()) };
    if object.dlpi_name.is_null() || object.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the loader's names end in NUL.
    let name = unsafe { CStr::from_ptr(object.dlpi_name) };
    if !name.to_string_lossy().contains(wanted) {
        return 0;
    }
    // SAFETY: the loader says how many program headers there are.
    let headers = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
        let base = object.dlpi_addr as usize + header.p_vaddr as usize;
        // What lies in the file comes first; behind it is memory that begins as zeroes.
        let start = (base + header.p_filesz as usize).next_multiple_of(PAGE);
        let end = base + header.p_memsz as usize;
        if end.saturating_sub(start) >= WORTH {
            // SAFETY: the range is mapped, by the loader for this object, and the advice changes no content.
            unsafe { libc::madvise(start as *mut c_void, end - start, libc::MADV_HUGEPAGE) };
        }
    }
    0
}
