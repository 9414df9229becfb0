//! ELF: a part of a file and the same bytes as a stream give the same result.
//!
//! For a file larger than a stream keeps, only what the loader sees is compared.

#![no_main]

use std::sync::Mutex;

use cudacheck_fuzz::file;
use image_audit::Elf;
use image_audit::fuzzing::{Bytes, Depth, HEAD, Kept, Part, read_elf};
use libfuzzer_sys::fuzz_target;

/// Shared by all runs: leftover content must not change results.
static SCRATCH: Mutex<Vec<u8>> = Mutex::new(Vec::new());
const MARGIN: usize = 512;
/// More than a stream keeps of the end.
const LONGER: usize = 20 << 10;
const DEPTHS: [Depth; 3] = [Depth::Headers, Depth::Data, Depth::Code];

fn inspect(bytes: &dyn Bytes, depth: Depth) -> Result<Option<Elf>, String> {
    let mut scratch = SCRATCH.lock().expect("a panic ends the process");
    read_elf(bytes, depth, &mut scratch).map_err(|error| format!("{error:#}"))
}

fn stream(data: &[u8]) -> Kept {
    let read = Kept::read(&mut &data[..], data.len() as u64, |_| true);
    read.expect("it is complete").expect("it is wanted")
}

fuzz_target!(|data: &[u8]| {
    // Bytes around the part must not matter.
    let around = b"libcuda.so.1\0libcublas.so.12\0".repeat(MARGIN / 29 + 1);
    let length = data.len() as u64;
    let part = Part { file: file(&[&around[..MARGIN], data, &around]), offset: MARGIN as u64, length };
    let of_part = DEPTHS.map(|depth| inspect(&part, depth));
    let of_stream = DEPTHS.map(|depth| inspect(&stream(data), depth));
    if length <= HEAD {
        assert_eq!(of_part, of_stream);
    }
    // Longer than the head of a stream.
    let longer = [data, &[0; LONGER]].concat();
    let part = Part { file: file(&[&longer]), offset: 0, length: longer.len() as u64 };
    let [of_part, of_stream] = [inspect(&part, Depth::Code), inspect(&stream(&longer), Depth::Code)];
    if let (Ok(Some(of_part)), Ok(Some(of_stream))) = (of_part, of_stream)
        && of_part.dynamic == of_stream.dynamic
    {
        assert_eq!(of_loader(of_part), of_loader(of_stream));
    }
});

fn of_loader(elf: Elf) -> (Option<String>, [Vec<String>; 3]) {
    (elf.soname, [elf.needed, elf.rpath, elf.runpath])
}
