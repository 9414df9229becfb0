//! Helpers of the fuzz targets: files in memory, and a memory limit. A target fails if it allocates more than
//! a valid input of the same size could need.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub mod tar;

/// More than a thousand times the largest input.
const LIMIT: usize = 96 << 20;

struct Limited;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Limited = Limited;

// SAFETY: all calls are forwarded unchanged to the system allocator.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: guaranteed by the caller.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: guaranteed by the caller.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn take(bytes: usize) {
    let allocated = ALLOCATED.fetch_add(bytes, Relaxed);
    if allocated.saturating_add(bytes) > LIMIT {
        // Leave memory for the message.
        ALLOCATED.store(0, Relaxed);
        panic!("{bytes} bytes requested in addition to {allocated}");
    }
}

/// A file in memory with the concatenated parts. There is only one; each call overwrites it.
pub fn file(parts: &[&[u8]]) -> &'static File {
    static FILE: OnceLock<File> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let path = format!("/dev/shm/cudacheck-fuzz-{}", std::process::id());
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        fs::remove_file(&path).and(file).expect("/dev/shm is writable")
    });
    let bytes = parts.concat();
    file.set_len(0).and_then(|()| file.write_all_at(&bytes, 0)).expect("/dev/shm has space");
    file
}

/// A path that reopens a file from its start.
pub fn path_of(file: &impl AsRawFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// A closed pipe with these bytes, if they fit.
pub fn pipe(bytes: &[u8]) -> Option<impl AsRawFd> {
    let (reader, mut writer) = std::io::pipe().ok()?;
    (bytes.len() <= PIPE && writer.write_all(bytes).is_ok()).then_some(reader)
}

/// Default capacity of a pipe.
const PIPE: usize = 64 << 10;

/// Takes numbers and texts from an input until it is empty.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or_default()
    }

    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let count = count.min(self.0.len());
        self.0.split_off(..count).unwrap_or_default()
    }

    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }
}

/// A token that no report may show, and a unique part of it.
pub const TOKEN: &str = "ghp_Zq7XwV9tKmB2sLcR8nYdPfJh3GvT5aUeW1oQ";
pub const UNIQUE: &str = "Zq7XwV9tKmB2";
