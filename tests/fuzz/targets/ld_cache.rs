//! ld.so.cache.

#![no_main]

use cudacheck_fuzz::ld_cache::Cache;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let cache = Cache::parse(data);
    for soname in ["", "libc.so.6", "libx.so.1"] {
        if let Some(path) = cache.find(soname, &["x86-64-v3", "x86-64-v2"]) {
            // A byte that is no text becomes a character of three.
            assert!(path.len() < 3 * data.len());
        }
    }
});
