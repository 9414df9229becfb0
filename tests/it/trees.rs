//! Audits of real trees, compared with tables that were derived with each tree's own loader.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::util::{BINARY, Root, SOURCE, is_root, part, report, skip, text};

fn compare(tree: &str) {
    let Some(root) = part(tree) else { return };
    let table = Path::new(SOURCE).join(format!("tests/real/expected/{tree}.json"));
    let expected: Value = serde_json::from_str(&fs::read_to_string(table).unwrap()).unwrap();
    let output = Command::new(BINARY).arg("image").arg(&root).args(["--format", "json"]).output().unwrap();
    let report = report(&output);
    let mut differences = Vec::new();
    let of = |value: &Value| value.as_array().unwrap().clone();
    for (wanted, seen) in of(&expected["libraries"]).iter().zip(of(&report["libraries"])) {
        let name = wanted["name"].as_str().unwrap();
        assert_eq!(wanted["name"], seen["name"]);
        if wanted["status"].as_str().unwrap().replace(' ', "-") != seen["status"].as_str().unwrap() {
            differences.push(format!("{name}: {} instead of {}", seen["status"], wanted["status"]));
        }
        let paths = |library: &Value| {
            of(&library["copies"]).iter().map(|copy| copy["path"].to_string()).collect::<BTreeSet<_>>()
        };
        if paths(wanted) != paths(&seen) {
            differences.push(format!("{name}: copies {:?} instead of {:?}", paths(&seen), paths(wanted)));
        }
        for copy in of(&wanted["copies"]) {
            let Some(found) = of(&seen["copies"]).into_iter().find(|found| found["path"] == copy["path"])
            else {
                continue;
            };
            // The tables have no versions of distribution packages.
            let wanted_package = copy["package"].as_str().and_then(|package| package.split(' ').next());
            let package = found["package"]["name"].as_str();
            if package != wanted_package {
                let path = &copy["path"];
                differences.push(format!("{path}: package {package:?} instead of {wanted_package:?}"));
            }
            for field in ["soname", "version", "bytes", "origin", "verdict"] {
                if copy[field] != found[field] {
                    differences.push(format!(
                        "{}: {field} {} instead of {}",
                        copy["path"], found[field], copy[field]
                    ));
                }
            }
            let users = |copy: &Value| {
                of(&copy["used_by"]).iter().map(|user| user.to_string()).collect::<BTreeSet<_>>()
            };
            if users(&copy) != users(&found) {
                let (only_table, only_here) =
                    (&users(&copy) - &users(&found), &users(&found) - &users(&copy));
                differences.push(format!(
                    "{}: missing users {only_table:?}, unexpected users {only_here:?}",
                    copy["path"]
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{tree}:\n{}", differences.join("\n"));
}

#[test]
fn torch_for_cuda_12() {
    compare("torch12");
}

#[test]
fn torch_for_cuda_13() {
    compare("torch13");
}

#[test]
fn a_cuda_11_toolkit_beside_torch() {
    compare("toolkit11");
}

/// A tree may have a system cuBLAS, development links, stubs and a wheel. The probe must use the copy that the real
/// loader resolves for libtorch_cuda, with the cuBLASLt beside it.
#[test]
fn the_probe_loads_the_copies_that_the_application_uses() {
    for tree in ["toolkit11", "torch12", "torch13"] {
        let Some(part) = part(tree) else { return };
        if !is_root() {
            skip("only root can mount an overlay");
            return;
        }
        let site = "/usr/local/lib/python3.11/dist-packages";
        let listed = Command::new("chroot")
            .arg(&part)
            .args(["/lib64/ld-linux-x86-64.so.2", "--list", &format!("{site}/torch/lib/libtorch_cuda.so")])
            .output()
            .unwrap();
        let listed = text(&listed.stdout);
        let resolved = |stem: &str| {
            let line = listed
                .lines()
                .find(|line| line.trim().starts_with(stem))
                .unwrap_or_else(|| panic!("{stem}: {listed}"));
            let path = line.split(" => ").nth(1).unwrap().split(" (0x").next().unwrap();
            let outside = fs::canonicalize(part.join(path.trim_start_matches('/'))).unwrap();
            format!("/{}", outside.strip_prefix(&part).unwrap().display())
        };
        let (report, _) = Root::over(&part).report(&[]);
        let loaded = report["loaded"].as_array().unwrap();
        let of = |name: &str| {
            loaded
                .iter()
                .find(|entry| entry["library"] == name)
                .unwrap_or_else(|| panic!("{tree}: {name} of {loaded:?}"))
        };
        let blas = of("libcublas");
        assert_eq!(blas["path"], resolved("libcublas.so"), "{tree}");
        assert!(
            blas["also"].as_array().unwrap().contains(&resolved("libcublasLt.so").into()),
            "{tree}: {blas}"
        );
        assert_eq!(of("libcudart")["path"], resolved("libcudart.so"), "{tree}");
    }
}

#[test]
fn a_library_that_is_not_elf_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("libcudnn.so.9"), "version https://git-lfs.github.com/spec/v1\n")
        .unwrap();
    // A linker script is a valid libcublas.so, and a text file beside it is not a library.
    fs::write(directory.path().join("libcublas.so"), "INPUT(libcublas.so.12)\n").unwrap();
    fs::write(directory.path().join("libcublas.so.12.txt"), "notes\n").unwrap();
    let output = Command::new(BINARY).arg("image").arg(directory.path()).args(["--format", "json"]).output();
    let report = report(&output.unwrap());
    let unreadable = report["image"]["unreadable"].as_array().unwrap();
    assert_eq!(unreadable.len(), 1, "{unreadable:?}");
    assert!(unreadable[0].to_string().contains("/libcudnn.so.9"), "{unreadable:?}");
}
