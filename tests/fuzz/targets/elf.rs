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
/// More than a stream keeps at its end.
const LONGER: usize = 20 << 10;
const FULL: [bool; 2] = [false, true];

fn look(bytes: &dyn Bytes, full: bool) -> Result<Option<Elf>, String> {
    let depth = Depth { names: full, device_code: full };
    let mut scratch = SCRATCH.lock().expect("no panic is survived");
    read(bytes, depth, &mut scratch).map_err(|error| format!("{error:#}"))
}

fn stream(data: &[u8]) -> Kept {
    let read = Kept::read(&mut &data[..], data.len() as u64, |_| true);
    read.expect("all is there").expect("it is worth it")
}

fuzz_target!(|data: &[u8]| {
    // What lies around the part belongs to others.
    let around = b"libcuda.so.1\0libcublas.so.12\0".repeat(MARGIN / 29 + 1);
    let length = data.len() as u64;
    let part = Part { file: file(&[&around[..MARGIN], data, &around]), offset: MARGIN as u64, length };
    let of_part = FULL.map(|full| look(&part, full));
    let of_stream = FULL.map(|full| look(&stream(data), full));
    if length <= HEAD {
        assert_eq!(of_part, of_stream);
    }
    // More follows, so that the end of it is not in the head.
    let longer = [data, &[0; LONGER]].concat();
    let part = Part { file: file(&[&longer]), offset: 0, length: longer.len() as u64 };
    let [of_part, of_stream] = [look(&part, true), look(&stream(&longer), true)];
    if let (Ok(Some(of_part)), Ok(Some(of_stream))) = (of_part, of_stream)
        && of_part.dynamic == of_stream.dynamic
    {
        assert_eq!(of_loader(of_part), of_loader(of_stream));
    }
});

fn of_loader(elf: Elf) -> (Option<String>, [Vec<String>; 3]) {
    (elf.soname, [elf.needed, elf.rpath, elf.runpath])
}
