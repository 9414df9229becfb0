//! What all checks together find about an image on a machine. Each check's own texts are tested beside it.

use super::samples::{TORCH, compat_driver, described, image};
use super::*;
use crate::checks;
use crate::facts::sample::copy;

/// Ids of the findings about a machine.
fn on_machine(mut facts: Facts, machine: &str) -> Vec<String> {
    facts.request.machines.push(described(machine));
    let findings = checks::judge(&facts).findings;
    findings.into_iter().filter(|finding| finding.machine.is_some()).map(|finding| finding.id).collect()
}

#[test]
fn images_by_machines() {
    let torch12 = || image(&["sm_50", "sm_80", "sm_86", "sm_90"], Some("12.4.127"));
    let torch13 = || image(&["sm_75", "sm_80", "sm_90", "sm_100", "sm_120"], Some("13.2.86"));
    let ptx = || image(&["sm_80", "compute_80"], Some("12.4.127"));
    let cases: &[(&str, Facts, &str, &[&str])] = &[
        // Compiled code, and the driver of that CUDA, a newer one, an older one of the major, an older major.
        ("12", torch12(), "gpu=H100,driver=550.54.15", &[]),
        ("12", torch12(), "gpu=H100,driver=580.65.06", &[]),
        ("12", torch12(), "gpu=H100,driver=535.104.05", &["predict.minor-version"]),
        ("12", torch12(), "gpu=A100,driver=525.60.13", &["predict.minor-version"]),
        ("12", torch12(), "gpu=A100,driver=470.256.02", &["predict.driver-too-old"]),
        ("12", torch12(), "gpu=A100,cuda=11.8", &["predict.driver-too-old"]),
        ("12", torch12(), "gpu=A100,cuda=12.4", &[]),
        ("13", torch13(), "gpu=H100,driver=535.104.05", &["predict.driver-too-old"]),
        ("13", torch13(), "gpu=H100,driver=580.65.06", &["predict.minor-version"]),
        // An unknown, newer branch.
        ("12", torch12(), "gpu=H100,driver=700.10", &[]),
        ("13", torch13(), "gpu=H100,driver=700.10", &[]),
        ("13.5", image(&["sm_90"], Some("13.5.37")), "gpu=H100,driver=700.10", &[]),
        ("13.5", image(&["sm_90"], Some("13.5.37")), "gpu=H100,driver=620.70.06", &[]),
        ("13.5", image(&["sm_90"], Some("13.5.37")), "gpu=H100,driver=615.71.09", &["predict.minor-version"]),
        ("13.6", image(&["sm_90"], Some("13.6.10")), "gpu=H100,driver=700.10", &["predict.minor-version"]),
        ("14", image(&["sm_90"], Some("14.0.1")), "gpu=H100,driver=700.10", &["predict.unknown"]),
        ("12", torch12(), "gpu=H100,driver=390.10", &["predict.unknown", "predict.unknown"]),
        // GPUs that the image, its CUDA or the driver does not support.
        ("12", torch12(), "gpu=RTX 5090,driver=570.86.15,open-module=yes", &["predict.no-code"]),
        ("12", torch12(), "gpu=H100,driver=515.65.01", &["predict.gpu-too-new", "predict.driver-too-old"]),
        ("13", torch13(), "gpu=V100,driver=580.65.06", &["predict.cuda-dropped", "predict.minor-version"]),
        (
            "13",
            torch13(),
            "gpu=V100,driver=590.44.01",
            &["predict.gpu-too-old", "predict.cuda-dropped", "predict.minor-version"],
        ),
        ("12", torch12(), "gpu=V100,driver=550.54.15", &["predict.no-code"]),
        ("12", torch12(), "gpu=sm_87,driver=550.54.15", &["predict.no-code", "predict.unknown"]),
        // With only the CUDA given, the CUDA of the last driver for the GPU is the limit.
        ("12", image(&["sm_70"], Some("12.4.127")), "gpu=V100,cuda=13.1", &["predict.gpu-too-old"]),
        ("12", image(&["sm_70"], Some("12.4.127")), "gpu=V100,cuda=13.0", &[]),
        ("11", image(&["sm_37"], Some("11.4.100")), "gpu=K80,cuda=12.4", &["predict.gpu-too-old"]),
        ("11", image(&["sm_37"], Some("11.4.100")), "gpu=K80,cuda=11.4", &[]),
        // The kernel module.
        ("13", torch13(), "gpu=B200,driver=590.44.01,open-module=yes", &["predict.minor-version"]),
        ("13", torch13(), "gpu=B200,cuda=13.2,open-module=no", &["predict.closed-module"]),
        ("13", torch13(), "gpu=B200,cuda=13.2", &["predict.module-unspecified"]),
        (
            "12",
            image(&["sm_70"], Some("12.4.127")),
            "gpu=V100,cuda=12.4,open-module=yes",
            &["predict.open-module"],
        ),
        // A driver compiles PTX of its own CUDA or an older one.
        ("ptx", ptx(), "gpu=H100,driver=550.54.15", &["predict.ptx-only"]),
        ("ptx", ptx(), "gpu=H100,driver=535.104.05", &["predict.ptx-too-new", "predict.minor-version"]),
        ("ptx", ptx(), "gpu=A100,driver=535.104.05", &["predict.minor-version"]),
        ("ptx", ptx(), "gpu=H100,driver=700.10", &["predict.ptx-only"]),
        // What an entry says goes before what the runtime suggests.
        (
            "ptx 9.0",
            image(&["compute_80/9.0"], Some("13.5.37")),
            "gpu=H100,driver=580.65.06",
            &["predict.ptx-only", "predict.minor-version"],
        ),
        (
            "ptx 9.5",
            image(&["compute_80/9.5"], Some("13.0.48")),
            "gpu=H100,driver=580.65.06",
            &["predict.ptx-too-new"],
        ),
        (
            "ptx 9.9",
            image(&["compute_80/9.9"], Some("13.0.48")),
            "gpu=H100,driver=580.65.06",
            &["predict.image-unknown"],
        ),
        // Unknown is never a pass.
        ("static", image(&["sm_90"], None), "gpu=H100,driver=550.54.15", &["predict.image-unknown"]),
        ("no code", image(&[], Some("12.4.127")), "gpu=H100,driver=550.54.15", &["predict.image-unknown"]),
        (
            "ptx, static",
            image(&["compute_80"], None),
            "gpu=H100,cuda=12.4",
            &["predict.image-unknown", "predict.image-unknown"],
        ),
        // PTX shows the least CUDA of a static runtime.
        (
            "ptx 8.4, static",
            image(&["sm_80", "compute_80/8.4"], None),
            "gpu=A100,driver=470.256.02",
            &["predict.driver-too-old"],
        ),
        (
            "ptx 8.4, static",
            image(&["sm_80", "compute_80/8.4"], None),
            "gpu=A100,driver=550.54.15",
            &["predict.image-unknown"],
        ),
        ("old", image(&["sm_60"], Some("10.2.89")), "gpu=P100,driver=418.39", &["predict.driver-too-old"]),
        ("old", image(&["sm_60"], Some("10.1.105")), "gpu=P100,driver=418.39", &[]),
    ];
    for (name, facts, machine, expected) in cases {
        assert_eq!(on_machine(facts.clone(), machine), *expected, "{name} on {machine}");
    }
}

