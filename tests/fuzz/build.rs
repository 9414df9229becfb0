//! Shrinks what a stream keeps of a file, so that small inputs reach what large files do.

use std::path::PathBuf;
use std::{env, fs};

const SMALLER: [(&str, &str); 3] = [
    ("const HEAD: u64 = 48 << 20;", "pub const HEAD: u64 = 16 << 10;"),
    ("const TAIL: usize = 16 << 20;", "const TAIL: usize = 4 << 10;"),
    ("const CHUNK: usize = 256 << 10;", "const CHUNK: usize = 1 << 10;"),
];

fn main() {
    let source = "../../src/facts/bytes.rs";
    println!("cargo::rerun-if-changed={source}");
    println!("cargo::rerun-if-changed=build.rs");
    let mut text = fs::read_to_string(source).expect("bytes.rs is there");
    for (large, small) in SMALLER {
        assert!(text.contains(large), "{source} has no `{large}`");
        text = text.replace(large, small);
    }
    // An included file has no comment of its own.
    let lines = text.lines().filter(|line| !line.starts_with("//!"));
    let place = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names it")).join("bytes.rs");
    fs::write(place, lines.collect::<Vec<_>>().join("\n")).expect("it can be written");
}
