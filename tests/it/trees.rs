//! The census of real trees, against tables that were derived from each tree's own loader.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::util::{BINARY, SOURCE, part, report};

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
        let paths = |library: &Value| of(&library["copies"]).iter().map(|copy| copy["path"].to_string()).collect::<BTreeSet<_>>();
        if paths(wanted) != paths(&seen) {
            differences.push(format!("{name}: copies {:?} instead of {:?}", paths(&seen), paths(wanted)));
        }
        for copy in of(&wanted["copies"]) {
            let Some(found) = of(&seen["copies"]).into_iter().find(|found| found["path"] == copy["path"]) else { continue };
            for field in ["soname", "version", "bytes", "origin", "verdict"] {
                if copy[field] != found[field] {
                    differences.push(format!("{}: {field} {} instead of {}", copy["path"], found[field], copy[field]));
                }
            }
            let users = |copy: &Value| of(&copy["used_by"]).iter().map(|user| user.to_string()).collect::<BTreeSet<_>>();
            if users(&copy) != users(&found) {
                let (only_table, only_here) = (&users(&copy) - &users(&found), &users(&found) - &users(&copy));
                differences.push(format!("{}: users lacking {only_table:?}, too many {only_here:?}", copy["path"]));
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
fn a_toolkit_of_cuda_11_beside_torch() {
    compare("toolkit11");
}