#[test]
fn a_compatibility_driver_of_the_image() {
    let with = |drivers: Option<&[u32]>, in_front: bool| {
        let mut facts = image(&["sm_75", "sm_89", "sm_90", "sm_120"], Some("13.1.80"));
        facts.census.copies.push(compat_driver(drivers));
        facts.census.library_path = in_front.then(|| "/usr/local/cuda/compat:/opt".to_owned());
        facts
    };
    let listed: Option<&[u32]> = Some(&[535, 550]);
    let cases: &[(Facts, &str, &[&str])] = &[
        (with(listed, false), "gpu=H100,driver=535.104.05", &["predict.compat"]),
        (with(listed, false), "gpu=H100,driver=565.57.01", &["predict.driver-too-old"]),
        (with(listed, false), "gpu=RTX 4090,driver=535.104.05", &["predict.driver-too-old"]),
        (with(listed, false), "gpu=RTX 4090,driver=595.10", &[]),
        (with(listed, false), "gpu=sm_90,driver=535.104.05", &["predict.unknown"]),
        (with(listed, false), "gpu=sm_90,driver=535.104.05,datacenter=yes", &["predict.compat"]),
        (with(None, false), "gpu=H100,driver=535.104.05", &["predict.unknown"]),
        (with(listed, false), "gpu=H100,cuda=12.2", &["predict.unknown"]),
        (with(listed, false), "gpu=H100,driver=595.10", &[]),
        (with(listed, true), "gpu=H100,driver=535.104.05", &["predict.compat"]),
        (with(listed, true), "gpu=H100,driver=590.44.01", &[]),
        (with(listed, true), "gpu=H100,driver=595.10", &["predict.compat-in-front"]),
        (with(listed, true), "gpu=RTX 4090,driver=535.104.05", &["predict.compat-in-front"]),
        (with(None, true), "gpu=H100,driver=535.104.05", &["predict.unknown"]),
        // The kernel module stays the machine's.
        (
            with(listed, false),
            "gpu=RTX 5090,driver=550.54.15,datacenter=yes,open-module=yes",
            &["predict.gpu-too-new", "predict.compat"],
        ),
    ];
    for (number, (facts, machine, expected)) in cases.iter().enumerate() {
        assert_eq!(on_machine(facts.clone(), machine), *expected, "case {number}: {machine}");
    }
}

