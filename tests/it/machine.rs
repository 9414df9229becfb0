//! A fake machine: the main command on one GPU and on eight, and each fault reported.
//!
//! Fakes show how faults are reported. They do not prove that anything works on hardware.

use serde_json::{Value, json};

use crate::util::{Root, action, evidence, finding, ids, stage, text, timed, without_times};

fn gpu(report: &Value, ordinal: usize) -> &Value {
    &report["gpus"][ordinal]
}

fn states(report: &Value) -> Vec<&str> {
    report["gpus"].as_array().unwrap().iter().map(|gpu| gpu["state"].as_str().unwrap()).collect()
}

/// Eight GPUs with few SMs, which keeps timed GEMMs small.
const EIGHT: &str = "gpus = 8\nsms = 2\n";

#[test]
fn one_gpu_is_verified_at_every_level() {
    let root = Root::machine("gpus = 1\nsms = 2");
    let (report, status) = root.report(&[]);
    assert_eq!(
        (status, &report["verdict"], &report["level"]),
        (0, &"verified".into(), &"gemm".into()),
        "{report:#}"
    );
    let first = gpu(&report, 0);
    assert_eq!(first["uuid"], "GPU-00000000-0000-0000-0000-000000000000");
    assert_eq!((&first["smoke"]["sms_covered"], &first["smoke"]["sms_present"]), (&2.into(), &2.into()));
    assert_eq!(first["smoke"]["cooperative"], true);
    assert_eq!(first["health"]["memory_total"], 85_899_345_920u64);
    assert_eq!(first["runtime"]["version"], 12040);
    assert_eq!(first["cupti"]["kernels"], json!(["cudacheck_smoke"]));
    assert_eq!(first["cupti"]["counters"], true);
    let formats: Vec<&str> =
        first["gemm"].as_array().unwrap().iter().map(|case| case["format"].as_str().unwrap()).collect();
    for format in ["f32", "tf32", "f16/f32", "bf16/f32", "f16", "bf16"] {
        assert!(formats.contains(&format), "{format} in {formats:?}");
    }
    assert!(first["gemm"].as_array().unwrap().iter().all(|case| case["verdict"] == "exact"), "{first:#}");
    assert_eq!(first["speed"].as_array().unwrap().len(), 4);
    assert_eq!(first["speed"][0]["peak_share"], Value::Null, "a GPU that is not in the table has no peak");
    let context = stage(&report, "context", Some(0));
    assert_eq!(context["gpu"]["uuid"], first["uuid"], "{context}");
    for stage in
        ["load-driver", "driver-init", "context", "jit", "launch", "runtime", "gemm", "gemm-timing", "cupti"]
    {
        let timed = self::stage(&report, stage, None);
        assert_eq!(timed["outcome"], "passed", "{timed}");
    }
    let loaded: Vec<&str> =
        report["loaded"].as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    assert_eq!(
        loaded,
        [
            "/usr/lib/libnvidia-ml.so.1",
            "/usr/lib/libcuda.so.1",
            "/usr/lib/libcudart.so.12",
            "/usr/lib/libcublas.so.12",
            "/usr/lib/libcupti.so.12"
        ]
    );
}

#[test]
fn the_human_report_is_as_recorded() {
    let root = Root::machine("gpus = 2\nsms = 2\ngpu.1.bad_sm = 1");
    let output = root.run(&["--level", "smoke"]);
    insta::assert_snapshot!("one_bad_sm", without_times(&text(&output.stdout)));
}

#[test]
fn each_level_ends_with_its_own_stage() {
    let root = Root::machine("gpus = 1\nsms = 2");
    for (level, last) in
        [("nvml", "nvml-device"), ("driver", "enumerate"), ("smoke", "launch"), ("gemm", "cupti")]
    {
        let (report, status) = root.report(&["--level", level]);
        assert_eq!((status, &report["level"]), (0, &level.into()), "{report:#}");
        assert_eq!(stage(&report, last, None)["outcome"], "passed", "{level}");
        let order = ["nvml-device", "enumerate", "launch", "cupti"];
        for deeper in order.iter().skip_while(|name| **name != last).skip(1) {
            assert!(!report["stages"].to_string().contains(&format!("\"{deeper}\"")), "{level}: {deeper}");
        }
    }
    let (report, status) = root.report(&["--level", "image"]);
    assert_eq!((status, report["stages"].as_array().unwrap().len()), (0, 0), "level image runs nothing");
}

