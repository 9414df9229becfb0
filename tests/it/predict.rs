//! Predictions: whether real images would work on described machines.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::util::{BINARY, SOURCE, evidence, part, report, tar, text};

pub fn image(what: &Path, arguments: &[&str]) -> Output {
    Command::new(BINARY).arg("image").arg(what).args(arguments).output().unwrap()
}

/// Verdict and finding ids of one machine.
pub fn predicted(prediction: &Value) -> (String, Vec<String>) {
    let ids = prediction["findings"].as_array().unwrap().iter();
    let ids = ids.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
    (prediction["verdict"].as_str().unwrap().to_owned(), ids)
}

/// Torch for CUDA 12.4 (sm_50 to sm_90, no PTX), torch for CUDA 13.2, and torch beside a toolkit of CUDA 11.8.
#[test]
fn real_images_on_described_machines() {
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
        (
            "torch13",
            "gpu=H100,driver=535.104.05",
            1,
            "fails",
            &["predict.driver-too-old", "predict.zstd-fatbin"],
        ),
        (
            "torch13",
            "gpu=V100,driver=580.65.06",
            1,
            "fails",
            &["predict.cuda-dropped", "predict.minor-version"],
        ),
        // The image has the CUDA 11 runtime too, but torch uses that of CUDA 12.
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
                predicted(prediction),
                (verdict.to_string(), ids),
                "{tree} on {machine}: {prediction:#}"
            );
        }
        // With one machine, its verdict is the exit status; the next test has several.
        for status in [0, 1, 3] {
            let case = of_tree.iter().find(|case| case.2 == status && tree == "torch12");
            if let Some((_, machine, ..)) = case {
                assert_eq!(image(&root, &["--on", machine]).status.code(), Some(status), "{machine}");
            }
        }
    }
}

