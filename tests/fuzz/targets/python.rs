//! Names in Python sources: the same in a file and in a stream, all of listed libraries.

#![no_main]

use std::sync::Mutex;

use cudacheck_fuzz::facts::bytes::{HEAD, Kept, Part};
use cudacheck_fuzz::facts::catalogue::library_of;
use cudacheck_fuzz::facts::python::{is_script, look};
use cudacheck_fuzz::file;
use libfuzzer_sys::fuzz_target;

static SCRATCH: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fuzz_target!(|data: &[u8]| {
    is_script(&data[..data.len().min(64)]);
    let mut scratch = SCRATCH.lock().expect("no panic is survived");
    let length = data.len() as u64;
    let part = Part { file: file(&[data]), offset: 0, length };
    let found = look(&part, &mut scratch).expect("a file can be read");
    if length <= HEAD {
        let kept =
            Kept::read(&mut &data[..], length, |_| true).expect("all is there").expect("it is worth it");
        assert_eq!(look(&kept, &mut scratch).expect("it was kept"), found);
    }
    for stem in &found.loads {
        assert!(found.mentions.contains(stem), "{stem}");
        assert!(library_of(&format!("{stem}.so")).is_some(), "{stem}");
    }
    assert!(found.loads.is_sorted() && found.mentions.is_sorted());
});
