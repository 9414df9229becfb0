//! Merged layers: each shipped file is visible or hidden, and what is visible is a tree.

#![no_main]

use std::collections::BTreeSet;

use cudacheck_fuzz::Input;
use image_audit::fuzzing::overlay::{Merged, merge};
use image_audit::fuzzing::{Entry, Kind, Layer};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 8] = ["a", "b", "c", "a.", "a0", "usr", "lib", "é"];
const MORE: [&str; 4] = ["..", ".", "", "/"];

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut layers: Vec<Layer<u32>> = Vec::new();
    // Each file has a unique size, which identifies it.
    let mut shipped = BTreeSet::new();
    while !input.0.is_empty() {
        let byte = input.byte();
        if layers.is_empty() || byte & 0x0f == 0x0f {
            layers.push(layer());
        }
        let path = format!("/{}", path(&mut input, &NAMES));
        let kind = match byte >> 4 {
            0..=5 => {
                let bytes = 1 << 20 | shipped.len() as u64;
                shipped.insert(bytes);
                Kind::File { bytes, fact: Some(bytes as u32) }
            }
            6 | 7 => Kind::Link(target(&mut input)),
            8 | 9 => Kind::HardLink(format!("/{}", self::path(&mut input, &NAMES))),
            10 | 11 => Kind::Directory,
            12 | 13 => Kind::Whiteout,
            14 => Kind::Opaque,
            _ => Kind::Other,
        };
        let entry = Entry { path, kind, mode: 0o644, uid: 0 };
        layers.last_mut().expect("there is one").entries.push(entry);
    }
    check(&merge(&mut layers), shipped);
});

fn layer() -> Layer<u32> {
    Layer { digest: String::new(), created_by: None, stored_bytes: 0, entries: Vec::new(), whole: true }
}

fn path(input: &mut Input, names: &[&str]) -> String {
    let count = input.byte() % 6 + 1;
    (0..count).map(|_| input.choose(names)).collect::<Vec<_>>().join("/")
}

/// The target of a symbolic link: anything.
fn target(input: &mut Input) -> String {
    path(input, &[NAMES.as_slice(), &MORE].concat())
}

fn check(merged: &Merged<u32>, shipped: BTreeSet<u64>) {
    let mut left = shipped;
    for hidden in &merged.hidden {
        assert!(hidden.layer <= hidden.by && is_clean(&hidden.path), "{hidden:?}");
        assert!(left.remove(&hidden.bytes), "hidden twice: {hidden:?}");
    }
    for (path, node) in &merged.nodes {
        assert!(is_clean(path), "{path}");
        let (parent, _) = path.rsplit_once('/').expect("it begins with a slash");
        let parent = merged.nodes.get(parent).map(|parent| &parent.kind);
        assert!(
            path.rfind('/') == Some(0) || matches!(parent, Some(Kind::Directory)),
            "{path} in {parent:?}"
        );
        match &node.kind {
            Kind::File { bytes, fact } => {
                assert_eq!(*fact, Some(*bytes as u32), "{path}");
                assert!(left.remove(bytes), "visible twice, or hidden as well: {path}");
            }
            Kind::HardLink(target) => {
                let target = merged.nodes.get(target).map(|node| &node.kind);
                assert!(matches!(target, Some(Kind::File { .. })), "{path} is linked to {target:?}");
            }
            Kind::Whiteout | Kind::Opaque => panic!("{path} is a whiteout"),
            Kind::Link(_) | Kind::Directory | Kind::Other => {}
        }
    }
    assert!(left.len() <= merged.problems.len(), "{} files are lost: {:?}", left.len(), merged.problems);
}

fn is_clean(path: &str) -> bool {
    path.starts_with('/') && path[1..].split('/').all(|part| !matches!(part, "" | "." | ".."))
}