#[test]
fn eight_gpus_are_verified() {
    let (report, status) = Root::machine(EIGHT).report(&[]);
    assert_eq!(status, 0, "{report:#}");
    assert_eq!(states(&report), ["verified"; 8]);
}

#[test]
fn one_bad_sm_is_reported_and_the_other_seven_gpus_are_verified() {
    let (report, status) = Root::machine(&format!("{EIGHT}gpu.5.bad_sm = 1")).report(&["--level", "smoke"]);
    assert_eq!((status, ids(&report)[0]), (1, "device.wrong-results"));
    let wrong = finding(&report, "device.wrong-results");
    assert_eq!(
        wrong["gpu"],
        json!({
            "ordinal": 5, "index": 5, "uuid": "GPU-00000000-0000-0000-0000-000000000005", "mig": false,
        })
    );
    assert_eq!(action(wrong), ("node", "host"));
    assert_eq!(gpu(&report, 5)["smoke"]["sms_wrong"], json!([1]));
    assert!(wrong["cause"].as_str().unwrap().contains("SM 1"), "{wrong}");
    let expected: Vec<&str> = (0..8).map(|gpu| if gpu == 5 { "failed" } else { "verified" }).collect();
    assert_eq!(states(&report), expected);
}

#[test]
fn one_wrong_element_is_reported() {
    let (report, status) = Root::machine(&format!("{EIGHT}gpu.2.wrong_gemm = 1000")).report(&[]);
    assert_eq!((status, ids(&report)[0]), (1, "math.gemm-wrong"));
    let wrong = finding(&report, "math.gemm-wrong");
    assert_eq!(wrong["gpu"]["ordinal"], 2);
    // Element 1000 of columns of 192 rows.
    assert!(wrong["cause"].as_str().unwrap().contains("C[40, 5] = "), "{wrong}");
    assert_eq!(gpu(&report, 2)["level"], "smoke");
    assert_eq!(states(&report).iter().filter(|state| **state == "verified").count(), 7);
}

#[test]
fn one_lost_gpu_is_reported() {
    let (report, status) = Root::machine(&format!("{EIGHT}gpu.3.lost = 1")).report(&["--level", "smoke"]);
    assert_eq!(status, 1);
    let lost = finding(&report, "driver.gpu-lost");
    assert_eq!(lost["gpu"]["index"], 3);
    assert!(lost["cause"].as_str().unwrap().contains("returned 15"), "{lost}");
    assert_eq!(states(&report).iter().filter(|state| **state == "verified").count(), 7);
    assert_eq!(states(&report)[3], "failed");
}

#[test]
fn one_hung_gpu_is_reported_and_the_others_are_verified() {
    for call in ["cuDevicePrimaryCtxRetain", "nvmlDeviceGetTemperature"] {
        let root = Root::machine(&format!("{EIGHT}gpu.6.{call} = hang"));
        let ((report, status), time) = timed(|| root.report(&["--level", "smoke", "--timeout", "4s"]));
        assert_eq!((status, ids(&report)[0]), (1, "probe.hung"), "{call}");
        let hung = finding(&report, "probe.hung");
        assert!(hung["gpu"]["ordinal"] == 6 || hung["gpu"]["index"] == 6, "{call}: {hung}");
        assert!(hung["cause"].as_str().unwrap().contains(&format!("{call} did not return")), "{hung}");
        assert_eq!(states(&report).iter().filter(|state| **state == "verified").count(), 7, "{call}");
        assert!(time.as_secs_f64() < 4.6, "{call}: back after {time:?}");
    }
}

#[test]
fn eight_slow_gpus_take_little_longer_than_one() {
    let delays = "sms = 2\nnvmlDeviceGetName = sleep:150\ncuDevicePrimaryCtxRetain = sleep:400\ncuModuleLoadDataEx = sleep:400\n";
    let run = |gpus: u32| {
        let root = Root::machine(&format!("gpus = {gpus}\n{delays}"));
        timed(|| assert_eq!(root.report(&["--level", "smoke"]).1, 0)).1
    };
    let (one, eight) = (run(1), run(8));
    assert!(eight.as_secs_f64() < 1.5 * one.as_secs_f64(), "one {one:?}, eight {eight:?}");
}

