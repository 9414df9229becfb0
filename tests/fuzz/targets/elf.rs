//! ELF: a part of a file and the same bytes as a stream give the same.
//!
//! Of what is larger than a stream keeps, the loader's part is compared where the stream has it.

#![no_main]

use std::sync::Mutex;

use cudacheck_fuzz::facts::bytes::{Bytes, HEAD, Kept, Part};
use cudacheck_fuzz::facts::elf::{Depth, Elf, read};
use cudacheck_fuzz::file;
use libfuzzer_sys::fuzz_target;

/// Shared by all runs: what one left in it must not change the next.
static SCRATCH: Mutex<Vec<u8>> = Mutex::new(Vec::new());
const MARGIN: usize = 512;

fn look(bytes: &dyn Bytes, depth: Depth) -> Result<Option<Elf>, String> {
    let mut scratch = SCRATCH.lock().expect("no panic is survived");
    read(bytes, depth, &mut scratch).map_err(|error| format!("{error:#}"))
}

fuzz_target!(|data: &[u8]| {
    // What lies around the part belongs to others.
    let around = b"libcuda.so.1\0libcublas.so.12\0".repeat(MARGIN / 29 + 1);
    let file = file(&[&around[..MARGIN], data, &around]);
    let length = data.len() as u64;
    let part = Part { file, offset: MARGIN as u64, length };
    let kept = Kept::read(&mut &data[..], length, |_| true).expect("all is there").expect("it is worth it");
    for full in [false, true] {
        let depth = Depth { names: full, device_code: full };
        let (of_part, of_stream) = (look(&part, depth), look(&kept, depth));
        if length <= HEAD {
            assert_eq!(of_part, of_stream);
        } else if let (Ok(Some(of_part)), Ok(Some(of_stream))) = (of_part, of_stream) {
            assert_eq!(of_loader(of_part), of_loader(of_stream));
        }
    }
});

type OfLoader = (Option<String>, bool, Option<String>, Vec<String>, Vec<String>, Vec<String>);

fn of_loader(elf: Elf) -> OfLoader {
    (elf.interpreter, elf.dynamic, elf.soname, elf.needed, elf.rpath, elf.runpath)
}
