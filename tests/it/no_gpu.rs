//! Reasons why there is no GPU, one root each: the right one comes first.

use std::fs;
use std::process::Command;

use crate::util::{Root, action, evidence, evidence_paths, finding, ids, is_root, skip, text, without_times};

/// Makes a device node with NVIDIA's major number, which no driver serves. False if this user cannot.
fn with_node(root: &Root, name: &str, minor: &str, mode: &str) -> bool {
    let path = root.path(&format!("/dev/{name}"));
    let made = Command::new("mknod").arg("-m").arg(mode).arg(&path).args(["c", "195", minor]).status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        skip("only root can make device nodes");
    }
    made
}

/// Removes the stand-in device nodes of a fake machine.
fn without_nodes(root: &mut Root) {
    root.prepare =
        root.prepare.lines().filter(|line| !line.contains("/dev/")).map(|line| format!("{line}\n")).collect();
    for node in ["nvidiactl", "nvidia-uvm", "nvidia0"] {
        fs::remove_file(root.path(&format!("/dev/{node}"))).unwrap();
    }
}

#[test]
fn no_driver_on_the_host() {
    let root = Root::glibc();
    let (report, status) = root.report(&[]);
    assert_eq!(
        (status, ids(&report)[0], &report["verdict"]),
        (1, "launch.driver-not-loaded", &"failed".into())
    );
    let explained = &finding(&report, "launch.driver-not-loaded")["explains"];
    assert!(explained.as_array().unwrap().contains(&"driver.load".into()), "{explained}");
    assert_eq!(ids(&report).len(), 1, "consequences are folded: {:?}", ids(&report));
    assert_eq!(action(finding(&report, "launch.driver-not-loaded")), ("node", "host"));
    let human = root.run(&[]);
    insta::assert_snapshot!("no_driver", without_times(&text(&human.stdout)));
}