#[test]
fn an_sm_that_ran_no_block_is_undecided() {
    let (report, status) =
        Root::machine("sms = 4\nhide_sm = 2\ncuLaunchCooperativeKernel = 801").report(&["--level", "smoke"]);
    assert_eq!((status, &report["verdict"]), (3, &"undecided".into()));
    let smoke = &gpu(&report, 0)["smoke"];
    assert_eq!((&smoke["sms_covered"], &smoke["sms_present"]), (&3.into(), &4.into()));
    assert_eq!(finding(&report, "device.unseen")["severity"], "unknown");
}

#[test]
fn sm_ids_may_have_gaps() {
    let (report, status) = Root::machine("sms = 4\nnsmid_gap = 1").report(&["--level", "smoke"]);
    assert_eq!((status, &gpu(&report, 0)["smoke"]["sms_covered"]), (0, &4.into()));
}

#[test]
fn a_busy_gpu_is_no_fault() {
    for script in ["compute_mode = 3\nused_by = 1", "free_mib = 200", "cuDevicePrimaryCtxRetain = 2"] {
        let (report, status) = Root::machine(script).report(&[]);
        assert_eq!((status, &report["verdict"]), (0, &"verified".into()), "{script}: {report:#}");
        assert_eq!((states(&report), &report["level"]), (vec!["busy"], &"driver".into()), "{script}");
        let busy = finding(&report, "device.busy");
        assert_eq!((busy["severity"].as_str(), action(busy)), (Some("note"), ("nobody", "wait")));
        assert_eq!(busy["gpu"]["ordinal"], 0, "{script}");
        assert!(!report["stages"].to_string().contains("\"jit\""), "no context was created: {script}");
    }
}

#[test]
fn a_prohibited_compute_mode_is_a_fault() {
    let (report, status) = Root::machine("compute_mode = 2").report(&[]);
    assert_eq!((status, ids(&report)[0]), (1, "device.context"));
    assert!(finding(&report, "device.context")["remedy"].as_str().unwrap().contains("nvidia-smi -c 0"));
}

#[test]
fn a_gpu_without_free_memory_is_busy() {
    for script in ["cublasCreate_v2 = 3", "cudaMalloc = 2"] {
        let (report, status) = Root::machine(&format!("sms = 2\n{script}")).report(&[]);
        assert_eq!((status, states(&report)), (0, vec!["busy"]), "{script}: {:?}", ids(&report));
    }
}

#[test]
fn a_gpu_of_another_container_is_no_fault() {
    let script = "gpus = 2\nsms = 2\ngpu.1.nvmlDeviceGetHandleByIndex_v2 = 4";
    let mut root = Root::machine(script);
    root.set("CUDA_VISIBLE_DEVICES", "0");
    let (report, status) = root.report(&["--level", "smoke"]);
    assert_eq!((status, states(&report)), (0, vec!["verified"]), "{report:#}");
}

#[test]
fn a_fault_of_a_hidden_gpu_does_not_fail_the_visible_one() {
    let mut root = Root::machine("gpus = 2\nsms = 2\ngpu.0.remap_failed = 1");
    root.set("CUDA_VISIBLE_DEVICES", "1");
    let (report, status) = root.report(&["--level", "smoke"]);
    assert_eq!((status, states(&report)), (0, vec!["verified", "seen"]), "{:?}", ids(&report));
}

#[test]
fn an_unknown_error_code_is_shown_as_a_number() {
    for call in [
        "cuInit",
        "cuDeviceGetCount",
        "cuDevicePrimaryCtxRetain",
        "cuMemAlloc_v2",
        "cuCtxSynchronize",
        "cuMemcpyDtoH_v2",
    ] {
        let (report, status) = Root::machine(&format!("{call} = 4242")).report(&["--level", "smoke"]);
        assert_eq!(status, 1, "{call}");
        let cause = report["findings"][0]["cause"].as_str().unwrap();
        assert!(cause.contains(&format!("{call} returned 4242")), "{cause}");
    }
    for (call, id) in [
        ("cublasCreate_v2", "math.cublas-init"),
        ("cublasGemmEx", "math.gemm-failed"),
        ("cudaMalloc", "math.runtime-failed"),
        ("cuptiActivityEnable", "math.cupti-failed"),
        ("nvmlInit_v2", "driver.nvml"),
    ] {
        let (report, _) = Root::machine(&format!("sms = 2\n{call} = 4242")).report(&[]);
        assert!(finding(&report, id)["cause"].as_str().unwrap().contains("4242"), "{call}: {report:#}");
    }
}

