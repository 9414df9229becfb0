//! Reading /proc and /sys.

use std::fs;
use std::io::Read;

/// Reads a file of unknown size with as few system calls as possible: fs::read_to_string makes many.
pub fn read(path: &str) -> std::io::Result<String> {
    let mut text = Vec::with_capacity(4096);
    fs::File::open(path)?.take(1 << 20).read_to_end(&mut text)?;
    String::from_utf8(text).map_err(std::io::Error::other)
}
