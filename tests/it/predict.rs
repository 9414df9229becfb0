//! Prediction: whether real images would work on machines that are only described.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::util::{BINARY, part, report, text};

fn image(what: &Path, arguments: &[&str]) -> Output {
    Command::new(BINARY).arg("image").arg(what).args(arguments).output().unwrap()
}

/// Verdict and ids of the findings about one machine.
fn foretold(prediction: &Value) -> (String, Vec<String>) {
    let ids = prediction["findings"].as_array().unwrap().iter();
    let ids = ids.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
    (prediction["verdict"].as_str().unwrap().to_owned(), ids)
}

/// Torch for CUDA 12.4 (sm_50 to sm_90, no PTX), torch for CUDA 13.2, and torch beside a toolkit of CUDA 11.8.
#[test]
fn real_images_by_machines() {
    let cases: &[(&str, &str, i32, &str, &[&str])] = &[
        ("torch12", "gpu=H100,driver=550.54.15", 0, "works", &[]),
        ("torch12", "gpu=V100,driver=580.65.06", 0, "works", &[]),
        ("torch12", "gpu=H100,driver=535.104.05", 0, "works-with-notes", &["predict.minor-version"]),
        ("torch12", "gpu=A100,driver=470.256.02", 1, "fails", &["predict.driver-too-old"]),
        ("torch12", "gpu=RTX 5090,driver=580.65.06,open-module=yes", 1, "fails", &["predict.no-code"]),
        ("torch12", "gpu=sm_87,driver=550.54.15", 1, "fails", &["predict.no-code", "predict.unknown"]),
        ("torch12", "gpu=H100,driver=390.10", 3, "unknown", &["predict.unknown", "predict.unknown"]),
        ("torch13", "gpu=RTX 5090,cuda=13.2,open-module=yes", 0, "works", &[]),
        ("torch13", "gpu=B200,cuda=13.2,open-module=no", 1, "fails", &["predict.closed-module"]),
        ("torch13", "gpu=H100,driver=535.104.05", 1, "fails", &["predict.driver-too-old"]),
        (
            "torch13",
            "gpu=V100,driver=580.65.06",
            1,
            "fails",
            &["predict.cuda-dropped", "predict.minor-version"],
        ),
        // The runtime of CUDA 11 is there, and torch uses that of CUDA 12.
        ("toolkit11", "gpu=A100,driver=520.61.05", 1, "fails", &["predict.driver-too-old"]),
        ("toolkit11", "gpu=A100,driver=550.54.15", 0, "works", &[]),
    ];
    for tree in ["torch12", "torch13", "toolkit11"] {
        let Some(root) = part(tree) else { continue };
        let of_tree: Vec<_> = cases.iter().filter(|case| case.0 == tree).collect();
        let flags: Vec<&str> = of_tree.iter().flat_map(|case| ["--on", case.1]).collect();
        let all = report(&image(&root, &[flags.as_slice(), &["--format", "json"]].concat()));
        let predictions = all["predictions"].as_array().unwrap();
        assert_eq!(predictions.len(), of_tree.len());
        for ((_, machine, _, verdict, ids), prediction) in of_tree.iter().zip(predictions) {
            let ids: Vec<String> = ids.iter().map(|id| id.to_string()).collect();
            assert_eq!(
                foretold(prediction),
                (verdict.to_string(), ids),
                "{tree} on {machine}: {prediction:#}"
            );
        }
        // One machine decides how the command ends; that the worst of several does is seen below.
        for status in [0, 1, 3] {
            let case = of_tree.iter().find(|case| case.2 == status && tree == "torch12");
            if let Some((_, machine, ..)) = case {
                assert_eq!(image(&root, &["--on", machine]).status.code(), Some(status), "{machine}");
            }
        }
    }
}

