//! Facts in a file: the same report elsewhere, and nothing in the file that should not be posted.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::util::{BINARY, Root, ids, part, report, text};

/// The report without what it says of cudacheck's own speed.
fn without_seconds(mut report: Value) -> Value {
    fn cut(value: &mut Value) {
        match value {
            Value::Object(values) => {
                values.remove("seconds");
                values.values_mut().for_each(cut);
            }
            Value::Array(values) => values.iter_mut().for_each(cut),
            _ => {}
        }
    }
    cut(&mut report);
    report
}

/// Judges a file somewhere else: outside of every root, without an environment.
fn elsewhere(file: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--from-facts").arg(file).env_clear();
    command.output().unwrap()
}

fn refused(file: &Path, arguments: &[&str]) -> String {
    let output = elsewhere(file, arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(output.stdout.is_empty() && !error.contains("panicked"), "{error}");
    assert!(error.contains(file.file_name().unwrap().to_str().unwrap()), "the error names the file: {error}");
    error
}

/// What the file makes of the UUID of a fake's GPU: they are numbered in their order.
fn uuids_of(report: &Value, gpus: usize) -> Value {
    let mut text = report.to_string();
    for number in (0..gpus).rev() {
        let (old, new) = (format!("00000000-0000-0000-0000-{number:012}"), format!("#{}", number + 1));
        text = text.replace(&old, &new);
    }
    for number in 1..=gpus {
        text = text.replace(&format!("#{number}"), &format!("{number:08}-0000-0000-0000-000000000000"));
    }
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_machine_has_the_same_report_elsewhere() {
    for (script, gpus, arguments) in [
        ("gpus = 2\nsms = 2", 2, vec![]),
        ("gpus = 2\nsms = 2\ngpu.1.bad_sm = 1", 2, vec!["--level", "smoke"]),
        ("gpus = 1\nsms = 2\ncuInit = 803", 1, vec!["--level", "driver"]),
        ("gpus = 1\nsms = 2\ncuInit = abort", 1, vec!["--level", "driver"]),
        ("gpus = 1\nsms = 2\nused_by = 1\ncompute_mode = 3", 1, vec![]),
        ("gpus = 1\nmig = 2\nsms = 2", 1, vec!["--level", "nvml"]),
    ] {
        let root = Root::machine(script);
        let arguments: Vec<&str> = arguments.into_iter().chain(["--save-facts", "/tmp/facts.json"]).collect();
        let (original, status) = root.report(&arguments);
        let file = root.path("/tmp/facts.json");
        let output = elsewhere(&file, &["--format", "json"]);
        assert_eq!(output.status.code(), Some(status), "{script}: {}", text(&output.stderr));
        let again = report(&output);
        assert_eq!(again["seconds"], original["seconds"], "{script}");
        // The UUIDs of instances are numbered among those of GPUs.
        if !script.contains("mig") {
            let expected = uuids_of(&without_seconds(original), gpus);
            assert_eq!(without_seconds(again), expected, "{script}");
        } else {
            assert_eq!(ids(&again), ids(&original), "{script}");
            assert_eq!(again["gpus"][0]["state"], original["gpus"][0]["state"]);
        }
    }
}

#[test]
fn a_health_check_and_a_place_without_a_gpu_have_the_same_report_elsewhere() {
    let root = Root::glibc();
    let output = root.run(&["health", "--save-facts", "/tmp/facts.json"]);
    assert_eq!(output.status.code(), Some(1));
    let again = report(&elsewhere(&root.path("/tmp/facts.json"), &["--format", "json"]));
    assert_eq!((ids(&again)[0], &again["requested"]), ("launch.driver-not-loaded", &"nvml".into()));
    let (original, _) = root.report(&["--save-facts", "/tmp/facts.json"]);
    let again = report(&elsewhere(&root.path("/tmp/facts.json"), &["--format", "json"]));
    assert_eq!(without_seconds(again), without_seconds(original));
}

/// Values that nobody may find in the file, each where a machine would have it.
#[test]
fn what_should_not_be_posted_is_not_in_the_file() {
    // An unknown action is repeated by the fake on standard error.
    let noise = "no route from node-gpu-17 (acme-pod-7f9c) to db7.corp.acme.internal:5432 or 10.98.76.54 \
        for bob@acme.internal with --build-arg TOKEN=Zq7XwV9tKmB2sLcR project skunkworks-llm \
        at https://wandb.acme.internal/alice, /home/alice/run.py";
    let mut root = Root::machine(&format!("gpus = 2\nsms = 2\ncuInit = {noise}"));
    for (name, value) in [
        ("HOME", "/home/alice"),
        ("USER", "alice"),
        ("HOSTNAME", "acme-pod-7f9c"),
        ("NODE_NAME", "node-gpu-17"),
        ("WANDB_PROJECT", "skunkworks-llm"),
        ("KUBERNETES_SERVICE_HOST", "10.98.76.1"),
        ("LD_LIBRARY_PATH", "/home/alice/lib:/scratch/alice/lib:/home/carol/lib"),
        ("CUDA_VISIBLE_DEVICES", "GPU-8f4c1d2e-aaaa-bbbb-cccc-1234567890ab"),
        ("NVIDIA_VISIBLE_DEVICES", "GPU-8f4c1d,GPU-00000000-0000-0000-0000-000000000001"),
    ] {
        root.set(name, value);
    }
    fs::create_dir_all(root.path("/home/alice/lib")).unwrap();
    root.copy(&crate::util::fakes().join("libcudart.so.12"), "/home/alice/lib/libcudart.so.12");
    root.write("/home/carol/.netrc", b"machine x login y password z1234567\n");
    let (original, status) = root.report(&["--level", "driver", "--save-facts", "/tmp/facts.json"]);
    let file = root.path("/tmp/facts.json");
    let saved = fs::read_to_string(&file).unwrap();
    let planted = original.to_string();
    for kept in ["node-gpu-17", "db7.corp.acme.internal", "/home/alice/lib/libcudart"] {
        assert!(
            planted.contains(kept),
            "{kept} is planted, and the report itself is not redacted: {planted}"
        );
    }
    for secret in [
        "alice",
        "carol",
        "bob@",
        "acme",
        "node-gpu",
        "7f9c",
        "db7",
        "10.98",
        "Zq7X",
        "skunkworks",
        "wandb.",
        "8f4c1d",
        "00000000-0000-0000-0000-000000000001",
    ] {
        assert!(!saved.contains(secret), "{secret} is in {saved}");
    }
    for word in
        ["/home/user1/lib:/scratch/user1/lib:/home/user2/lib", "$NODE_NAME", "TOKEN=...", "$WANDB_PROJECT"]
    {
        assert!(saved.contains(word), "{word} is not in {saved}");
    }
    let output = elsewhere(&file, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(status));
    let again = report(&output);
    assert_eq!(ids(&again), ids(&original));
    for table in ["libraries", "image", "savings"] {
        let expected = without_seconds(original[table].clone()).to_string();
        let expected =
            expected.replace("/home/alice", "/home/user1").replace("/scratch/alice", "/scratch/user1");
        let expected = expected.replace("/home/carol", "/home/user2");
        assert_eq!(without_seconds(again[table].clone()).to_string(), expected, "{table}");
    }
}

/// A tar of files, each with its path and content.
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

/// An image of a company's registry, with secrets and names in its history.
fn archive(directory: &Path) -> std::path::PathBuf {
    let libc = fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    let wheel = vec![7; 300_000];
    let layers = [
        tar(&[
            ("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
            ("lib/x86_64-linux-gnu/libc.so.6", &libc),
        ]),
        tar(&[
            ("home/alice/torch-2.5.1-cp311-cp311-linux_x86_64.whl", &wheel),
            ("home/alice/.netrc", b"machine x login y password z1234567\n"),
        ]),
        tar(&[("home/alice/.wh.torch-2.5.1-cp311-cp311-linux_x86_64.whl", b"")]),
    ];
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {
            "Env": ["PATH=/usr/bin", "HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "LD_LIBRARY_PATH=/home/alice/lib:"],
            "Cmd": ["python3"], "User": "alice", "WorkingDir": "/home/alice",
        },
        "rootfs": { "type": "layers", "diff_ids": ["sha256:a", "sha256:b", "sha256:c"] },
        "history": [
            { "created_by": "/bin/sh -c #(nop) ADD file:1 in / " },
            { "created_by": "RUN |1 TOKEN=Zq7XwV9tKmB2sLcR /bin/sh -c pip download --no-deps -i https://pypi.corp.acme.internal/simple --proxy 10.98.76.54:3128 torch # buildkit" },
            { "created_by": "RUN /bin/sh -c rm /home/alice/*.whl # by bob@acme.internal" },
        ],
    });
    let manifest = json!([{
        "Config": "config.json", "RepoTags": ["registry.acme.internal:5000/team/demo:1"], "Layers": ["a", "b", "c"],
    }]);
    let archive = tar(&[
        ("a", &layers[0]),
        ("b", &layers[1]),
        ("c", &layers[2]),
        ("config.json", config.to_string().as_bytes()),
        ("manifest.json", manifest.to_string().as_bytes()),
    ]);
    let path = directory.join("saved.tar");
    fs::write(&path, archive).unwrap();
    path
}

fn image(what: &Path, file: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(BINARY);
    command.arg("image").arg(what).arg("--save-facts").arg(file).args(["--format", "json"]).args(arguments);
    report(&command.output().unwrap())
}

#[test]
fn an_image_has_the_same_report_elsewhere_without_names_and_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("facts.json");
    let original = image(&archive(directory.path()), &file, &[]);
    assert!(
        original.to_string().contains("https://pypi.corp.acme.internal/simple"),
        "it is planted: {original}"
    );
    let saved = fs::read_to_string(&file).unwrap();
    for secret in ["alice", "acme", "hf_abc", "z1234567", "Zq7X", "10.98", "pypi.", "team"] {
        assert!(!saved.contains(secret), "{secret} is in {saved}");
    }
    let again = report(&elsewhere(&file, &["image", "--format", "json"]));
    // All that the file changes, and nothing else.
    let expected = without_seconds(original)
        .to_string()
        .replace("registry.acme.internal:5000/team/demo:1", "demo:1")
        .replace("https://pypi.corp.acme.internal/simple", "https://HOST/...")
        .replace("10.98.76.54:3128", "ADDRESS:3128")
        .replace("bob@acme.internal", "user@HOST")
        .replace("/home/alice", "/home/user1");
    assert_eq!(without_seconds(again).to_string(), expected);
}

#[test]
fn flags_that_judge_and_print_still_count() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("facts.json");
    let original = image(&archive(directory.path()), &file, &["--level", "census"]);
    assert!(ids(&original).contains(&"leftovers.secret"));
    assert_eq!(elsewhere(&file, &["image"]).status.code(), Some(0));
    assert_eq!(elsewhere(&file, &["image", "--fail-on", "warning"]).status.code(), Some(1));
    let sarif: Value =
        serde_json::from_slice(&elsewhere(&file, &["image", "--format", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let config = directory.path().join("cudacheck.json");
    fs::write(&config, r#"{"accepted": [{"id": "leftovers.secret", "reason": "known"}]}"#).unwrap();
    let again =
        report(&elsewhere(&file, &["image", "--format", "json", "--config", config.to_str().unwrap()]));
    assert!(!ids(&again).contains(&"leftovers.secret"));
    // The main command takes the same file; what it asks for is its own.
    let again = report(&elsewhere(&file, &["--format", "json"]));
    assert_eq!(ids(&again), ids(&original));

    let root = Root::machine("gpus = 1\nsms = 2");
    root.report(&["--level", "driver", "--save-facts", "/tmp/facts.json"]);
    let output = elsewhere(&root.path("/tmp/facts.json"), &["--require-gpus", "2", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(ids(&report(&output))[0], "driver.too-few");
}

#[test]
fn a_real_tree_has_the_same_report_elsewhere() {
    let Some(tree) = part("torch12") else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("facts.json");
    let original = image(&tree, &file, &["--arch", "sm_120"]);
    assert_eq!(ids(&original)[0], "code.none-for-gpu");
    let bytes = fs::metadata(&file).unwrap().len();
    assert!(bytes < 1 << 20, "{bytes} bytes are too near to what is read");
    let again = report(&elsewhere(&file, &["image", "--format", "json"]));
    let root = original["image"]["root"].as_str().unwrap();
    let expected = without_seconds(original.clone()).to_string().replace(root, "torch12");
    assert_eq!(without_seconds(again).to_string(), expected);
    // Another GPU, without the tree.
    let again = report(&elsewhere(&file, &["image", "--format", "json", "--arch", "sm_90"]));
    assert!(!ids(&again).contains(&"code.none-for-gpu"), "{:?}", ids(&again));
}

#[test]
fn other_files_are_errors_that_name_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("facts.json");
    let whole = directory.path().join("whole.json");
    image(&archive(directory.path()), &whole, &[]);
    let text = fs::read_to_string(&whole).unwrap();
    for (content, words) in [
        (String::new(), "it holds no facts, or is damaged"),
        (text[..text.len() / 2].to_owned(), "damaged"),
        ("{\"schema\": 1, \"facts\": ".to_owned() + &"[".repeat(100_000), "damaged"),
        (text.replacen("\"schema\": 1", "\"schema\": 99", 1), "newer than schema 1 of this cudacheck"),
        (text.replacen("\"schema\": 1", "\"schema\": 0", 1), "save the facts anew with --save-facts"),
        (text.replacen("\"entries\": ", "\"entries\": 99999999999999999", 1), "no machine has"),
        (text.replacen("\"entries\": ", "\"entries\": -", 1), "it is damaged, or another build of cudacheck"),
        (" ".repeat(9 << 20), "more than 8 MB"),
        // As a report, which is no facts.
        (
            r#"{"schema": 1, "version": "0.1.0", "verdict": "verified"}"#.to_owned(),
            "it is damaged, or another build of cudacheck",
        ),
    ] {
        fs::write(&file, content).unwrap();
        for arguments in [&[][..], &["image"]] {
            let error = refused(&file, arguments);
            assert!(error.contains(words), "{words}: {error}");
        }
    }
    assert!(refused(directory.path(), &[]).contains("it is neither a file"));
    let mut command = Command::new(BINARY);
    let piped = command.args(["image", "--from-facts", "/dev/stdin", "--format", "json"]);
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(report(&output)["image"]["root"], "demo:1", "a pipe is read from standard input");
    // Nobody writes to the FIFO, and it is not waited for.
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for odd in [Path::new("/dev/zero"), &fifo] {
        assert!(refused(odd, &[]).contains("it is neither a file nor /dev/stdin"));
    }
    assert!(refused(Path::new("/nowhere.json"), &[]).contains("name a file that --save-facts wrote"));
}

/// A number or text of the file is anything: an error or a report, and no panic.
#[test]
fn hostile_values_are_no_panic() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("facts.json");
    let root = Root::machine("gpus = 1\nsms = 2");
    root.report(&["--save-facts", "/tmp/facts.json"]);
    let of_machine = fs::read_to_string(root.path("/tmp/facts.json")).unwrap();
    image(&archive(directory.path()), &file, &[]);
    let of_image = fs::read_to_string(&file).unwrap();
    let (mut judged, mut refused) = (0, 0);
    for original in [of_machine, of_image] {
        let original: Value = serde_json::from_str(&original).unwrap();
        let mut keys = BTreeSet::new();
        collect(&original["facts"], "", &mut keys);
        let wrong =
            [json!(i32::MAX), json!(i32::MIN), json!(1u64 << 55), json!(1e300), json!("\u{1b}[2J\u{e9}")];
        for (key, wrong) in keys.iter().flat_map(|key| wrong.iter().map(move |wrong| (key, wrong))) {
            let mut hostile = original.clone();
            if !replace(&mut hostile["facts"], "", key, wrong) {
                continue;
            }
            fs::write(&file, hostile.to_string()).unwrap();
            let output = elsewhere(&file, &["--format", "human"]);
            let error = text(&output.stderr);
            let status = output.status.code();
            *(if status == Some(2) { &mut refused } else { &mut judged }) += 1;
            assert!(status.is_some_and(|code| code < 4), "{key} = {wrong}: {error}");
            let quiet = !error.contains("panicked") && !(text(&output.stdout) + &error).contains('\u{1b}');
            assert!(quiet, "{key} = {wrong}: {error}");
        }
    }
    assert!(judged > 100 && refused > 20, "{judged} {refused}");
}

/// Keys that have a number or a text.
fn collect(value: &Value, key: &str, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(values) => values.iter().for_each(|(key, value)| collect(value, key, keys)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, key, keys)),
        Value::Number(_) | Value::String(_) => drop(keys.insert(key.to_owned())),
        _ => {}
    }
}

/// Puts the value in the place of all of its kind that the key has. False: there is none.
fn replace(value: &mut Value, key: &str, wanted: &str, wrong: &Value) -> bool {
    match value {
        // All of them, and not up to the first.
        Value::Object(values) => {
            values
                .iter_mut()
                .filter_map(|(key, value)| replace(value, key, wanted, wrong).then_some(()))
                .count()
                > 0
        }
        Value::Array(values) => {
            values.iter_mut().filter_map(|value| replace(value, key, wanted, wrong).then_some(())).count() > 0
        }
        value => {
            let fits = key == wanted
                && (value.is_string() && wrong.is_string() || value.is_number() && wrong.is_number());
            if fits {
                *value = wrong.clone();
            }
            fits
        }
    }
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_anything_is_run() {
    for file in ["/nowhere/facts.json", "/tmp"] {
        for command in [&[][..], &["image"], &["health"]] {
            let output = Command::new(BINARY).args(command).args(["--save-facts", file]).output().unwrap();
            // A probe knows 0 and 1, and what it says is what is kept of it.
            let health = command == ["health"];
            let (status, error, other) = if health {
                (1, text(&output.stdout), text(&output.stderr))
            } else {
                (2, text(&output.stderr), text(&output.stdout))
            };
            assert_eq!(output.status.code(), Some(status), "{error}");
            assert!(error.contains(&format!("cannot write the facts to {file}")), "{error}");
            assert!(other.is_empty(), "{other}");
        }
    }
    for arguments in [
        &["--save-facts", "a", "--from-facts", "b"][..],
        &["image", "/", "--from-facts", "b"],
        &["image", "--list", "--from-facts", "b"],
    ] {
        let output = Command::new(BINARY).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("cannot be used with"), "{}", text(&output.stderr));
    }
}
