//! Python packages with device code, assembled: what is said about each, with and without a described machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::predict::{image, predicted};
use crate::util::{finding, ids, report};

/// A library with a fatbin entry for each (SM, flags), all cubins.
fn library(file: &Path, soname: &str, entries: &[(u32, u64)]) {
    linked(file, soname, entries, &[]);
}

/// The same, linked to other libraries.
fn linked(file: &Path, soname: &str, entries: &[(u32, u64)], to: &[&Path]) {
    let entry = |(sm, flags): &(u32, u64)| {
        format!(
            ".short 2, 0\n.long 64\n.quad 8\n.zero 12\n.long {sm}\n.zero 8\n.quad {flags}\n.zero 16\n.quad 0\n"
        )
    };
    let body: String = entries.iter().map(entry).collect();
    let assembly = format!(
        ".section .nv_fatbin,\"a\",@progbits\n.align 8\n.long 0xba55ed50\n.short 1, 16\n.quad 2f-1f\n1:\n{body}2:\n"
    );
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let source = file.with_extension("s");
    fs::write(&source, assembly).unwrap();
    let status = Command::new("cc")
        .args(["-shared", "-nostdlib", &format!("-Wl,-soname,{soname}"), "-o"])
        .args([file, &source])
        .arg("-Wl,--no-as-needed")
        .args(to)
        .status()
        .unwrap();
    assert!(status.success());
    fs::remove_file(source).unwrap();
}

/// A package with code for sm_80, partly compressed, beside a library of NVIDIA's with code for all GPUs, linked from the
/// cache of uv.
#[test]
fn a_package_is_judged_by_its_own_code() {
    const ZSTD: u64 = 0x8000;
    let directory = tempfile::tempdir().unwrap();
    let site = directory.path().join("usr/lib/python3/dist-packages");
    let demo = site.join("demo/libdemo.so");
    library(&demo, "libdemo.so", &[(80, 0), (80, ZSTD), (86, 0)]);
    library(
        &site.join("nvidia/cublas/lib/libcublas.so.12"),
        "libcublas.so.12",
        &[(80, 0), (90, 0), (100, 0)],
    );
    let info = site.join("demo-1.0.dist-info");
    fs::create_dir_all(&info).unwrap();
    fs::write(info.join("RECORD"), "demo/libdemo.so,,\n").unwrap();
    fs::write(info.join("METADATA"), "Name: demo\nVersion: 1.0\n").unwrap();
    let cached = directory.path().join("root/.cache/uv/archive-v0/AbC/demo/libdemo.so");
    fs::create_dir_all(cached.parent().unwrap()).unwrap();
    fs::hard_link(&demo, &cached).unwrap();

    let machines = ["gpu=A100,driver=550.54.15", "gpu=A100,driver=535.104.05", "gpu=H100,driver=550.54.15"];
    let flags: Vec<&str> = machines.iter().flat_map(|machine| ["--on", machine]).collect();
    let all = report(&image(directory.path(), &[&flags[..], &["--format", "json"]].concat()));
    let frameworks = all["image"]["frameworks"].as_array().unwrap();
    assert_eq!(frameworks.len(), 1, "{frameworks:#?}");
    assert_eq!((&frameworks[0]["name"], &frameworks[0]["version"]), (&json!("demo"), &json!("1.0")));
    let path = "/usr/lib/python3/dist-packages/demo/libdemo.so";
    assert_eq!(frameworks[0]["objects"][0]["path"], path);
    let images = |code: &Value| -> Vec<(String, u64, u64)> {
        let of = |row: &Value, key: &str| row[key].as_u64().unwrap();
        let rows = code.as_array().unwrap().iter();
        rows.map(|row| (row["arch"].as_str().unwrap().to_owned(), of(row, "images"), of(row, "zstd")))
            .collect()
    };
    let row = |arch: &str, images, zstd| (arch.to_owned(), images, zstd);
    assert_eq!(
        images(&all["image"]["device_code"]),
        [row("sm_80", 3, 1), row("sm_86", 1, 0), row("sm_90", 1, 0), row("sm_100", 1, 0)]
    );
    let ids = |number: usize| predicted(&all["predictions"][number]);
    let unknown = "predict.image-unknown".to_owned();
    assert_eq!(ids(0), ("unknown".to_owned(), vec![unknown.clone()]), "a static runtime");
    assert_eq!(ids(1), ("fails".to_owned(), vec!["predict.zstd-fatbin".to_owned(), unknown.clone()]));
    assert_eq!(ids(2), ("fails".to_owned(), vec!["predict.no-code".to_owned(), unknown]));
    let finding = &all["predictions"][2]["findings"][0];
    assert_eq!(finding["cause"], "demo 1.0 has neither code for sm_90 nor PTX that runs on it.");
    assert_eq!(finding["evidence"][0]["text"], format!("{path}: sm_80, sm_86"));
}

/// What a framework is linked to and the image does not have: no machine has to be described to know that it fails.
#[test]
fn a_framework_without_a_library_that_it_is_linked_to_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (root, elsewhere) = (directory.path().join("root"), directory.path().join("elsewhere"));
    let site = root.join("usr/lib/python3/dist-packages");
    let cudnn = elsewhere.join("libcudnn.so.9");
    library(&cudnn, "libcudnn.so.9", &[(80, 0)]);
    linked(&site.join("demo/libdemo.so"), "libdemo.so", &[(80, 0)], &[&cudnn]);
    let info = site.join("demo-1.0.dist-info");
    fs::create_dir_all(&info).unwrap();
    fs::write(info.join("RECORD"), "demo/libdemo.so,,\n").unwrap();
    let metadata = "Name: demo\nVersion: 1.0\nRequires-Dist: nvidia-cudnn-cu12==9.1.0.70\n";
    fs::write(info.join("METADATA"), metadata).unwrap();

    let output = image(&root, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let all = report(&output);
    let found = finding(&all, "library.framework-broken");
    assert_eq!(found["severity"], "error");
    let remedy = "Install what contains it: `pip install nvidia-cudnn-cu12==9.1.0.70` (apt: the CUDA runtime packages)";
    assert_eq!(found["remedy"], remedy);
    assert!(!ids(&all).contains(&"library.missing"), "one finding for one fault");
    let all = report(&image(&root, &["--format", "json", "--on", "gpu=A100,driver=550.54.15"]));
    assert_eq!(predicted(&all["predictions"][0]).0, "fails");
    assert_eq!(finding(&all, "library.framework-broken")["explains"], json!(["predict.missing-library"]));

    fs::copy(&cudnn, root.join("usr/lib/libcudnn.so.9")).unwrap();
    let repaired = report(&image(&root, &["--format", "json"]));
    assert!(!ids(&repaired).iter().any(|id| id.starts_with("library.")), "{:?}", ids(&repaired));
}
