//! The whole audit of an image made from the input: programs, databases, sources, configuration.
//!
//! In an input, 0x01 stands for a token, which must not be in the result.

#![no_main]

use std::io::Write;

use cudacheck_fuzz::{Input, TOKEN, UNIQUE, file, path_of, tar};
use image_audit::Audit;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 16] = [
    "usr/lib/libcudart.so.12",
    "usr/lib/libcublas.so.12",
    "usr/bin/app",
    "lib64/ld-linux-x86-64.so.2",
    "lib/ld-musl-x86_64.so.1",
    "etc/ld.so.cache",
    "etc/ld.so.preload",
    "etc/os-release",
    "app/main.py",
    "app/.env",
    "var/lib/dpkg/status",
    "var/lib/dpkg/info/a.list",
    "usr/lib/x.dist-info/RECORD",
    "usr/lib/.wh.libcudart.so.12",
    "usr/.wh..wh..opq",
    "usr/lib/python3/site-packages/torch/lib/libtorch_cuda.so",
];

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let archive = archive(&mut input);
    let place = path_of(file(&[&archive]));
    let source = Audit::archive(place).read().expect("it is an image");
    let census = source.census();
    let shown = format!("{census:?} {:?}", source.image);
    assert!(!shown.contains(UNIQUE), "{shown}");
});

fn archive(input: &mut Input) -> Vec<u8> {
    let settings = input.byte();
    let count = usize::from(settings % 3) + 1;
    let mut text = || {
        let count = input.byte().into();
        let text = String::from_utf8_lossy(input.bytes(count)).into_owned();
        // Search paths may be shown.
        let line = |line: &str| if line.contains("LD_") { line.to_owned() } else { with_tokens(line) };
        text.lines().map(line).collect::<Vec<_>>()
    };
    let (variables, history) = (text(), text());
    let config = serde_json::json!({
        "os": "linux", "architecture": "amd64",
        "config": { "Env": variables, "User": "" },
        "history": history.iter().map(|line| serde_json::json!({ "created_by": line })).collect::<Vec<_>>(),
        "rootfs": { "diff_ids": (0..count).map(|layer| format!("sha256:{layer}")).collect::<Vec<_>>() },
    });
    let layers: Vec<String> = (0..count).map(|layer| format!("{layer}.tar")).collect();
    let manifest = serde_json::json!([{ "Config": "config.json", "RepoTags": ["a:b"], "Layers": layers }]);
    let mut archive = Vec::new();
    for (name, document) in [("manifest.json", manifest), ("config.json", config)] {
        tar::push(&mut archive, name.as_bytes(), b'0', b"", 0o644, document.to_string().as_bytes());
    }
    for (number, name) in layers.iter().enumerate() {
        let content = layer(input, number + 1 == count);
        let content = if settings & 0x80 == 0 { content } else { gzip(&content) };
        tar::push(&mut archive, name.as_bytes(), b'0', b"", 0o644, &content);
    }
    tar::end(&mut archive);
    archive
}

fn with_tokens(text: &str) -> String {
    text.replace('\x01', &format!(" {TOKEN} "))
}

/// Members, the last layer with all that is left.
fn layer(input: &mut Input, last: bool) -> Vec<u8> {
    let mut layer = Vec::new();
    let members = if last { u8::MAX } else { input.byte() % 8 };
    for _ in 0..members {
        if input.0.is_empty() {
            break;
        }
        let kind = input.byte();
        let name = input.choose(&NAMES);
        let (name, other) = match kind & 7 {
            7 => (format!("opt/{}", kind >> 3), name),
            _ => (name.to_owned(), input.choose(&NAMES)),
        };
        let [low, high] = [input.byte(), input.byte()].map(usize::from);
        let content = input.bytes(low | (high & 0x1f) << 8);
        match kind & 0x1f {
            1 => tar::push(&mut layer, name.as_bytes(), b'1', other.as_bytes(), 0o644, b""),
            2 => tar::push(&mut layer, name.as_bytes(), b'2', content, 0o777, b""),
            3 => tar::push(&mut layer, name.as_bytes(), b'5', b"", 0o755, b""),
            4 => tar::push(&mut layer, content, b'0', b"", 0o755, content),
            _ if name.ends_with("/.env") => {
                let content = with_tokens(&String::from_utf8_lossy(content));
                tar::push(&mut layer, name.as_bytes(), b'0', b"", 0o644, content.as_bytes());
            }
            _ => tar::push(&mut layer, name.as_bytes(), b'0', b"", 0o755, content),
        }
    }
    tar::end(&mut layer);
    layer
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory succeeds")
}
