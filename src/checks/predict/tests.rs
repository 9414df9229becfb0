//! Images and machines, and what is predicted for each pair.

use super::*;
use crate::checks;
use crate::cli::target_machine::{On, on};
use crate::facts::sample::{Sample, copy};
use image_audit::Forward;
use image_audit::census::{Framework, How, User};
use image_audit::config::Image;
use image_audit::fatbin::{CodeKind, DeviceCode};

const TORCH: &str = "/site/torch/lib/libtorch_cuda.so";

/// An image with a framework that has this code and uses this runtime.
fn image(code: &[&str], runtime: Option<&str>) -> Facts {
    let mut facts = Sample::image().facts();
    let device_code = code.iter().map(|arch| {
        let kind = if arch.starts_with("sm") { CodeKind::Cubin } else { CodeKind::Ptx };
        DeviceCode { arch: arch.to_string(), kind, bytes: 1, images: 1 }
    });
    let framework = Framework { path: TORCH.into(), device_code: device_code.collect() };
    facts.census.device_code = framework.device_code.clone();
    facts.census.framework = Some(framework);
    if let Some(version) = runtime {
        let major = version.split('.').next().unwrap();
        let soname = format!("libcudart.so.{major}");
        let mut copy = copy("libcudart", &format!("/site/nvidia/{soname}"), version);
        copy.users = vec![User { path: TORCH.into(), how: How::Needed }];
        facts.census.copies.push(copy);
    }
    facts
}

fn on_machine(mut facts: Facts, machine: &str) -> Vec<String> {
    let Ok(On::Machine(machine)) = on(machine) else { panic!("{machine}: {:?}", on(machine)) };
    facts.request.machines.push(machine);
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
        ("13", torch13(), "gpu=H100,driver=700.10", &["predict.minor-version"]),
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
        // Unknown is never a pass.
        ("static", image(&["sm_90"], None), "gpu=H100,driver=550.54.15", &["predict.unknown"]),
        ("no code", image(&[], Some("12.4.127")), "gpu=H100,driver=550.54.15", &["predict.unknown"]),
        (
            "ptx, static",
            image(&["compute_80"], None),
            "gpu=H100,cuda=12.4",
            &["predict.unknown", "predict.unknown"],
        ),
        ("old", image(&["sm_60"], Some("10.2.89")), "gpu=P100,driver=418.39", &["predict.driver-too-old"]),
        ("old", image(&["sm_60"], Some("10.1.105")), "gpu=P100,driver=418.39", &[]),
    ];
    for (name, facts, machine, expected) in cases {
        assert_eq!(on_machine(facts.clone(), machine), *expected, "{name} on {machine}");
    }
}

#[test]
fn without_device_code_the_result_is_unknown() {
    let mut facts = image(&["sm_90"], Some("12.4.127"));
    facts.census.full = false;
    assert_eq!(on_machine(facts, "gpu=H100,driver=550.54.15"), ["predict.unknown"]);
}

#[test]
fn the_runtime_of_the_framework_counts() {
    let mut facts = image(&["sm_90"], Some("12.4.127"));
    // Newer, but the framework does not use it.
    facts.census.copies.push(copy("libcudart", "/opt/libcudart.so.13", "13.2.86"));
    assert!(on_machine(facts.clone(), "gpu=H100,cuda=12.4").is_empty());
    facts.census.framework = None;
    assert_eq!(on_machine(facts, "gpu=H100,cuda=12.4"), ["predict.driver-too-old"]);
    // libcudart.so.11.0 is the soname of all of CUDA 11.
    let mut facts = image(&["sm_80"], None);
    facts.census.copies.push(copy("libcudart", "/usr/lib/libcudart.so.11.0", "11.0"));
    assert!(on_machine(facts.clone(), "gpu=A100,cuda=11.2").is_empty());
    facts.census.framework.as_mut().unwrap().device_code[0] =
        DeviceCode { arch: "compute_80".into(), kind: CodeKind::Ptx, bytes: 1, images: 1 };
    assert_eq!(on_machine(facts, "gpu=A100,cuda=11.2"), ["predict.unknown"]);
}

