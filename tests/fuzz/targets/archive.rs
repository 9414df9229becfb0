//! Image archives: reading as a file and as a stream agrees, and no path leads out of the image.
//!
//! Checksums of mutated headers are repaired; otherwise nothing after them would be read.

#![no_main]

use cudacheck_fuzz::{file, path_of, pipe, tar};
use image_audit::fuzzing::{
    Depth, Fact, HEAD, Image, Input, Inspector, Kind, open_archive, overlay, tree_of_image,
};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    // Some stay damaged.
    if !seed.is_multiple_of(16) && data[..size].get(257..262) == Some(b"ustar") {
        tar::repair(&mut data[..size]);
    }
    size
});

fn open(input: &impl std::os::fd::AsRawFd) -> anyhow::Result<Image<Fact>> {
    open_archive(Input::Path(&path_of(input)), None, &Inspector { depth: Depth::Code })
}

fuzz_target!(|data: &[u8]| {
    let of_file = open(file(&[data]));
    if let Some(pipe) = pipe(data)
        && let (Ok(of_file), Ok(of_stream)) = (&of_file, open(&pipe))
    {
        compare(of_file, &of_stream);
    }
    let Ok(image) = of_file else { return };
    for entry in image.layers.iter().flat_map(|layer| &layer.entries) {
        assert!(is_inside(&entry.path), "{}", entry.path);
    }
    let (tree, shown, hidden) = tree_of_image(image);
    let paths = hidden.iter().map(|hidden: &overlay::Hidden| &hidden.path).chain(tree.files.keys());
    for path in paths {
        assert!(is_inside(path), "{path}");
        if let Some(real) = tree.resolve(path) {
            assert!(is_inside(&real), "{path} is {real}");
        }
        let _ = tree.read(path);
    }
    let shipped: u64 = shown.layers.iter().map(|layer| layer.bytes).sum();
    let unseen: u64 = shown.hidden.iter().map(|hidden| hidden.bytes).sum();
    assert!(tree.bytes() + unseen <= shipped);
});

fn is_inside(path: &str) -> bool {
    path.starts_with('/') && path.split('/').all(|part| part != "..")
}

/// The facts of a file that a stream keeps whole.
fn shown(kind: &Kind<Fact>) -> String {
    match kind {
        Kind::File { bytes, fact } if *bytes <= HEAD => {
            format!("{bytes} {:?}", fact.clone().unwrap_or_default())
        }
        Kind::File { bytes, .. } => bytes.to_string(),
        kind => format!("{kind:?}"),
    }
}

fn compare(of_file: &Image<Fact>, of_stream: &Image<Fact>) {
    assert_eq!((&of_file.name, &of_file.config), (&of_stream.name, &of_stream.config));
    assert_eq!(of_file.layers.len(), of_stream.layers.len());
    for (one, other) in of_file.layers.iter().zip(&of_stream.layers) {
        assert_eq!(one.digest, other.digest);
        if !(one.whole && other.whole) {
            continue;
        }
        assert_eq!(one.entries.len(), other.entries.len());
        // For a layer truncated after its last file, a stream reports the claimed size.
        assert!(!of_file.problems.is_empty() || one.stored_bytes == other.stored_bytes);
        for (one, other) in one.entries.iter().zip(&other.entries) {
            assert_eq!((&one.path, one.mode, one.uid), (&other.path, other.mode, other.uid));
            assert_eq!(shown(&one.kind), shown(&other.kind), "{}", one.path);
        }
    }
}
