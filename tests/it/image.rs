//! Audits of archives: layers, configuration, secrets, budgets, acceptance, and the forms of output.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::util::{BINARY, finding, ids, part, report, text};

/// A value that must never be printed.
const SECRET: &str = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH";

/// A tar of files, each with its path and content; a path that ends in a slash is a directory.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// What `docker save` writes: three layers, of which the last deletes what the second ships.
fn saved(directory: &Path) -> std::path::PathBuf {
    let wheel = vec![7; 3_000_000];
    let libc = fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    let layers = [
        tar(&[
            ("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
            ("lib/x86_64-linux-gnu/libc.so.6", &libc),
        ]),
        tar(&[
            ("wheels/torch-2.5.1-cp311-cp311-linux_x86_64.whl", &wheel),
            ("root/.netrc", b"machine x login y password z1234567\n"),
        ]),
        tar(&[("wheels/.wh.torch-2.5.1-cp311-cp311-linux_x86_64.whl", b"")]),
    ];
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/bin", format!("HF_TOKEN={SECRET}"), "LD_LIBRARY_PATH=/usr/local/cuda/lib64:"],
            "Cmd": ["python3"],
        },
        "rootfs": { "type": "layers", "diff_ids": ["sha256:a", "sha256:b", "sha256:c"] },
        "history": [
            { "created_by": "/bin/sh -c #(nop) ADD file:1 in / " },
            { "created_by": "COPY /wheels /wheels # buildkit" },
            { "created_by": format!("ENV HF_TOKEN={SECRET}"), "empty_layer": true },
            { "created_by": "RUN /bin/sh -c rm -rf /wheels # buildkit" },
        ],
    });
    let manifest = json!([{
        "Config": "config.json", "RepoTags": ["demo:1"], "Layers": ["a/layer.tar", "b/layer.tar", "c/layer.tar"],
    }]);
    let archive = tar(&[
        ("a/layer.tar", &layers[0]),
        ("b/layer.tar", &layers[1]),
        ("c/layer.tar", &layers[2]),
        ("config.json", config.to_string().as_bytes()),
        ("manifest.json", manifest.to_string().as_bytes()),
    ]);
    let path = directory.join("saved.tar");
    fs::write(&path, archive).unwrap();
    path
}

/// An archive whose only layer ends in the middle of a file.
fn with_cut_layer() -> Vec<u8> {
    let layer = tar(&[("usr/lib/a.so", &[1; 5000])]);
    let manifest = json!([{ "Config": "config.json", "RepoTags": ["cut:1"], "Layers": ["a/layer.tar"] }]);
    let config = json!({ "architecture": "amd64", "os": "linux", "config": {}, "rootfs": { "type": "layers", "diff_ids": ["sha256:a"] } });
    tar(&[
        ("a/layer.tar", &layer[..2000]),
        ("config.json", config.to_string().as_bytes()),
        ("manifest.json", manifest.to_string().as_bytes()),
    ])
}

fn image(what: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(BINARY).arg("image").arg(what).args(arguments).output().unwrap();
    let all = text(&output.stdout) + &text(&output.stderr);
    assert!(!all.contains(SECRET) && !all.contains("z1234567"), "a secret is printed: {all}");
    output
}

#[test]
fn an_archive_tells_what_its_layers_hide_and_what_its_configuration_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let archive = saved(directory.path());
    let output = image(&archive, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "warnings are not errors");
    let report = report(&output);
    assert_eq!(report["verdict"], "audited");
    assert_eq!(report["image"]["root"], "demo:1");
    assert_eq!(report["image"]["distribution"], "debian 12");
    let layers: Vec<&str> = report["image"]["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["instruction"].as_str().unwrap())
        .collect();
    assert_eq!(
        layers,
        ["ADD file:1 in /", "COPY /wheels /wheels # buildkit", "RUN rm -rf /wheels # buildkit"]
    );
    let hidden = finding(&report, "leftovers.hidden-bytes");
    assert_eq!(hidden["cause"], "3.0 MB are stored that no container can see.");
    assert!(hidden["evidence"][0].as_str().unwrap().contains("COPY /wheels"), "{hidden}");
    let secret = finding(&report, "leftovers.secret");
    let evidence = secret["evidence"].to_string();
    for place in ["/root/.netrc", "ENV HF_TOKEN", "history line"] {
        assert!(evidence.contains(place), "{place}: {evidence}");
    }
    for id in ["leftovers.root-user", "leftovers.no-healthcheck", "library.working-directory"] {
        finding(&report, id);
    }
    assert_eq!(report["savings"]["proven"], 3_000_000);
    let change = &report["savings"]["changes"][0];
    assert!(change["line"].as_str().unwrap().starts_with("RUN --mount=type=bind"), "{change}");
    assert_eq!(change["proven"], true);
}