#[test]
fn machines_of_the_configuration_are_shown_as_a_table() {
    let Some(root) = part("torch12") else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fleet.json");
    let machines = r#"{"machines": {
        "a100-pool": {"gpu": "sm_80", "driver": "535.104.05", "open-module": false, "cuda": "12.2"},
        "blackwell": {"gpu": "B200", "driver": "580.65.06", "open-module": true},
        "h100-pool": {"gpu": "H100", "driver": "550.54.15"}
    }}"#;
    fs::write(&file, machines).unwrap();
    let file = file.to_str().unwrap();
    let output = image(&root, &["--config", file, "--on", "all"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let line = |word: &str| {
        let found = shown.lines().find(|line| line.trim_start().starts_with(word));
        found.unwrap_or_else(|| panic!("{word}: {shown}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let first = shown.lines().next().unwrap();
    assert!(first.starts_with("✘ FAILED ") && first.contains("blackwell"), "{first}");
    for (machine, cells) in [
        ("a100-pool", &["sm_80", "535.104.05", "12.4 on 12.2", "✔ works"][..]),
        ("blackwell", &["sm_100", "580.65.06", "12.4 on 13.0", "✘ fails"]),
        ("h100-pool", &["sm_90", "550.54.15", "12.4 on 12.4", "✔ works"]),
    ] {
        let row = line(machine);
        assert!(cells.iter().all(|cell| row.contains(cell)), "{cells:?} are not in {row}");
    }
    assert!(shown.contains("predict.no-code"), "{shown}");

    let output = image(&root, &["--config", file, "--on", "h100-pool", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(report(&output)["predictions"].as_array().unwrap().len(), 1);
    // In SARIF, the message names the machine.
    let output = image(&root, &["--config", file, "--on", "all", "--format", "sarif"]);
    let sarif: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let result = results.iter().find(|result| result["ruleId"] == "predict.no-code").expect("a prediction");
    let message = result["message"]["text"].as_str().unwrap();
    assert!(message.contains("blackwell"), "{message}");
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == "predict.no-code"), "{rules:?}");
    // --fail-on note applies to predictions.
    let output = image(&root, &["--config", file, "--on", "a100-pool", "--fail-on", "note"]);
    assert_eq!(output.status.code(), Some(1));
}

/// The configuration in the user guide, and the output that it shows.
#[test]
fn the_example_in_the_user_guide_is_current() {
    let Some(root) = part("torch12") else { return };
    let guide = fs::read_to_string(Path::new(SOURCE).join("docs/usage.md")).unwrap();
    let between = |begin: &str, end: &str| {
        let start = guide.find(begin).unwrap_or_else(|| panic!("{begin} is not in docs/usage.md"));
        guide[start..][..guide[start..].find(end).unwrap()].to_owned()
    };
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("fleet.toml");
    fs::write(&config, between("# fleet.toml", "```")).unwrap();
    let sample = between("Prediction  torch12", "  ...\n```");
    let output = Command::new(BINARY)
        .args(["image", "torch12", "--on", "all", "--config"])
        .arg(&config)
        .current_dir(root.parent().unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(sample.lines().count() > 5 && shown.contains(&sample), "{sample}\nis not in\n{shown}");
}

#[test]
fn without_device_code_the_prediction_is_unknown() {
    let Some(root) = part("torch12") else { return };
    let output =
        image(&root, &["--level", "census", "--on", "gpu=H100,driver=550.54.15", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let report = report(&output);
    assert_eq!(report["verdict"], "undecided");
    let expected = ("unknown".into(), vec!["predict.image-unknown".into()]);
    assert_eq!(predicted(&report["predictions"][0]), expected);
    let empty = tempfile::tempdir().unwrap();
    let output = image(empty.path(), &["--on", "gpu=H100,driver=550.54.15"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
}

/// An assembled libcuda with the ELF note of a compatibility package, beside a real libcudart.
#[test]
fn a_compatibility_driver_works_with_the_drivers_in_its_note() {
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
    let Some(root) = part("torch13") else { return };
    let runtime = "usr/local/lib/python3.11/dist-packages/nvidia/cu13/lib/libcudart.so.13";
    fs::copy(root.join(runtime), lib.join("libcudart.so.13.1.80")).unwrap();
    let machines =
        ["gpu=H100,driver=535.104.05", "gpu=H100,driver=565.57.01", "gpu=RTX 4090,driver=535.104.05"];
    let flags: Vec<&str> = machines.iter().flat_map(|machine| ["--on", machine]).collect();
    for full in [true, false] {
        let level = if full { "full" } else { "census" };
        let all =
            report(&image(directory.path(), &[&flags[..], &["--level", level, "--format", "json"]].concat()));
        let cuda = |number: usize| {
            let findings = all["predictions"][number]["findings"].as_array().unwrap();
            let found = findings.iter().find(|finding| finding["id"] != "predict.image-unknown");
            found.unwrap_or_else(|| panic!("{level}: {all:#}")).clone()
        };
        assert_eq!(cuda(0)["id"], "predict.compat", "{level}");
        for number in [1, 2] {
            assert_eq!(cuda(number)["id"], "predict.driver-too-old", "{level}");
        }
        let lines = evidence(&cuda(1));
        assert!(["535", "550", "565"].iter().all(|branch| lines.contains(branch)), "{lines}");
        assert!(evidence(&cuda(2)).to_lowercase().contains("data cent"), "{}", cuda(2));
    }
}

/// Machines given with --from-facts replace the saved ones.
#[test]
fn saved_facts_are_judged_for_other_machines() {
    let directory = tempfile::tempdir().unwrap();
    let facts = directory.path().join("facts.json");
    let facts = facts.to_str().unwrap();
    image(directory.path(), &["--on", "gpu=H100,driver=550.54.15", "--save-facts", facts]);
    let gpus = |arguments: &[&str]| -> Vec<String> {
        let mut command = Command::new(BINARY);
        command.args(["image", "--from-facts", facts, "--format", "json"]).args(arguments);
        let all = report(&command.output().unwrap());
        let predictions = all["predictions"].as_array().unwrap().iter();
        predictions.map(|prediction| prediction["gpu"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(gpus(&[]), ["sm_90"]);
    assert_eq!(gpus(&["--on", "gpu=T4,cuda=12.4", "--on", "gpu=A100,cuda=12.4"]), ["sm_75", "sm_80"]);
    let config = directory.path().join("fleet.json");
    fs::write(&config, r#"{"machines": {"a": {"gpu": "B200", "cuda": "13.0"}}, "on": ["a"]}"#).unwrap();
    assert_eq!(gpus(&["--config", config.to_str().unwrap()]), ["sm_100"]);
}

/// NVIDIA's base images name the drivers they support in NVIDIA_REQUIRE_CUDA.
#[test]
fn requirements_of_an_archive_are_checked() {
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
        let refused = predictions.map(|one| predicted(one).1.contains(&"predict.requirement".to_owned()));
        assert_eq!(refused.collect::<Vec<_>>(), expected, "{all:#}");
    }
}

#[test]
fn a_wrong_machine_description_is_refused_with_the_fix() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fleet.json");
    let file_name = file.to_str().unwrap();
    let cases: &[(&str, &str, &[&str])] = &[
        ("{}", "gpu=hopper,driver=535.104.05", &["hopper", "sm_90"]),
        ("{}", "gpu=sm_90,driver=latest", &["latest", "535.104.05"]),
        ("{}", "gpu=sm_90", &["driver=535.104.05"]),
        ("{}", "pool", &["pool", "machines"]),
        (r#"{"machines": {}}"#, "all", &["--on all", "machines"]),
        (r#"{"machines": {}}"#, "H100", &["--on gpu=H100,driver="]),
        (r#"{"machines": {"a": {"gpu": "T4", "cuda": "12.4"}}}"#, "pool", &["pool", "a"]),
        (r#"{"machines": {"a": {"gpu": "T4"}}}"#, "all", &["'a'", "driver"]),
        (r#"{"machines": {"a": {"gpu": "T4", "color": "red"}}}"#, "all", &["'a'", "color"]),
        (r#"{"machines": {"a": {"gpu": "T4", "cuda": 12.4}}}"#, "all", &["'a'", "cuda", "quotes"]),
        (r#"{"machines": {"a": {"gpu": ["T4"]}}}"#, "all", &["'a'", "gpu"]),
        (r#"{"machines": {"a": {"gpu": "T4", "open-module": 1}}}"#, "all", &["'a'", "open-module", "true"]),
        (r#"{"machines": {"a": "T4"}}"#, "all", &["'a'"]),
        (r#"{"accepted": {}}"#, "gpu=T4,cuda=12.4", &["accepted"]),
        ("{}", "gpu=T4,cuda=12.4,cuda=12.2", &["cuda", "twice"]),
        ("{}", "gpu=T4,driver=535.104.05,cuda=12.4", &["535.104.05", "12.4"]),
        (r#"{"machines": ["T4"]}"#, "all", &["machines"]),
        // The key of earlier versions.
        (r#"{"nodes": {}}"#, "gpu=T4,cuda=12.4", &["nodes", "machines"]),
    ];
    for (configuration, machine, words) in cases {
        fs::write(&file, configuration).unwrap();
        let output = image(directory.path(), &["--config", file_name, "--on", machine]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{machine}: {error}");
        assert!(output.stdout.is_empty(), "{configuration} {machine}");
        for word in *words {
            assert!(error.contains(word), "{configuration} {machine}: '{word}' is not in: {error}");
        }
    }
    // The key `on` is the flag, which may be repeated.
    fs::write(
        &file,
        r#"{"machines": {"a": {"gpu": "T4", "cuda": "12.4"}}, "on": ["a", "gpu=H100,cuda=12.4"]}"#,
    )
    .unwrap();
    let output = image(directory.path(), &["--config", file_name, "--format", "json"]);
    assert_eq!(report(&output)["predictions"].as_array().unwrap().len(), 2);
}
