//! The parsers of the image audit as a library, for fuzz targets in `../targets`.
//!
//! The sources are cudacheck's own. Here are stand-ins for what they need of the rest, files in memory,
//! and a limit of memory: a target ends when it holds more than any honest input of its size explains.

#![allow(dead_code, reason = "cudacheck uses more of the modules than the targets do")]
#![allow(clippy::duplicate_mod, reason = "what is private in its place is here once more")]
#![allow(clippy::len_without_is_empty, reason = "public in this crate alone")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub mod databases;
pub mod facts;
#[path = "facts/loader/cache.rs"]
pub mod ld_cache;
#[path = "../../../src/order.rs"]
pub mod order;
pub mod tar;

pub mod supervise {
    /// glibc's loader.
    pub const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
}

/// No input has more bytes than a thousandth of this.
const MOST: usize = 96 << 20;

struct Limited;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Limited = Limited;

// SAFETY: all is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn take(bytes: usize) {
    let held = HELD.fetch_add(bytes, Relaxed);
    if held.saturating_add(bytes) > MOST {
        // The message itself needs memory.
        HELD.store(0, Relaxed);
        panic!("{bytes} bytes of memory more than the {held} that are held");
    }
}

/// A file in memory that holds these parts, one behind the other. There is one: each call writes it anew.
pub fn file(parts: &[&[u8]]) -> &'static File {
    static FILE: OnceLock<File> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let path = format!("/dev/shm/cudacheck-fuzz-{}", std::process::id());
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        fs::remove_file(&path).and(file).expect("/dev/shm takes files")
    });
    let bytes = parts.concat();
    file.set_len(0).and_then(|()| file.write_all_at(&bytes, 0)).expect("it has room");
    file
}

/// By which an open file can be opened again, from its beginning.
pub fn path_of(file: &impl AsRawFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// A pipe that these bytes have been written to, if it takes all of them; it ends behind them.
pub fn pipe(bytes: &[u8]) -> Option<impl AsRawFd> {
    let (reader, mut writer) = std::io::pipe().ok()?;
    (bytes.len() <= PIPE && writer.write_all(bytes).is_ok()).then_some(reader)
}

/// What a pipe takes before somebody reads.
const PIPE: usize = 64 << 10;

/// Cuts numbers and texts from an input until there is nothing left.
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

/// What no report may show: a token, and the part of it that nothing else has.
pub const TOKEN: &str = "ghp_Zq7XwV9tKmB2sLcR8nYdPfJh3GvT5aUeW1oQ";
pub const UNIQUE: &str = "Zq7XwV9tKmB2";
