//! Huge pages for the tables that a library clears when it is initialized. NVML's take 12 MB, and 3000 page faults
//! were two thirds of the time of a check.
//!
//! This is only a hint to the kernel. Where it has to compact memory first (transparent_hugepage/defrag), less time
//! is saved.

use std::ffi::{CStr, c_int, c_void};

/// Tables smaller than two huge pages are not worth it.
const SMALLEST: usize = 4 << 20;
const PAGE: usize = 4096;

/// Requests huge pages for the tables of a loaded library; `name` is part of its file name.
pub fn enlarge(name: &'static str) {
    let mut wanted = name;
    // SAFETY: `visit` has the required signature, and `wanted` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut wanted).cast()) };
}

/// One loaded object.
unsafe extern "C" fn visit(object: *mut libc::dl_phdr_info, _: libc::size_t, wanted: *mut c_void) -> c_int {
    // SAFETY: `object` is valid during this call, and `wanted` is the pointer that `enlarge` passed.
    let (object, wanted) = unsafe { (&*object, *wanted.cast::<&'static str>()) };
    if object.dlpi_name.is_null() || object.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the name ends in NUL.
    let name = unsafe { CStr::from_ptr(object.dlpi_name) };
    if !name.to_string_lossy().contains(wanted) {
        return 0;
    }
    // SAFETY: there are `dlpi_phnum` program headers.
    let headers = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
        let base = object.dlpi_addr as usize + header.p_vaddr as usize;
        // The part that comes from the file is followed by zero-initialized memory.
        let start = (base + header.p_filesz as usize).next_multiple_of(PAGE);
        let end = base + header.p_memsz as usize;
        if end.saturating_sub(start) >= SMALLEST {
            // SAFETY: the loader mapped this range, and the advice changes no contents.
            unsafe { libc::madvise(start as *mut c_void, end - start, libc::MADV_HUGEPAGE) };
        }
    }
    0
}