#[test]
fn a_driver_on_the_host_and_no_gpu_requested() {
    let mut root = Root::glibc();
    root.give_module();
    let (report, status) = root.report(&[]);
    assert_eq!((status, ids(&report)), (1, vec!["launch.not-requested"]));
    let found = finding(&report, "launch.not-requested");
    assert_eq!(action(found), ("launch", "recreate"));
    assert!(found["remedy"].as_str().unwrap().contains("docker run --gpus all"), "{found}");
    assert_eq!(report["driver"]["module"], "550.54.15");
    let mut pod = Root::glibc();
    pod.give_module();
    pod.set("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    let (report, _) = pod.report(&[]);
    let remedy = finding(&report, "launch.not-requested")["remedy"].as_str().unwrap();
    assert!(remedy.contains("runtimeClassName: nvidia"), "{remedy}");
    assert!(!report.to_string().contains("10.0.0.1"), "the API server's address is not reported");
}

#[test]
fn libcuda_was_not_injected() {
    let mut root = Root::glibc();
    root.give_module();
    root.set("NVIDIA_DRIVER_CAPABILITIES", "utility");
    if !with_node(&root, "nvidia-modeset", "254", "0666") {
        return;
    }
    let (report, status) = root.report(&[]);
    assert_eq!((status, ids(&report)[0]), (1, "launch.libcuda-missing"));
    let missing = finding(&report, "launch.libcuda-missing");
    assert!(evidence(missing).contains("NVIDIA_DRIVER_CAPABILITIES=utility"), "{missing}");
}

#[test]
fn libcuda_is_a_stub() {
    let mut root = Root::machine("cuInit = 34");
    fs::create_dir_all(root.path("/usr/local/cuda/lib64/stubs")).unwrap();
    fs::rename(root.path("/usr/lib/libcuda.so.1"), root.path("/usr/local/cuda/lib64/stubs/libcuda.so.1"))
        .unwrap();
    root.set("LD_LIBRARY_PATH", "/usr/local/cuda/lib64/stubs");
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!(status, 1);
    let stub = finding(&report, "image.stub-libcuda");
    assert!(stub["cause"].as_str().unwrap().contains("/usr/local/cuda/lib64/stubs/libcuda.so.1"), "{stub}");
    assert!(evidence(stub).contains("LD_LIBRARY_PATH"), "{stub}");
}

#[test]
fn only_the_binary() {
    let root = Root::empty();
    let (report, status) = root.report(&[]);
    assert_eq!(status, 1);
    assert!(ids(&report).contains(&"image.no-glibc"), "{:?}", ids(&report));
    assert_eq!(action(finding(&report, "image.no-glibc")), ("image", "rebuild"));
    assert_eq!(report["image"]["root"], "/", "the image is audited all the same");
}

#[test]
fn a_musl_image() {
    let root = Root::empty();
    root.write("/lib/ld-musl-x86_64.so.1", b"not glibc");
    let mut root = root;
    root.give_module();
    let (report, status) = root.report(&[]);
    assert_eq!(status, 1);
    let cause = finding(&report, "image.no-glibc")["cause"].as_str().unwrap();
    assert!(cause.contains("musl"), "{cause}");
}

#[test]
fn device_nodes_that_no_driver_serves() {
    let mut root = Root::machine("nvmlInit_v2 = 999\ncuInit = 999");
    without_nodes(&mut root);
    if !with_node(&root, "nvidiactl", "255", "0666") {
        return;
    }
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!((status, ids(&report)[0]), (1, "launch.node-dead"));
    let dead = finding(&report, "launch.node-dead");
    assert!(evidence(dead).contains("/dev/nvidiactl: "), "{dead}");
    assert!(dead["explains"].to_string().contains("driver.init"), "cuInit's error is a consequence: {dead}");
}

#[test]
fn device_nodes_of_another_group() {
    if !is_root() {
        skip("only root can switch users");
        return;
    }
    let mut root = Root::machine("nvmlInit_v2 = 4\ncuInit = 100");
    without_nodes(&mut root);
    root.user = Some("65534:65534".into());
    if !with_node(&root, "nvidiactl", "255", "0660") {
        return;
    }
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!((status, ids(&report)[0]), (1, "launch.node-permissions"));
    let denied = finding(&report, "launch.node-permissions");
    let cause = denied["cause"].as_str().unwrap();
    for part in ["65534", "/dev/nvidiactl", "0660"] {
        assert!(cause.contains(part), "{part}: {denied}");
    }
    assert!(evidence(denied).contains("EACCES (13)"), "{denied}");
    assert!(denied["remedy"].as_str().unwrap().contains("--group-add 0"), "{denied}");
}

#[test]
fn driver_libraries_in_the_image() {
    let root = Root::machine("gpus = 1");
    // A container into which nothing is mounted: the libraries are the image's.
    root.write("/.dockerenv", b"");
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!(status, 0, "it works all the same");
    let baked = finding(&report, "image.driver-baked-in");
    assert_eq!(baked["severity"], "warning");
    assert_eq!(action(baked), ("image", "rebuild"));
    assert!(evidence_paths(baked).contains(&"/usr/lib/libcuda.so.1"), "{baked}");
    assert!(evidence(baked).contains("550.54.15"), "{baked}");
}

#[test]
fn mounted_driver_libraries_are_injected() {
    let mut root = Root::machine("gpus = 1");
    root.write("/.dockerenv", b"");
    root.prepare += "mount -n --bind $R/usr/lib/libcuda.so.1 $R/usr/lib/libcuda.so.1\n\
        mount -n --bind $R/usr/lib/libnvidia-ml.so.1 $R/usr/lib/libnvidia-ml.so.1\n";
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!(status, 0);
    assert!(!ids(&report).contains(&"image.driver-baked-in"), "{:?}", ids(&report));
    assert_eq!(report["libraries"][0]["status"], "injected");
    assert_eq!(report["libraries"][0]["copies"][0]["verdict"], "injected");
}

#[test]
fn empty_files_of_a_committed_container() {
    let root = Root::glibc();
    root.write("/usr/lib/libcuda.so.550.54.15", b"");
    let (report, _) = root.report(&["--level", "image"]);
    let empty = finding(&report, "image.driver-file-empty");
    let path = "/usr/lib/libcuda.so.550.54.15";
    assert!(empty["path"] == path || evidence_paths(empty).contains(&path), "{empty}");
    assert!(empty["remedy"].as_str().unwrap().contains(path), "{empty}");
}
