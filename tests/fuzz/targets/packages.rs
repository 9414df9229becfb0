//! Text package databases: both of dpkg, those of apk, Python and conda.
//!
//! The first byte selects the database; its files are separated by 0xFF.

#![no_main]

use std::collections::HashSet;

use image_audit::fuzzing::{
    Config, Content, Depth, Entry, Fact, Image, Inspector, Kind, Layer, Visit, owners, tree_of_image,
};
use libfuzzer_sys::fuzz_target;

const DATABASES: [&[&str]; 5] = [
    &["/var/lib/dpkg/status", "/var/lib/dpkg/info/a.list", "/var/lib/dpkg/info/b:amd64.list"],
    &["/var/lib/dpkg/status.d/a", "/var/lib/dpkg/status.d/a.md5sums"],
    &["/lib/apk/db/installed"],
    &[
        "/usr/lib/python3/site-packages/a-1.dist-info/RECORD",
        "/usr/lib/python3/site-packages/a-1.dist-info/METADATA",
    ],
    &["/opt/conda/conda-meta/a-1-0.json", "/opt/conda/conda-meta/b-1-0.json"],
];

const OWNED: [&str; 4] = [
    "/usr/lib/libcudart.so.12",
    "/usr/lib/python3/site-packages/nvidia/lib/libcublas.so.12",
    "/opt/conda/lib/libnccl.so.2",
    "/a",
];

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let names = DATABASES[usize::from(*first) % DATABASES.len()];
    let parts = data.splitn(names.len(), |byte| *byte == 0xff);
    let mut entries: Vec<_> = names.iter().zip(parts).map(|(name, content)| entry(name, content)).collect();
    let link = Kind::Link("usr/lib".to_owned());
    entries.push(Entry { path: "/lib64".to_owned(), kind: link, mode: 0o777, uid: 0 });
    entries.extend(OWNED.map(|path| entry(path, b"x")));
    let layer = Layer { digest: String::new(), created_by: None, stored_bytes: 0, entries, whole: true };
    let image = Image {
        name: None,
        platform: String::new(),
        config: Config::default(),
        layers: vec![layer],
        problems: Vec::new(),
    };
    let (tree, ..) = tree_of_image(image);
    let wanted: HashSet<String> = OWNED.map(str::to_owned).into();
    let found = owners(&tree, &wanted);
    assert!(found.owners.keys().all(|path| wanted.contains(path)));
    for package in &found.packages {
        assert!(package.bytes <= tree.bytes() && package.files as usize <= tree.files.len());
        assert!(found.owners.values().any(|owner| *owner == package.id));
    }
});

fn entry(path: &str, mut content: &[u8]) -> Entry<Fact> {
    let (mode, bytes) = (0o644, content.len() as u64);
    let content = Content::Stream(&mut content);
    let fact =
        Inspector { depth: Depth::Code }.file(&mut Vec::new(), path, mode, bytes, content).ok().flatten();
    Entry { path: path.to_owned(), kind: Kind::File { bytes, fact }, mode, uid: 0 }
}