#[test]
fn findings_name_their_machine_and_can_be_accepted() {
    let mut facts = image(&["sm_80"], Some("12.4.127"));
    for machine in ["gpu=H100,cuda=12.4", "gpu=A100,cuda=12.2"] {
        facts.request.machines.push(described(machine));
    }
    let judged = checks::judge(&facts);
    let machines: Vec<_> = judged
        .findings
        .iter()
        .filter_map(|finding| Some((finding.id.as_str(), finding.machine.as_deref()?)))
        .collect();
    assert_eq!(
        machines,
        [("predict.no-code", "H100/CUDA-12.4"), ("predict.minor-version", "A100/CUDA-12.2")]
    );
    let accepted =
        serde_json::from_str(r#"{"id": "predict.no-code", "reason": "no GPU of that kind yet"}"#).unwrap();
    facts.request.accepted = vec![accepted];
    let report = crate::report::assemble(&facts, checks::judge(&facts), 0.0);
    let verdicts: Vec<_> = report.predictions.iter().map(|prediction| prediction.verdict).collect();
    use crate::report::Foretold::{Fails, Works, WorksWithNotes};
    assert_eq!(verdicts, [Works, WorksWithNotes]);
    // A fault of the image itself fails on every machine.
    let mut empty = copy("libcuda", "/usr/lib/libcuda.so.550.54.15", "550.54.15");
    empty.bytes = 0;
    facts.census.copies.push(empty);
    let report = crate::report::assemble(&facts, checks::judge(&facts), 0.0);
    for prediction in report.predictions {
        assert_eq!(
            (prediction.verdict, prediction.image),
            (Fails, vec!["image.driver-file-empty".to_owned()])
        );
    }
}

#[test]
fn without_a_machine_every_check_is_skipped() {
    for check in CHECKS {
        assert!(check.id.starts_with("predict."), "{}", check.id);
        assert!(matches!((check.judge)(&Facts::default()), Outcome::Skip(_)), "{}", check.id);
    }
}

/// The words of the table, and the causes, of one machine.
fn predicted(mut facts: Facts, machine: &str) -> (Vec<String>, Vec<(String, String)>) {
    facts.request.machines.push(described(machine));
    let judgement = checks::judge(&facts);
    let words = judgement.machines[0].answers.iter().map(|answer| answer.words.clone()).collect();
    let of_machine = judgement.findings.into_iter().filter(|finding| finding.machine.is_some());
    (words, of_machine.map(|finding| (finding.id, finding.cause)).collect())
}

#[test]
fn answers_in_words() {
    let torch12 = || image(&["sm_80", "sm_90"], Some("12.4.127"));
    for (facts, machine, words, causes) in [
        (
            torch12(),
            "gpu=H100,driver=550.54.15",
            ["sm_90", "12.4 on 12.4", "all", "yes", "any", "none"],
            vec![],
        ),
        (
            torch12(),
            "gpu=RTX 5090,driver=535.104.05,open-module=no",
            ["none", "12.4 on 12.2", "all", "no, too new", "closed", "none"],
            vec![
                "sm_120 needs a driver for CUDA 12.8 or newer.".to_owned(),
                "sm_120 works only with the open kernel module; the machine has the closed one.".to_owned(),
                "torch has neither code for sm_120 nor PTX that runs on it.".to_owned(),
                "CUDA 12.4 of torch is newer than the driver's, of the same major version.".to_owned(),
            ],
        ),
        (
            image(&["compute_80"], Some("12.4.127")),
            "gpu=H100,driver=535.104.05",
            ["PTX compute_80, too new", "12.4 on 12.2", "all", "yes", "any", "none"],
            vec![
                "torch has only PTX for sm_90, which is newer than the driver.".to_owned(),
                "CUDA 12.4 of torch is newer than the driver's, of the same major version.".to_owned(),
            ],
        ),
        (
            image(&["sm_75"], Some("13.0.48")),
            "gpu=V100,driver=590.44.01,open-module=yes",
            ["dropped", "13.0 on 13.1", "all", "no, too old", "open", "none"],
            vec![
                "Driver 580 is the last branch that supports sm_70.".to_owned(),
                "The open kernel module supports GPUs since sm_75; this one is sm_70.".to_owned(),
                "torch has no code for sm_70: CUDA 13.0 supports GPUs since sm_75.".to_owned(),
            ],
        ),
    ] {
        let (seen, findings) = predicted(facts, machine);
        assert_eq!(seen, words, "{machine}");
        let seen: Vec<String> = findings.into_iter().map(|(_, cause)| cause).collect();
        assert_eq!(seen, causes, "{machine}");
    }
}

/// Torch, and a smaller package beside it with other code and the same runtime.
fn with_faiss(code: &[&str]) -> Facts {
    let mut facts = image(&["sm_70", "sm_80", "sm_90", "sm_100"], Some("12.8.90"));
    let mut faiss = facts.census.frameworks[0].clone();
    faiss.name = "faiss-gpu-cu12".into();
    faiss.version = Some("1.14.1".into());
    faiss.objects[0].path = "/site/faiss_gpu_cu12.libs/libfaiss.so".into();
    faiss.objects[0].device_code = samples::code(code);
    facts.census.frameworks.push(faiss);
    facts
}

#[test]
fn each_installation_is_judged_by_its_own_code() {
    // NVIDIA's libraries beside them have code for every GPU.
    let mut facts = with_faiss(&["sm_70", "sm_80"]);
    facts.census.device_code = samples::code(&["sm_70", "sm_80", "sm_90", "sm_100"]);
    assert_eq!(on_machine(facts.clone(), "gpu=A100,driver=570.86.15"), [""; 0]);
    let (words, findings) = predicted(facts.clone(), "gpu=H100,driver=570.86.15");
    assert_eq!(words[..3], ["none", "12.8 on 12.8", "all"]);
    let causes: Vec<&str> = findings.iter().map(|(_, cause)| cause.as_str()).collect();
    assert_eq!(causes, ["faiss-gpu-cu12 1.14.1 has neither code for sm_90 nor PTX that runs on it."]);
    facts.request.machines.push(described("gpu=H100,driver=570.86.15"));
    let report = crate::report::assemble(&facts, checks::judge(&facts), 0.0);
    assert_eq!(report.predictions[0].verdict, crate::report::Foretold::Fails);
    assert_eq!(report.predictions[0].decided[0].frameworks, ["faiss-gpu-cu12 1.14.1"]);
}

#[test]
fn installations_with_one_runtime_are_named_together() {
    let causes = |facts: Facts| -> Vec<String> {
        let found = predicted(facts, "gpu=A100,driver=535.104.05").1;
        found.into_iter().map(|(_, cause)| cause).collect()
    };
    let mut facts = with_faiss(&["sm_80"]);
    assert_eq!(
        causes(facts.clone()),
        [
            "CUDA 12.8 of torch and faiss-gpu-cu12 1.14.1 is newer than the driver's, of the same major version."
        ]
    );
    // With a static runtime, another package's runtime shows nothing.
    facts.census.frameworks[1].uses.clear();
    assert_eq!(
        causes(facts),
        [
            "It is unknown which CUDA faiss-gpu-cu12 1.14.1 was built with: it loads no libcudart (static runtime).",
            "CUDA 12.8 of torch is newer than the driver's, of the same major version."
        ]
    );
}

#[test]
fn two_installations_of_one_package_are_one_finding() {
    let mut facts = image(&["sm_80"], Some("12.8.90"));
    let mut second = facts.census.frameworks[0].clone();
    second.objects[0].path = "/opt/venv/libtorch_cuda.so".into();
    facts.census.frameworks.push(second);
    facts.request.machines.push(described("gpu=H100,driver=570.86.15"));
    let findings = checks::judge(&facts).findings;
    assert_eq!(findings.len(), 1);
    let paths: Vec<&str> = findings[0].evidence.iter().filter_map(|line| line.path.as_deref()).collect();
    assert_eq!(paths, [TORCH, "/opt/venv/libtorch_cuda.so"]);
}

#[test]
fn an_answer_names_the_checks_that_failed_on_it() {
    let mut facts = image(&["compute_80"], None);
    facts.request.machines.push(described("gpu=H100,driver=390.10"));
    let machines = checks::judge(&facts).machines;
    let checks: Vec<&[&str]> = machines[0].answers.iter().map(|answer| answer.checks.as_slice()).collect();
    let (of_image, of_machine): (&[&str], &[&str]) = (&["predict.image-unknown"], &["predict.unknown"]);
    assert_eq!(checks, [of_image, of_image, &[], of_machine, &[], &[]]);
}
