//! Images and machines, each pair with what is foretold.

use super::*;
use crate::checks;
use crate::checks::Outcome;
use crate::checks::predict::CHECKS;
use crate::cli::target_machine::{On, on};
use crate::facts::Facts;
use image_audit::census::{Copy, Framework, How, User};
use image_audit::Forward;
use image_audit::fatbin::{CodeKind, DeviceCode};
use image_audit::config::Image;

const TORCH: &str = "/site/torch/lib/libtorch_cuda.so";

fn copy(library: &str, path: &str, soname: &str, version: &str) -> Copy {
    let value = serde_json::json!({
        "library": library, "path": path, "links": [], "soname": soname, "version": version, "bytes": 1,
        "origin": "wheel", "package": null, "users": [], "reached": true, "kept": false, "verdict": "used", "device_code": [],
        "forward": null,
    });
    serde_json::from_value(value).unwrap()
}

/// With a framework of that code, on that runtime.
fn image(code: &[&str], runtime: Option<&str>) -> Facts {
    let mut facts = Facts::default();
    facts.request.level = crate::model::Level::Image;
    facts.census.full = true;
    facts.census.glibc = true;
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
        let mut copy = copy("libcudart", &format!("/site/nvidia/{soname}"), &soname, version);
        copy.users.push(User { path: TORCH.into(), how: How::Needed });
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
        // A branch that nobody has heard of yet.
        ("12", torch12(), "gpu=H100,driver=700.10", &[]),
        ("13", torch13(), "gpu=H100,driver=700.10", &["predict.minor-version"]),
        ("14", image(&["sm_90"], Some("14.0.1")), "gpu=H100,driver=700.10", &["predict.unknown"]),
        ("12", torch12(), "gpu=H100,driver=390.10", &["predict.unknown", "predict.unknown"]),
        // GPUs that image, CUDA or driver do not know.
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
        // Only the CUDA is said: that of the last driver for the GPU is the bound.
        ("12", image(&["sm_70"], Some("12.4.127")), "gpu=V100,cuda=13.1", &["predict.gpu-too-old"]),
        ("12", image(&["sm_70"], Some("12.4.127")), "gpu=V100,cuda=13.0", &[]),
        ("11", image(&["sm_37"], Some("11.4.100")), "gpu=K80,cuda=12.4", &["predict.gpu-too-old"]),
        ("11", image(&["sm_37"], Some("11.4.100")), "gpu=K80,cuda=11.4", &[]),
        // The kernel module.
        ("13", torch13(), "gpu=B200,driver=590.44.01,open-module=yes", &["predict.minor-version"]),
        ("13", torch13(), "gpu=B200,cuda=13.2,open-module=no", &["predict.closed-module"]),
        ("13", torch13(), "gpu=B200,cuda=13.2", &["predict.module-not-said"]),
        (
            "12",
            image(&["sm_70"], Some("12.4.127")),
            "gpu=V100,cuda=12.4,open-module=yes",
            &["predict.open-module"],
        ),
        // PTX is compiled by a driver of its CUDA or a newer one.
        ("ptx", ptx(), "gpu=H100,driver=550.54.15", &["predict.ptx-only"]),
        ("ptx", ptx(), "gpu=H100,driver=535.104.05", &["predict.ptx-too-new", "predict.minor-version"]),
        ("ptx", ptx(), "gpu=A100,driver=535.104.05", &["predict.minor-version"]),
        ("ptx", ptx(), "gpu=H100,driver=700.10", &["predict.ptx-only"]),
        // What is not known is no pass.
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
fn without_device_code_nothing_is_promised() {
    let mut facts = image(&["sm_90"], Some("12.4.127"));
    facts.census.full = false;
    assert_eq!(on_machine(facts, "gpu=H100,driver=550.54.15"), ["predict.unknown"]);
}

#[test]
fn the_runtime_that_the_framework_uses_counts() {
    let mut facts = image(&["sm_90"], Some("12.4.127"));
    // Newer, and used by something else.
    facts.census.copies.push(copy("libcudart", "/opt/libcudart.so.13", "libcudart.so.13", "13.2.86"));
    assert!(on_machine(facts.clone(), "gpu=H100,cuda=12.4").is_empty());
    facts.census.framework = None;
    assert_eq!(on_machine(facts, "gpu=H100,cuda=12.4"), ["predict.driver-too-old"]);
    // The soname of all of CUDA 11 is no version.
    let mut facts = image(&["sm_80"], None);
    facts.census.copies.push(copy("libcudart", "/usr/lib/libcudart.so.11.0", "libcudart.so.11.0", "11.0"));
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
        let mut compat = copy("libcuda", path, "libcuda.so.1", "590.44.01");
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
        // The kernel module is still the machine's.
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

/// NVIDIA's framework images name `compat/lib` in LD_LIBRARY_PATH, which their entry point links to `lib.real`
/// where that helps.
#[test]
fn a_compatibility_driver_is_in_front_in_its_own_directory_alone() {
    let in_front = |path: &str, links: &[&str], library_path: &str| {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        let mut compat = copy("libcuda", path, "libcuda.so.1", "590.44.01");
        compat.links = links.iter().map(|link| link.to_string()).collect();
        facts.census.copies.push(compat);
        facts.census.library_path = Some(library_path.to_owned());
        compat_driver::Compat::find(&facts).unwrap().in_front
    };
    let real = "/usr/local/cuda-12.4/compat/lib.real/libcuda.so.590.44.01";
    let link = "/usr/local/cuda/compat/lib/libcuda.so.1";
    let path = "/usr/local/cuda/compat/lib:/usr/local/nvidia/lib";
    assert!(!in_front(real, &[], path));
    assert!(in_front(real, &[link], path));
    assert!(in_front(real, &[], "/opt:/usr/local/cuda-12.4/compat/lib.real/"));
    assert!(in_front(real, &[], "/usr/local/cuda-12/compat/lib.real"));
    assert!(!in_front(real, &[], "/usr/local/cuda-1/compat/lib.real:/usr/local/cuda-13.1/compat/lib.real"));
    assert!(!in_front(real, &[], "/opt/compat"));
}

#[test]
fn a_driver_that_is_newer_than_the_table_is_not_called_older() {
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
fn each_finding_names_its_machine_and_what_is_accepted_does_not_stand() {
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
    // What is wrong with the image itself is wrong on every machine.
    let mut empty = copy("libcuda", "/usr/lib/libcuda.so.550.54.15", "libcuda.so.1", "550.54.15");
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
fn all_kinds_of_problems_are_checks_of_this_family() {
    for check in CHECKS {
        assert!(check.id.starts_with("predict."), "{}", check.id);
        assert!(matches!((check.judge)(&Facts::default()), Outcome::Skip(_)), "{}", check.id);
    }
}