#[test]
fn a_field_that_nvml_refuses_is_unavailable_and_never_zero() {
    let script = "nvmlDeviceGetEccMode = 3\nnvmlDeviceGetTotalEccErrors = 3\nnvmlDeviceGetTemperature = 4242\nnvmlDeviceGetRemappedRows = 3";
    let (report, status) = Root::machine(script).report(&["--level", "nvml"]);
    assert_eq!(status, 0);
    let health = &gpu(&report, 0)["health"];
    for field in ["ecc_enabled", "ecc_uncorrected", "temperature", "remapped_rows"] {
        assert!(health[field]["unavailable"].is_string(), "{field}: {}", health[field]);
    }
    assert!(health["temperature"]["unavailable"].as_str().unwrap().contains("4242"), "{health}");
    assert!(health["ecc_enabled"]["unavailable"].as_str().unwrap().contains('3'), "{health}");
}

#[test]
fn hardware_faults_are_reported() {
    let cases = [
        ("ecc_uncorrected = 7", "device.ecc", "7", 0),
        ("remap_pending = 1", "device.reset-pending", "reset", 0),
        ("remap_failed = 1", "device.row-remap", "failed", 1),
        ("throttle = 0x40", "device.throttled", "thermal", 0),
        ("memory_temperature = 96", "device.memory-temperature", "96", 0),
        ("fabric_state = 2", "device.fabric", "progress", 0),
    ];
    for (script, id, words, expected) in cases {
        let (report, status) = Root::machine(script).report(&["--level", "nvml"]);
        assert_eq!(status, expected, "{script}");
        let found = finding(&report, id);
        assert_eq!(found["gpu"]["uuid"], "GPU-00000000-0000-0000-0000-000000000000", "{script}");
        assert!(found["cause"].as_str().unwrap().contains(words), "{script}: {found}");
    }
}

#[test]
fn mig_instances_are_listed_and_verified() {
    let (report, status) = Root::machine("mig = 2\nsms = 2").report(&[]);
    assert_eq!(status, 0, "{report:#}");
    let first = gpu(&report, 0);
    assert!(first["uuid"].as_str().unwrap().starts_with("MIG-"), "{}", first["uuid"]);
    assert_eq!(first["mig"], true);
    assert_eq!(first["health"]["mig_devices"].as_array().unwrap().len(), 2);
}

#[test]
fn without_nvml_cuda_is_verified_with_a_warning() {
    let root = Root::machine("sms = 2");
    std::fs::remove_file(root.path("/usr/lib/libnvidia-ml.so.1")).unwrap();
    let (report, status) = root.report(&["--level", "smoke"]);
    assert_eq!((status, finding(&report, "driver.nvml")["severity"].as_str()), (0, Some("warning")));
    let root = Root::machine("sms = 2\nnvmlDeviceGetName = segv");
    let (report, status) = root.report(&["--level", "smoke"]);
    assert_eq!(status, 1, "a crash is reported, and CUDA is still exercised: {report:#}");
    assert!(finding(&report, "probe.crashed")["cause"].as_str().unwrap().contains("SIGSEGV"));
    assert_eq!(gpu(&report, 0)["level"], "smoke");
}

#[test]
fn hidden_gpus() {
    let mut root = Root::machine("gpus = 2");
    root.set("CUDA_VISIBLE_DEVICES", "7");
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!((status, ids(&report)[0]), (1, "launch.visible-devices"));
    let init = finding(&report, "launch.visible-devices");
    assert!(evidence(init).contains("CUDA_VISIBLE_DEVICES=7"), "{init}");
    assert_eq!(action(init), ("launch", "recreate"));
    assert!(init["remedy"].as_str().unwrap().contains("CUDA_VISIBLE_DEVICES"), "{init}");
    let mut root = Root::machine("gpus = 3\nsms = 2");
    root.set("CUDA_VISIBLE_DEVICES", "2");
    let (report, status) = root.report(&["--level", "smoke"]);
    assert_eq!(status, 0);
    assert_eq!(states(&report), ["verified", "seen", "seen"]);
    let first = gpu(&report, 0);
    assert_eq!((&first["ordinal"], &first["index"]), (&0.into(), &2.into()), "{first}");
    assert_eq!(first["uuid"], "GPU-00000000-0000-0000-0000-000000000002");
    assert_eq!(gpu(&report, 1)["ordinal"], Value::Null, "CUDA does not list it");
}

