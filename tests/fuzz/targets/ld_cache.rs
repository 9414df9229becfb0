//! /etc/ld.so.cache.

#![no_main]

use image_audit::fuzzing::Cache;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let cache = Cache::parse(data);
    for soname in ["", "libc.so.6", "libx.so.1"] {
        if let Some(path) = cache.find(soname, &["x86-64-v3", "x86-64-v2"]) {
            // An invalid byte becomes a character of three bytes.
            assert!(path.len() < 3 * data.len());
        }
    }
});
