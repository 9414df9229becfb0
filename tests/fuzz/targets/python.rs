//! Names in Python sources: the same in a file and a stream, all of CUDA libraries.

#![no_main]

use std::sync::Mutex;

use cudacheck_fuzz::file;
use image_audit::catalogue::library_of;
use image_audit::fuzzing::{HEAD, Kept, Part, inspect_python, is_script};
use libfuzzer_sys::fuzz_target;

static SCRATCH: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fuzz_target!(|data: &[u8]| {
    is_script(&data[..data.len().min(64)]);
    let mut scratch = SCRATCH.lock().expect("a panic ends the process");
    let length = data.len() as u64;
    let part = Part { file: file(&[data]), offset: 0, length };
    let found = inspect_python(&part, &mut scratch).expect("a file can be read");
    if length <= HEAD {
        let kept =
            Kept::read(&mut &data[..], length, |_| true).expect("it is complete").expect("it is wanted");
        assert_eq!(inspect_python(&kept, &mut scratch).expect("it was kept"), found);
    }
    for stem in &found.loads {
        assert!(found.mentions.contains(stem), "{stem}");
        assert!(library_of(&format!("{stem}.so")).is_some(), "{stem}");
    }
    assert!(found.loads.is_sorted() && found.mentions.is_sorted());
});