#[test]
fn selected_and_required_gpus() {
    let root = Root::machine(EIGHT);
    let (report, status) =
        root.report(&["--gpus", "1,GPU-00000000-0000-0000-0000-000000000003", "--level", "smoke"]);
    assert_eq!(status, 0);
    let expected: Vec<&str> =
        (0..8).map(|gpu| if gpu == 1 || gpu == 3 { "verified" } else { "seen" }).collect();
    assert_eq!(states(&report), expected);
    let (report, status) = root.report(&["--require-gpus", "9", "--level", "driver"]);
    assert_eq!((status, ids(&report)[0]), (1, "driver.too-few"));
}

#[test]
fn library_faults_are_reported() {
    let cases = [
        ("cublas_lt = 120901", "math.cublas-mixed", "120901", 1),
        ("runtime = 13000", "math.driver-too-old", "35", 1),
        ("runtime = 12060", "math.minor-version", "12.6", 0),
        ("wrong_copy = 4000", "math.copy-wrong", "4000", 1),
        ("gemm_ignores_tf32 = 1", "math.no-tf32", "FP32", 0),
        ("cupti_kernel_name_ok = 0", "math.cupti-silent", "cudacheck_smoke", 0),
        ("counters = 0", "math.counters", "35", 0),
    ];
    for (script, id, words, expected) in cases {
        let (report, status) = Root::machine(&format!("sms = 2\n{script}")).report(&[]);
        assert_eq!(status, expected, "{script}: {:?}", ids(&report));
        let found = finding(&report, id);
        assert!(found["cause"].as_str().unwrap().contains(words), "{script}: {found}");
    }
}

#[test]
fn without_cuda_libraries_the_driver_is_verified() {
    let root = Root::machine("sms = 2");
    for name in ["libcublas.so.12", "libcublasLt.so.12", "libcudart.so.12", "libcupti.so.12"] {
        std::fs::remove_file(root.path(&format!("/usr/lib/{name}"))).unwrap();
    }
    let (report, status) = root.report(&[]);
    assert_eq!((status, &report["level"]), (0, &"smoke".into()), "{:?}", ids(&report));
    assert_eq!(finding(&report, "math.absent")["severity"], "note");
}

#[test]
fn a_cublas_that_does_not_load_is_a_fault() {
    let root = Root::machine("sms = 2");
    std::fs::write(root.path("/usr/lib/libcublasLt.so.12"), b"no library").unwrap();
    let (report, status) = root.report(&[]);
    assert_eq!((status, ids(&report)[0]), (1, "math.cublas-load"));
    assert!(finding(&report, "math.cublas-load")["cause"].as_str().unwrap().contains("libcublasLt.so.12"));
    let output = root.run(&["health", "--level", "gemm"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
}

#[test]
fn a_missing_symbol_is_reported() {
    let root = Root::machine("sms = 2");
    let path = root.path("/usr/lib/libcuda.so.1");
    let mut bytes = std::fs::read(&path).unwrap();
    let name = b"\0cuCtxSynchronize\0";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at + 1] = b'x';
    std::fs::write(&path, bytes).unwrap();
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!((status, ids(&report)[0]), (1, "driver.load"));
    assert!(
        finding(&report, "driver.load")["cause"].as_str().unwrap().contains("cuCtxSynchronize"),
        "{report:#}"
    );
}

#[test]
fn health_prints_one_line_and_exits_with_0_or_1() {
    let root = Root::machine("gpus = 1");
    let output = root.run(&["health"]);
    let line = text(&output.stdout);
    assert_eq!((output.status.code(), line.lines().count()), (Some(0), 1), "{line}");
    assert!(line.starts_with("healthy: 1 GPU "), "{line}");
    let root = Root::machine("nvmlInit_v2 = 999");
    let output = root.run(&["health"]);
    let line = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(line.starts_with("unhealthy: ") && line.contains("->") && line.len() <= 4096, "{line}");
    let root = Root::machine("cuInit = hang");
    let (output, time) = timed(|| root.run(&["health", "--level", "driver", "--timeout", "1s"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("cuInit did not return"), "{}", text(&output.stdout));
    assert!(time.as_millis() < 1300, "{time:?}");
}