#[test]
fn a_compatibility_driver_of_the_image() {
    let with = |drivers: Option<&[u32]>, in_front: bool| {
        let mut facts = image(&["sm_75", "sm_89", "sm_90", "sm_120"], Some("13.1.80"));
        let path = "/usr/local/cuda-13.1/compat/libcuda.so.590.44.01";
        let mut compat = copy("libcuda", path, "590.44.01");
        compat.forward =
            drivers.map(|drivers| Forward { cuda: Some("13.1".into()), drivers: drivers.to_vec() });
        facts.census.copies.push(compat);
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
fn a_driver_newer_than_the_table_is_not_called_older() {
    let cause = |machine: &str| {
        let mut facts = image(&["sm_90"], Some("13.2.86"));
        let Ok(On::Machine(machine)) = on(machine) else { unreachable!() };
        facts.request.machines.push(machine);
        let mut findings = checks::judge(&facts).findings.into_iter();
        findings.find(|finding| finding.id == "predict.minor-version").unwrap().cause
    };
    assert!(cause("gpu=H100,driver=700.10").contains("13.2 may be newer than the driver's"));
    assert!(cause("gpu=H100,driver=580.65.06").contains("13.2 is newer than the driver's"));
}

#[test]
fn what_the_image_requires() {
    let requires = |variables: &[(&str, &str)]| {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        let requirements =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        facts.image = Some(Image { requirements, ..Image::default() });
        on_machine(facts, "gpu=RTX 4090,cuda=12.4")
            .into_iter()
            .filter(|id| id != "predict.no-code")
            .collect::<Vec<_>>()
    };
    let (name, none) = ("NVIDIA_REQUIRE_CUDA", Vec::<String>::new());
    assert_eq!(requires(&[(name, "cuda>=12.4 brand=tesla,driver>=470")]), none);
    assert_eq!(requires(&[(name, "cuda>=12.6 brand=tesla,driver>=470")]), ["predict.requirement"]);
    assert_eq!(requires(&[(name, "cuda>=12.6 brand=nvidia")]), ["predict.unknown"]);
    for value in ["1", "t", "T", "TRUE", "true", "True"] {
        assert_eq!(requires(&[(name, "cuda>=12.6"), ("NVIDIA_DISABLE_REQUIRE", value)]), none, "{value}");
    }
    for value in ["", "0", "yes", "tRUE"] {
        let found = requires(&[(name, "cuda>=12.6"), ("NVIDIA_DISABLE_REQUIRE", value)]);
        assert_eq!(found, ["predict.requirement"], "{value}");
    }
    assert_eq!(requires(&[("NVIDIA_REQUIRE_JETPACK", "csv-mounts=all")]), none);
    assert_eq!(requires(&[("NVIDIA_REQUIRE_JETPACK_HOST_MOUNTS", "base-only")]), none);
}

#[test]
fn findings_name_their_machine_and_can_be_accepted() {
    let mut facts = image(&["sm_80"], Some("12.4.127"));
    for machine in ["gpu=H100,cuda=12.4", "gpu=A100,cuda=12.2"] {
        let Ok(On::Machine(machine)) = on(machine) else { unreachable!() };
        facts.request.machines.push(machine);
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
    let Ok(On::Machine(machine)) = on(machine) else { panic!("{machine}") };
    facts.request.machines.push(machine);
    let judgement = checks::judge(&facts);
    let words = judgement.machines[0].answers.iter().map(|answer| answer.words.clone()).collect();
    let of_machine = judgement.findings.into_iter().filter(|finding| finding.machine.is_some());
    (words, of_machine.map(|finding| (finding.id, finding.cause)).collect())
}

#[test]
fn answers_in_words() {
    let torch12 = || image(&["sm_80", "sm_90"], Some("12.4.127"));
    for (facts, machine, words, causes) in [
        (torch12(), "gpu=H100,driver=550.54.15", ["sm_90", "12.4 on 12.4", "yes", "any", "none"], vec![]),
        (
            torch12(),
            "gpu=RTX 5090,driver=535.104.05,open-module=no",
            ["none", "12.4 on 12.2", "no, too new", "closed", "none"],
            vec![
                "sm_120 needs a driver for CUDA 12.8 or newer.".to_owned(),
                "sm_120 works only with the open kernel module; the machine has the closed one.".to_owned(),
                format!("{TORCH} has neither code for sm_120 nor PTX that runs on it."),
                "The image's CUDA 12.4 is newer than the driver's, of the same major version.".to_owned(),
            ],
        ),
        (
            image(&["compute_80"], Some("12.4.127")),
            "gpu=H100,driver=535.104.05",
            ["PTX compute_80, too new", "12.4 on 12.2", "yes", "any", "none"],
            vec![
                format!("{TORCH} has only PTX for sm_90, which is newer than the driver."),
                "The image's CUDA 12.4 is newer than the driver's, of the same major version.".to_owned(),
            ],
        ),
        (
            image(&["sm_75"], Some("13.0.48")),
            "gpu=V100,driver=590.44.01,open-module=yes",
            ["dropped", "13.0 on 13.1", "no, too old", "open", "none"],
            vec![
                "Driver 580 is the last branch that supports sm_70.".to_owned(),
                "The open kernel module supports GPUs since sm_75; this one is sm_70.".to_owned(),
                format!("{TORCH} has no code for sm_70: CUDA 13.0 supports GPUs since sm_75."),
            ],
        ),
    ] {
        let (seen, findings) = predicted(facts, machine);
        assert_eq!(seen, words, "{machine}");
        let seen: Vec<String> = findings.into_iter().map(|(_, cause)| cause).collect();
        assert_eq!(seen, causes, "{machine}");
    }
}

#[test]
fn an_answer_names_the_checks_that_failed_on_it() {
    let mut facts = image(&["compute_80"], None);
    let Ok(On::Machine(machine)) = on("gpu=H100,driver=390.10") else { panic!() };
    facts.request.machines.push(machine);
    let machines = checks::judge(&facts).machines;
    let checks: Vec<&[&str]> = machines[0].answers.iter().map(|answer| answer.checks.as_slice()).collect();
    let unknown: &[&str] = &["predict.unknown"];
    assert_eq!(checks, [unknown, unknown, unknown, &[], &[]]);
}

#[test]
fn findings_locate_the_files_that_they_are_about() {
    let mut facts = image(&["sm_80"], Some("12.4.127"));
    let Ok(On::Machine(machine)) = on("gpu=H100,driver=470.256.02") else { panic!() };
    facts.request.machines.push(machine);
    let findings = checks::judge(&facts).findings;
    let of = |id: &str| findings.iter().find(|finding| finding.id == id).unwrap();
    let paths =
        |id: &str| -> Vec<&str> { of(id).evidence.iter().filter_map(|line| line.path.as_deref()).collect() };
    assert_eq!(of("predict.no-code").path.as_deref(), Some(TORCH));
    assert_eq!(paths("predict.no-code"), [TORCH]);
    assert_eq!(paths("predict.driver-too-old"), ["/site/nvidia/libcudart.so.12"]);
}

#[test]
fn a_compatibility_driver_in_words() {
    let path = "/usr/local/cuda-13.1/compat/libcuda.so.590.44.01";
    let facts = || {
        let mut facts = image(&["sm_90"], Some("13.1.80"));
        let mut compat = copy("libcuda", path, "590.44.01");
        compat.forward = Some(Forward { cuda: Some("13.1".into()), drivers: vec![535, 550] });
        facts.census.copies.push(compat);
        facts
    };
    let (words, findings) = predicted(facts(), "gpu=H100,driver=535.104.05");
    assert_eq!(words[1], "13.1 on 12.2, compat");
    let cause =
        "The image works here with its own driver 590.44.01. The container runtime has to put it first.";
    assert_eq!(findings, [("predict.compat".to_owned(), cause.to_owned())]);
    let mut refused = facts();
    let Ok(On::Machine(machine)) = on("gpu=H100,driver=565.57.01") else { panic!() };
    refused.request.machines.push(machine);
    let findings = checks::judge(&refused).findings;
    let too_old = findings.iter().find(|finding| finding.id == "predict.driver-too-old").unwrap();
    let evidence: Vec<&str> = too_old.evidence.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        evidence,
        [
            "driver 565.57.01 supports CUDA 12.7",
            "/site/nvidia/libcudart.so.13: CUDA 13.1",
            "The image's driver 590.44.01 can replace drivers 535, 550, but not 565."
        ]
    );
}

#[test]
fn all_variables_that_are_not_met_are_evidence() {
    let mut facts = image(&["sm_90"], Some("12.4.127"));
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let requirements = vec![
        variable("NVIDIA_REQUIRE_CUDA", "cuda>=12.6"),
        variable("NVIDIA_REQUIRE_DRIVER", "driver>=570"),
        variable("NVIDIA_REQUIRE_ARCH", "arch>=8.0"),
    ];
    facts.image = Some(Image { requirements, ..Image::default() });
    let Ok(On::Machine(machine)) = on("gpu=H100,driver=550.54.15") else { panic!() };
    facts.request.machines.push(machine);
    let findings = checks::judge(&facts).findings;
    let found = findings.iter().find(|finding| finding.id == "predict.requirement").unwrap();
    let evidence: Vec<&str> = found.evidence.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        evidence,
        [
            "driver 550.54.15 supports CUDA 12.4",
            "NVIDIA_REQUIRE_CUDA=cuda>=12.6",
            "NVIDIA_REQUIRE_DRIVER=driver>=570"
        ]
    );
}