#[test]
fn a_fleet_of_the_configuration_is_a_table() {
    let Some(root) = part("torch12") else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fleet.json");
    let nodes = r#"{"nodes": {
        "a100-pool": {"gpu": "sm_80", "driver": "535.104.05", "open-module": false, "cuda": "12.2"},
        "blackwell": {"gpu": "B200", "driver": "580.65.06", "open-module": true},
        "h100-pool": {"gpu": "H100", "driver": "550.54.15"}
    }}"#;
    fs::write(&file, nodes).unwrap();
    let file = file.to_str().unwrap();
    let output = image(&root, &["--config", file, "--on", "all"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let line = |word: &str| {
        let found = shown.lines().find(|line| line.trim_start().starts_with(word));
        found.unwrap_or_else(|| panic!("{word}: {shown}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(shown.starts_with("✘ FAILED Prediction: works on 2 machines, fails on blackwell."), "{shown}");
    assert_eq!(
        line("a100-pool"),
        "a100-pool sm_80 535.104.05 sm_80 12.4 on 12.2 yes closed none ✔ works, with notes"
    );
    assert_eq!(line("blackwell"), "blackwell sm_100 580.65.06 none 12.4 on 13.0 yes open none ✘ fails");
    assert_eq!(line("h100-pool"), "h100-pool sm_90 550.54.15 sm_90 12.4 on 12.4 yes any none ✔ works");
    assert!(shown.contains("predict.no-code") && shown.contains("on blackwell"), "{shown}");

    let output = image(&root, &["--config", file, "--on", "h100-pool", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(report(&output)["predictions"].as_array().unwrap().len(), 1);
    // For code-scanning services, each finding says which machine it is about.
    let output = image(&root, &["--config", file, "--on", "all", "--format", "sarif"]);
    let sarif: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let result = results.iter().find(|result| result["ruleId"] == "predict.no-code").expect("a prediction");
    let message = result["message"]["text"].as_str().unwrap();
    assert!(message.starts_with("On blackwell: The image has no code for the machine's GPU. "), "{message}");
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == "predict.no-code"), "{rules:?}");
    // Notes count where they were asked for.
    let output = image(&root, &["--config", file, "--on", "a100-pool", "--fail-on", "note"]);
    assert_eq!(output.status.code(), Some(1));
}

/// Its configuration, and what it shows as printed.
#[test]
fn the_sample_of_the_readme_is_what_is_printed() {
    let Some(root) = part("torch12") else { return };
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let between = |begin: &str, end: &str| {
        let start = readme.find(begin).unwrap_or_else(|| panic!("{begin} is not in README.md"));
        readme[start..][..readme[start..].find(end).unwrap()].to_owned()
    };
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("fleet.json");
    fs::write(&config, between("{\"nodes\":", "\n\n")).unwrap();
    let sample = between("Prediction  torch12", "  ...\n```");
    let output = Command::new(BINARY)
        .args(["image", "torch12", "--on", "all", "--config"])
        .arg(&config)
        .current_dir(root.parent().unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(sample.lines().count() > 10 && shown.contains(&sample), "{sample}\nis not in\n{shown}");
}

#[test]
fn what_was_not_read_is_not_promised() {
    let Some(root) = part("torch12") else { return };
    let output =
        image(&root, &["--level", "census", "--on", "gpu=H100,driver=550.54.15", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let report = report(&output);
    assert_eq!(report["verdict"], "undecided");
    assert_eq!(foretold(&report["predictions"][0]), ("unknown".into(), vec!["predict.unknown".into()]));
    let empty = tempfile::tempdir().unwrap();
    let output = image(empty.path(), &["--on", "gpu=H100,driver=550.54.15"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
}

/// A libcuda with the note of a compatibility package, made by the assembler, beside real torch.
#[test]
fn a_compatibility_driver_says_what_it_stands_in_for() {
    let directory = tempfile::tempdir().unwrap();
    let compat = directory.path().join("usr/local/cuda-13.1/compat");
    fs::create_dir_all(&compat).unwrap();
    let json =
        r#"{\"Format\": 1, \"CUDA Version\": \"13.1\", \"Driver\": [535, 550], \"Device\": [7, 8, 9]}"#;
    let assembly = format!(
        ".section .note.cuda.fwd_compatibility,\"a\",@note\n.align 4\n.long 2f-1f, 4f-3f, 1\n\
         1: .asciz \"NVIDIA Corporation\"\n2: .align 4\n3: .ascii \"{json}\"\n4: .align 4\n"
    );
    let source = directory.path().join("note.s");
    fs::write(&source, assembly).unwrap();
    let library = compat.join("libcuda.so.590.44.01");
    let status = Command::new("cc")
        .args(["-shared", "-nostdlib", "-Wl,-soname,libcuda.so.1", "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(status.success());
    let lib = directory.path().join("usr/local/cuda-13.1/lib64");
    fs::create_dir_all(&lib).unwrap();
    if let Some(root) = part("torch13") {
        let runtime = "usr/local/lib/python3.11/dist-packages/nvidia/cu13/lib/libcudart.so.13";
        fs::copy(root.join(runtime), lib.join("libcudart.so.13.1.80")).unwrap();
    } else {
        return;
    }
    let machines =
        ["gpu=H100,driver=535.104.05", "gpu=H100,driver=565.57.01", "gpu=RTX 4090,driver=535.104.05"];
    let flags: Vec<&str> = machines.iter().flat_map(|machine| ["--on", machine]).collect();
    for full in [true, false] {
        let level = if full { "full" } else { "census" };
        let all =
            report(&image(directory.path(), &[&flags[..], &["--level", level, "--format", "json"]].concat()));
        let cuda = |number: usize| {
            let findings = all["predictions"][number]["findings"].as_array().unwrap();
            let found = findings.iter().find(|finding| finding["id"] != "predict.unknown");
            found.unwrap_or_else(|| panic!("{level}: {all:#}")).clone()
        };
        assert_eq!(cuda(0)["id"], "predict.compat", "{level}");
        assert_eq!(cuda(1)["id"], "predict.driver-too-old");
        let evidence = cuda(1)["evidence"].to_string();
        assert!(evidence.contains("in place of drivers 535, 550, and not of 565"), "{evidence}");
        assert!(cuda(2)["evidence"].to_string().contains("data center GPUs only"), "{}", cuda(2));
    }
}

/// Saved once, asked of other machines: the new ones take the place of those that were saved.
#[test]
fn machines_are_asked_about_anew_from_saved_facts() {
    let directory = tempfile::tempdir().unwrap();
    let facts = directory.path().join("facts.json");
    let facts = facts.to_str().unwrap();
    image(directory.path(), &["--on", "gpu=H100,driver=550.54.15", "--save-facts", facts]);
    let names = |arguments: &[&str]| -> Vec<String> {
        let mut command = Command::new(BINARY);
        command.args(["image", "--from-facts", facts, "--format", "json"]).args(arguments);
        let all = report(&command.output().unwrap());
        let predictions = all["predictions"].as_array().unwrap().iter();
        predictions.map(|prediction| prediction["gpu"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["sm_90"]);
    assert_eq!(names(&["--on", "gpu=T4,cuda=12.4", "--on", "gpu=A100,cuda=12.4"]), ["sm_75", "sm_80"]);
    let config = directory.path().join("fleet.json");
    fs::write(&config, r#"{"nodes": {"a": {"gpu": "B200", "cuda": "13.0"}}, "on": ["a"]}"#).unwrap();
    assert_eq!(names(&["--config", config.to_str().unwrap()]), ["sm_100"]);
}

/// NVIDIA's base images say in their environment which drivers they are for.
#[test]
fn what_an_archive_requires_is_held_against_the_machine() {
    let tar = |files: &[(&str, &[u8])]| {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, *content).unwrap();
        }
        builder.into_inner().unwrap()
    };
    let layer = tar(&[("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n")]);
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("image.tar");
    for (disabled, expected) in [("0", [true, false, true]), ("1", [false, false, false])] {
        let config = json!({
            "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": ["sha256:a"] },
            "config": { "Env": [
                "NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=tesla,driver>=470,driver<471",
                format!("NVIDIA_DISABLE_REQUIRE={disabled}"),
            ] },
        });
        let manifest = json!([{ "Config": "c.json", "RepoTags": ["demo:1"], "Layers": ["a/layer.tar"] }]);
        let bytes = tar(&[
            ("a/layer.tar", &layer),
            ("c.json", config.to_string().as_bytes()),
            ("manifest.json", manifest.to_string().as_bytes()),
        ]);
        fs::write(&archive, bytes).unwrap();
        let machines =
            ["gpu=H100,driver=535.104.05", "gpu=H100,driver=550.54.15", "gpu=RTX 2080,driver=470.256.02"];
        let flags: Vec<&str> = machines.iter().flat_map(|machine| ["--on", machine]).collect();
        let all = report(&image(&archive, &[&flags[..], &["--format", "json"]].concat()));
        let predictions = all["predictions"].as_array().unwrap().iter();
        let refused = predictions.map(|one| foretold(one).1.contains(&"predict.requirement".to_owned()));
        assert_eq!(refused.collect::<Vec<_>>(), expected, "{all:#}");
    }
}

#[test]
fn machines_that_are_described_wrongly_are_refused_with_the_form() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fleet.json");
    let file_name = file.to_str().unwrap();
    let cases: &[(&str, &str, &str)] = &[
        ("{}", "gpu=hopper,driver=535.104.05", "gpu=sm_90 or gpu=9.0"),
        (
            "{}",
            "gpu=sm_90,driver=latest",
            "a driver is a version as nvidia-smi prints it, such as 535.104.05",
        ),
        ("{}", "gpu=sm_90", "the driver is missing; a machine is gpu=sm_90,driver=535.104.05"),
        ("{}", "pool", "none are configured; write {\"nodes\": {\"pool\": {"),
        (r#"{"nodes": {}}"#, "all", "--on all: it means nodes of the configuration, and none are configured"),
        (r#"{"nodes": {}}"#, "H100", "--on H100: a GPU is not all of a machine: --on gpu=H100,driver="),
        (
            r#"{"nodes": {"a": {"gpu": "T4", "cuda": "12.4"}}}"#,
            "pool",
            "the configuration has no such node; it has a",
        ),
        (r#"{"nodes": {"a": {"gpu": "T4"}}}"#, "all", "the node 'a': the driver is missing"),
        (r#"{"nodes": {"a": {"gpu": "T4", "colour": "red"}}}"#, "all", "the node 'a': there is no 'colour'"),
        (
            r#"{"nodes": {"a": {"gpu": "T4", "cuda": 12.4}}}"#,
            "all",
            "the node 'a': 'cuda' is a number; write it in quotes",
        ),
        (r#"{"nodes": {"a": {"gpu": ["T4"]}}}"#, "all", "the node 'a': 'gpu' is no text in quotes"),
        (
            r#"{"nodes": {"a": {"gpu": "T4", "open-module": 1}}}"#,
            "all",
            "the node 'a': 'open-module' is neither true nor false",
        ),
        (r#"{"nodes": {"a": "T4"}}"#, "all", "the node 'a': 'nodes' is an object such as"),
        (r#"{"accepted": {}}"#, "gpu=T4,cuda=12.4", "'accepted' is no list such as"),
        ("{}", "gpu=T4,cuda=12.4,cuda=12.2", "'cuda' is given twice"),
        ("{}", "gpu=T4,driver=535.104.05,cuda=12.4", "nvidia-smi shows such a pair"),
        (r#"{"nodes": ["T4"]}"#, "all", "'nodes' is no object such as"),
    ];
    for (configuration, machine, words) in cases {
        fs::write(&file, configuration).unwrap();
        let output = image(directory.path(), &["--config", file_name, "--on", machine]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{machine}: {error}");
        assert!(error.contains(words) && output.stdout.is_empty(), "{configuration} {machine}: {error}");
    }
    // The key of the configuration is the flag, repeated.
    fs::write(&file, r#"{"nodes": {"a": {"gpu": "T4", "cuda": "12.4"}}, "on": ["a", "gpu=H100,cuda=12.4"]}"#)
        .unwrap();
    let output = image(directory.path(), &["--config", file_name, "--format", "json"]);
    assert_eq!(report(&output)["predictions"].as_array().unwrap().len(), 2);
}
