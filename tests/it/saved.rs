//! Facts in a file: the same report on another machine, redaction, hostile files, files of older schemas.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::util::{BINARY, Root, SOURCE, ids, part, report, tar, text};

/// The report without times.
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

/// Judges a file on another machine: outside of any root, with an empty environment.
fn judge_elsewhere(file: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--from-facts").arg(file).env_clear();
    command.output().unwrap()
}

fn refused(file: &Path, arguments: &[&str]) -> String {
    let output = judge_elsewhere(file, arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(output.stdout.is_empty() && !error.contains("panicked"), "{error}");
    assert!(error.contains(file.file_name().unwrap().to_str().unwrap()), "the error names the file: {error}");
    error
}

/// The report with the UUIDs of fake GPUs as redaction numbers them.
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
fn a_machine_has_the_same_report_on_another_machine() {
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
        let output = judge_elsewhere(&file, &["--format", "json"]);
        assert_eq!(output.status.code(), Some(status), "{script}: {}", text(&output.stderr));
        let again = report(&output);
        assert_eq!(again["seconds"], original["seconds"], "{script}");
        // UUIDs of MIG instances are numbered together with those of GPUs.
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
fn a_health_check_and_a_container_without_a_gpu_have_the_same_report_on_another_machine() {
    let root = Root::glibc();
    let output = root.run(&["health", "--save-facts", "/tmp/facts.json"]);
    assert_eq!(output.status.code(), Some(1));
    let again = report(&judge_elsewhere(&root.path("/tmp/facts.json"), &["--format", "json"]));
    assert_eq!((ids(&again)[0], &again["requested"]), ("launch.driver-not-loaded", &"nvml".into()));
    let (original, _) = root.report(&["--save-facts", "/tmp/facts.json"]);
    let again = report(&judge_elsewhere(&root.path("/tmp/facts.json"), &["--format", "json"]));
    assert_eq!(without_seconds(again), without_seconds(original));
}

/// Plants private values where a machine has them. None may be in the file.
#[test]
fn private_values_are_redacted() {
    // The fake prints an unknown action on standard error.
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
        assert!(planted.contains(kept), "{kept} is planted, and the report is not redacted: {planted}");
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
    let output = judge_elsewhere(&file, &["--format", "json"]);
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

/// An image of a private registry, with secrets and names in its history.
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
fn an_image_has_the_same_report_on_another_machine_without_names_and_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("facts.json");
    let original = image(&archive(directory.path()), &file, &[]);
    assert!(original.to_string().contains("https://pypi.corp.acme.internal/simple"), "planted: {original}");
    let saved = fs::read_to_string(&file).unwrap();
    for secret in ["alice", "acme", "hf_abc", "z1234567", "Zq7X", "10.98", "pypi.", "team"] {
        assert!(!saved.contains(secret), "{secret} is in {saved}");
    }
    let again = report(&judge_elsewhere(&file, &["image", "--format", "json"]));
    // Everything that redaction changes.
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
fn flags_that_judge_and_print_apply_to_saved_facts() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("facts.json");
    let original = image(&archive(directory.path()), &file, &["--level", "census"]);
    assert!(ids(&original).contains(&"leftovers.secret"));
    assert_eq!(judge_elsewhere(&file, &["image"]).status.code(), Some(0));
    assert_eq!(judge_elsewhere(&file, &["image", "--fail-on", "warning"]).status.code(), Some(1));
    let sarif: Value =
        serde_json::from_slice(&judge_elsewhere(&file, &["image", "--format", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let config = directory.path().join("cudacheck.json");
    fs::write(&config, r#"{"accepted": [{"id": "leftovers.secret", "reason": "known"}]}"#).unwrap();
    let again =
        report(&judge_elsewhere(&file, &["image", "--format", "json", "--config", config.to_str().unwrap()]));
    assert!(!ids(&again).contains(&"leftovers.secret"));
    // The main command accepts the same file.
    let again = report(&judge_elsewhere(&file, &["--format", "json"]));
    assert_eq!(ids(&again), ids(&original));

    let root = Root::machine("gpus = 1\nsms = 2");
    root.report(&["--level", "driver", "--save-facts", "/tmp/facts.json"]);
    let output = judge_elsewhere(&root.path("/tmp/facts.json"), &["--require-gpus", "2", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(ids(&report(&output))[0], "driver.too-few");
}

#[test]
fn a_real_tree_has_the_same_report_on_another_machine() {
    let Some(tree) = part("torch12") else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("facts.json");
    let original = image(&tree, &file, &["--arch", "sm_120"]);
    assert_eq!(ids(&original)[0], "code.none-for-gpu");
    let bytes = fs::metadata(&file).unwrap().len();
    assert!(bytes < 1 << 20, "{bytes} bytes are too close to the size limit");
    let again = report(&judge_elsewhere(&file, &["image", "--format", "json"]));
    let root = original["image"]["root"].as_str().unwrap();
    let expected = without_seconds(original.clone()).to_string().replace(root, "torch12");
    assert_eq!(without_seconds(again).to_string(), expected);
    // Judge for another GPU, without the tree.
    let again = report(&judge_elsewhere(&file, &["image", "--format", "json", "--arch", "sm_90"]));
    assert!(!ids(&again).contains(&"code.none-for-gpu"), "{:?}", ids(&again));
}

#[test]
fn files_that_hold_no_facts_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("facts.json");
    let whole = directory.path().join("whole.json");
    image(&archive(directory.path()), &whole, &[]);
    let text = fs::read_to_string(&whole).unwrap();
    for (content, words) in [
        (String::new(), "--save-facts"),
        (text[..text.len() / 2].to_owned(), "--save-facts"),
        ("{\"schema\": 3, \"facts\": ".to_owned() + &"[".repeat(100_000), "--save-facts"),
        (text.replacen("\"schema\": 3", "\"schema\": 99", 1), "schema 3"),
        (text.replacen("\"schema\": 3", "\"schema\": 0", 1), "--save-facts"),
        (text.replacen("\"entries\": ", "\"entries\": 99999999999999999", 1), "--save-facts"),
        (text.replacen("\"entries\": ", "\"entries\": -", 1), "--save-facts"),
        (" ".repeat(9 << 20), "8 MiB"),
        // Reports have a schema too, and hold no facts.
        (r#"{"schema": 1, "version": "0.1.0", "verdict": "verified"}"#.to_owned(), "--save-facts"),
        (r#"{"schema": 3, "version": "0.1.0", "verdict": "verified"}"#.to_owned(), "--save-facts"),
    ] {
        assert_ne!(content, text);
        fs::write(&file, content).unwrap();
        for arguments in [&[][..], &["image"]] {
            let error = refused(&file, arguments);
            assert!(error.contains(words), "{words}: {error}");
        }
    }
    assert!(refused(directory.path(), &[]).contains("/dev/stdin"), "a directory");
    let mut command = Command::new(BINARY);
    let piped = command.args(["image", "--from-facts", "/dev/stdin", "--format", "json"]);
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(report(&output)["image"]["root"], "demo:1", "a pipe on standard input is read");
    // Nothing writes to the FIFO; cudacheck does not wait for it.
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for odd in [Path::new("/dev/zero"), &fifo] {
        assert!(refused(odd, &[]).contains("/dev/stdin"));
    }
    assert!(refused(Path::new("/nowhere.json"), &[]).contains("--save-facts"));
}

/// What the last version with schema 1 reported from its own file, under today's names.
struct Answer {
    file: &'static str,
    status: i32,
    verdict: &'static str,
    /// Id, and the GPU's number: CUDA's where there is one, otherwise NVML's.
    findings: &'static [(&'static str, Option<u32>)],
    states: &'static [&'static str],
    /// Name, status and number of copies.
    libraries: &'static [(&'static str, &'static str, usize)],
    /// Machine, verdict and ids of findings.
    predictions: &'static [(&'static str, &'static str, &'static [&'static str])],
}

#[rustfmt::skip]
const SCHEMA_1: &[Answer] = &[
    Answer {
        file: "no-gpu",
        status: 1,
        verdict: "failed",
        findings: &[("launch.driver-not-loaded", None)],
        states: &[],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "health",
        status: 1,
        verdict: "failed",
        findings: &[("launch.driver-not-loaded", None)],
        states: &[],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "busy-and-wrong",
        status: 1,
        verdict: "failed",
        findings: &[("device.wrong-results", Some(1)), ("image.driver-baked-in", None), ("device.busy", Some(0))],
        states: &["busy", "failed"],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "prohibited-and-full",
        status: 1,
        verdict: "failed",
        findings: &[("device.context", Some(0)), ("image.driver-baked-in", None), ("device.busy", Some(1))],
        states: &["failed", "busy"],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "hung",
        status: 1,
        verdict: "failed",
        findings: &[("probe.hung", Some(1)), ("image.driver-baked-in", None)],
        states: &["verified", "failed"],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "lost",
        status: 1,
        verdict: "failed",
        findings: &[("driver.gpu-lost", Some(1)), ("image.driver-baked-in", None), ("device.ecc", Some(2))],
        states: &["verified", "verified", "failed"],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "crashed",
        status: 1,
        verdict: "failed",
        findings: &[("probe.crashed", None), ("image.driver-baked-in", None)],
        states: &["seen"],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "hidden",
        status: 1,
        verdict: "failed",
        findings: &[("launch.visible-devices", None), ("image.driver-baked-in", None)],
        states: &["seen", "seen"],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "chosen",
        status: 1,
        verdict: "failed",
        findings: &[("driver.too-few", None), ("image.driver-baked-in", None)],
        states: &["verified", "seen"],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "mig",
        status: 0,
        verdict: "verified",
        findings: &[("image.driver-baked-in", None), ("device.mig-one", None)],
        states: &["verified"],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "gemm",
        status: 1,
        verdict: "failed",
        findings: &[("math.gemm-wrong", Some(0)), ("image.driver-baked-in", None), ("math.minor-version", Some(0)), ("math.counters", None)],
        states: &["failed"],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "cublas-fails",
        status: 1,
        verdict: "failed",
        findings: &[("math.cublas-init", Some(0)), ("image.driver-baked-in", None)],
        states: &["failed"],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "tree",
        status: 0,
        verdict: "audited",
        findings: &[("library.missing", None), ("library.working-directory", None), ("leftovers.caches", None), ("leftovers.wheels", None), ("leftovers.secret", None), ("library.redundant", None), ("library.unreadable", None), ("leftovers.toolkit", None), ("leftovers.compilers", None)],
        states: &[],
        libraries: &[("libcuda", "present", 2), ("libcudart", "redundant", 2), ("libcublas", "present", 1), ("libcublasLt", "present", 1), ("libnccl", "present", 1), ("nvcc", "present", 1), ("headers", "present", 1)],
        predictions: &[],
    },
    Answer {
        file: "census",
        status: 0,
        verdict: "audited",
        findings: &[("library.missing", None), ("leftovers.caches", None), ("leftovers.wheels", None), ("leftovers.secret", None), ("library.unreadable", None), ("leftovers.toolkit", None), ("leftovers.compilers", None)],
        states: &[],
        libraries: &[],
        predictions: &[],
    },
    Answer {
        file: "predicted",
        status: 1,
        verdict: "failed",
        findings: &[("library.missing", None), ("leftovers.caches", None), ("leftovers.wheels", None), ("leftovers.secret", None), ("library.redundant", None), ("library.unreadable", None), ("leftovers.toolkit", None), ("leftovers.compilers", None)],
        states: &[],
        libraries: &[],
        predictions: &[("node1", "unknown", &["predict.unknown", "predict.image-unknown"]), ("node2", "fails", &["predict.closed-module", "predict.image-unknown"]), ("node3", "unknown", &["predict.image-unknown", "predict.minor-version"]), ("node4", "unknown", &["predict.image-unknown"])],
    },
    Answer {
        file: "archive",
        status: 1,
        verdict: "failed",
        findings: &[("image.cuda-without-glibc", None), ("library.working-directory", None), ("leftovers.secret", None), ("leftovers.hidden-bytes", None), ("leftovers.root-user", None), ("leftovers.no-healthcheck", None)],
        states: &[],
        libraries: &[("libcudart", "present", 1)],
        predictions: &[("node1", "fails", &["predict.requirement", "predict.image-unknown"])],
    },
];

#[test]
fn facts_of_schema_1_have_the_same_report() {
    let directory = Path::new(SOURCE).join("tests/it/facts/v1");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), SCHEMA_1.len(), "every file is in the table");
    for answer in SCHEMA_1 {
        let name = answer.file;
        let output = judge_elsewhere(&directory.join(name).with_extension("json"), &["--format", "json"]);
        assert_eq!(output.status.code(), Some(answer.status), "{name}: {}", text(&output.stderr));
        let report = report(&output);
        let list = |key: &str| report[key].as_array().unwrap().iter();
        assert_eq!(report["verdict"], answer.verdict, "{name}");
        let wanted: Vec<&str> = answer.findings.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids(&report), wanted, "{name}");
        for (found, (id, gpu)) in list("findings").zip(answer.findings) {
            let number = found["gpu"]["ordinal"].as_u64().or(found["gpu"]["index"].as_u64());
            assert_eq!(number, gpu.map(u64::from), "{name}: {id}: {}", found["gpu"]);
        }
        let states: Vec<&str> = list("gpus").map(|gpu| gpu["state"].as_str().unwrap()).collect();
        assert_eq!(states, answer.states, "{name}");
        if !answer.libraries.is_empty() {
            let libraries: Vec<(&str, &str, usize)> = list("libraries")
                .map(|library| (library, library["copies"].as_array().unwrap().len()))
                .filter(|(_, copies)| *copies > 0)
                .map(|(library, copies)| {
                    (library["name"].as_str().unwrap(), library["status"].as_str().unwrap(), copies)
                })
                .collect();
            assert_eq!(libraries, answer.libraries, "{name}");
        }
        let predictions = list("predictions");
        assert_eq!(predictions.len(), answer.predictions.len(), "{name}");
        for (prediction, (machine, verdict, wanted)) in predictions.zip(answer.predictions) {
            assert_eq!(prediction["machine"], *machine, "{name}");
            assert_eq!(prediction["verdict"], *verdict, "{name}: {machine}");
            assert_eq!(ids(prediction), *wanted, "{name}: {machine}");
        }
    }
}

/// Replaces numbers and strings of the file: cudacheck must report or refuse, and not panic.
#[test]
fn hostile_values_do_not_panic() {
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
            let output = judge_elsewhere(&file, &["--format", "human"]);
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

/// Keys of numbers and strings.
fn collect(value: &Value, key: &str, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(values) => values.iter().for_each(|(key, value)| collect(value, key, keys)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, key, keys)),
        Value::Number(_) | Value::String(_) => drop(keys.insert(key.to_owned())),
        _ => {}
    }
}

/// Replaces every value of the key that has the same JSON type. False: there is none.
fn replace(value: &mut Value, key: &str, wanted: &str, wrong: &Value) -> bool {
    match value {
        // `any` would stop at the first.
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
fn a_file_that_cannot_be_written_is_refused_first() {
    for file in ["/nowhere/facts.json", "/tmp"] {
        for command in [&[][..], &["image"], &["health"]] {
            let output = Command::new(BINARY).args(command).args(["--save-facts", file]).output().unwrap();
            // A health check exits with 0 or 1 and prints on standard output, which Docker keeps.
            let health = command == ["health"];
            let (status, error, other) = if health {
                (1, text(&output.stdout), text(&output.stderr))
            } else {
                (2, text(&output.stderr), text(&output.stdout))
            };
            assert_eq!(output.status.code(), Some(status), "{error}");
            assert!(error.contains("cannot write") && error.contains(file), "{error}");
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