#[test]
fn standard_input_and_a_file_give_one_report() {
    let directory = tempfile::tempdir().unwrap();
    let archive = saved(directory.path());
    let of_file = report(&image(&archive, &["--format", "json"]));
    let mut child = Command::new(BINARY)
        .args(["image", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = fs::read(&archive).unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let of_pipe = report(&child.wait_with_output().unwrap());
    for field in ["findings", "libraries", "savings"] {
        assert_eq!(of_file[field], of_pipe[field], "{field}");
    }
    assert_eq!(of_file["image"]["layers"], of_pipe["image"]["layers"]);
}

#[test]
fn a_damaged_archive_is_an_error_or_named_in_the_report() {
    let directory = tempfile::tempdir().unwrap();
    let whole = fs::read(saved(directory.path())).unwrap();
    let path = directory.path().join("cut.tar");
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    // A program that was asked for backtraces still says what is wrong.
    let output = Command::new(BINARY).arg("image").arg(&path).env("RUST_BACKTRACE", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot read"), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
    // A layer that is cut, in an archive that is whole.
    fs::write(&path, with_cut_layer()).unwrap();
    let output = image(&path, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(3), "what is not known is not healthy");
    assert_eq!(ids(&report(&output))[0], "image.damaged");
}

#[test]
fn files_are_listed_as_containers_see_them() {
    let directory = tempfile::tempdir().unwrap();
    let list = text(&image(&saved(directory.path()), &["--list"]).stdout);
    assert!(list.contains("/root/.netrc") && !list.contains(".whl"), "{list}");
}

#[test]
fn what_the_loader_loads_is_told_without_running_anything() {
    let output =
        Command::new(BINARY).args(["image", "/", "--level", "census", "--ldd", "/bin/sh"]).output().unwrap();
    let list = text(&output.stdout);
    assert!(list.starts_with("/bin/sh:\n") && list.contains("libc.so.6 => /"), "{list}");
}

#[test]
fn findings_are_accepted_with_a_reason_until_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let archive = saved(directory.path());
    let config = directory.path().join("cudacheck.json");
    let run = |accepted: Value| {
        fs::write(&config, json!({ "fail-on": "warning", "accepted": accepted }).to_string()).unwrap();
        image(&archive, &["--format", "json", "--config", config.to_str().unwrap()])
    };
    let warnings = ["leftovers.secret", "leftovers.hidden-bytes", "library.working-directory"];
    let rules = |until: &str| -> Value {
        warnings.iter().map(|id| json!({ "id": id, "reason": "known", "until": until })).collect()
    };
    let output = run(rules("2999-12-31"));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(report(&output)["accepted"].as_array().unwrap().len(), 3);
    let output = run(rules("2020-01-01"));
    assert_eq!(output.status.code(), Some(1), "acceptance has an end");
    assert!(ids(&report(&output)).contains(&"leftovers.secret"));
    for (accepted, fault) in [
        (json!([{ "id": "no.such", "reason": "x" }]), "there is no finding 'no.such'"),
        (json!([{ "id": "leftovers.secret", "reason": " " }]), "is accepted without a reason"),
        (
            json!([{ "id": "leftovers.secret", "reason": "x", "until": "soon" }]),
            "dates are written 2027-06-30",
        ),
        (json!([{ "id": "leftovers.secret" }]), "'accepted' is no list"),
    ] {
        let output = run(accepted);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(fault), "{fault}: {}", text(&output.stderr));
    }
}

#[test]
fn code_scanning_services_get_a_place_for_every_finding() {
    let directory = tempfile::tempdir().unwrap();
    let output = image(&saved(directory.path()), &["--format", "sarif"]);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let results = run["results"].as_array().unwrap();
    assert!(results.len() > 3);
    for result in results {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()));
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert!(place.as_str().is_some_and(|place| !place.is_empty() && !place.starts_with('/')), "{result}");
    }
    let secret = results.iter().find(|result| result["ruleId"] == "leftovers.secret").unwrap();
    assert_eq!(secret["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "root/.netrc");
}

#[test]
fn a_budget_for_redundant_copies() {
    let Some(tree) = part("toolkit11") else { return };
    let over = image(&tree, &["--max-redundant", "100MB", "--format", "json"]);
    assert_eq!(over.status.code(), Some(1));
    assert_eq!(ids(&report(&over))[0], "library.over-budget");
    let within = image(&tree, &["--max-redundant", "1GB", "--format", "json"]);
    assert_eq!(within.status.code(), Some(0), "{:?}", ids(&report(&within)));
}

#[test]
fn code_for_a_gpu_is_there_or_it_is_said() {
    let (Some(torch), Some(cublas)) = (part("torch12"), part("cublas/12")) else { return };
    let judged = |tree: &Path, arch: &str| {
        let output = image(tree, &["--arch", arch, "--format", "json"]);
        let report = report(&output);
        let ids: Vec<String> = ids(&report).iter().map(|id| (*id).to_owned()).collect();
        (output.status.code(), ids)
    };
    assert!(!judged(&torch, "sm_90").1.iter().any(|id| id == "code.none-for-gpu" || id == "code.ptx-only"));
    // PyTorch 2.5.1 was built before Blackwell, and without PTX.
    for arch in ["sm_37", "sm_120"] {
        let (status, ids) = judged(&torch, arch);
        assert_eq!((status, ids[0].as_str()), (Some(1), "code.none-for-gpu"), "{arch}");
    }
    assert!(judged(&cublas, "sm_100").1.contains(&"code.ptx-only".to_owned()));
}
