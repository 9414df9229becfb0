//! Files of `docs/` that are made from the program: compared by tests, written on request.
//!
//! `CUDACHECK_BLESS=1 cargo test` regenerates them.

use std::fs;
use std::path::Path;

pub fn check(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("CUDACHECK_BLESS").is_some() {
        fs::write(&path, text).expect("docs/ is writable");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "{file} is out of date; CUDACHECK_BLESS=1 cargo test regenerates it");
}
