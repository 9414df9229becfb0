//! Why there is no GPU: each reason in a root that is made for it, the right one first.

use std::fs;
use std::process::Command;

use crate::util::{Root, finding, ids, is_root, text, without_times};

/// A character device of NVIDIA's major number that no driver answers. False where it cannot be made.
fn with_node(root: &Root, name: &str, minor: &str, mode: &str) -> bool {
    let path = root.path(&format!("/dev/{name}"));
    let made = Command::new("mknod").arg("-m").arg(mode).arg(&path).args(["c", "195", minor]).status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        crate::util::skip("device nodes can be made by root alone");
    }
    made
}

/// Takes back the stand-ins of a fake machine.
fn without_nodes(root: &mut Root) {
    root.prepare =
        root.prepare.lines().filter(|line| !line.contains("/dev/")).map(|line| format!("{line}\n")).collect();
    for node in ["nvidiactl", "nvidia-uvm", "nvidia0"] {
        fs::remove_file(root.path(&format!("/dev/{node}"))).unwrap();
    }
}

#[test]
fn no_driver_on_the_machine() {
    let root = Root::glibc();
    let (report, status) = root.report(&[]);
    assert_eq!(
        (status, ids(&report)[0], &report["verdict"]),
        (1, "launch.driver-not-loaded", &"failed".into())
    );
    let explained = &finding(&report, "launch.driver-not-loaded")["explains"];
    assert!(explained.as_array().unwrap().contains(&"driver.load".into()), "{explained}");
    assert_eq!(ids(&report).len(), 1, "consequences are folded: {:?}", ids(&report));
    let human = root.run(&[]);
    insta::assert_snapshot!("no_driver", without_times(&text(&human.stdout)));
}

#[test]
fn a_driver_on_the_host_and_no_gpu_requested() {
    let mut root = Root::glibc();
    root.give_module();
    let (report, status) = root.report(&[]);
    assert_eq!((status, ids(&report)), (1, vec!["launch.not-requested"]));
    assert!(
        finding(&report, "launch.not-requested")["remedy"]
            .as_str()
            .unwrap()
            .starts_with("docker run --gpus all")
    );
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
fn libcuda_was_not_given_to_the_container() {
    let mut root = Root::glibc();
    root.give_module();
    root.set("NVIDIA_DRIVER_CAPABILITIES", "utility");
    if !with_node(&root, "nvidia-modeset", "254", "0666") {
        return;
    }
    let (report, status) = root.report(&[]);
    assert_eq!((status, ids(&report)[0]), (1, "launch.libcuda-missing"));
    assert!(
        finding(&report, "launch.libcuda-missing")["evidence"]
            .to_string()
            .contains("NVIDIA_DRIVER_CAPABILITIES=utility")
    );
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
    assert!(stub["evidence"].to_string().contains("LD_LIBRARY_PATH"), "{stub}");
}

#[test]
fn nothing_but_the_binary() {
    let root = Root::empty();
    let (report, status) = root.report(&[]);
    assert_eq!(status, 1);
    assert!(ids(&report).contains(&"image.no-glibc"), "{:?}", ids(&report));
    assert!(
        finding(&report, "image.no-glibc")["cause"]
            .as_str()
            .unwrap()
            .contains("no loader for dynamic programs")
    );
    assert_eq!(report["image"]["root"], "/", "the libraries are listed all the same");
}

#[test]
fn an_image_on_musl() {
    let root = Root::empty();
    root.write("/lib/ld-musl-x86_64.so.1", b"not glibc");
    let mut root = root;
    root.give_module();
    let (report, status) = root.report(&[]);
    assert_eq!(status, 1);
    let cause = finding(&report, "image.no-glibc")["cause"].as_str().unwrap();
    assert!(cause.contains("built on musl"), "{cause}");
}

#[test]
fn device_nodes_that_no_driver_answers() {
    let mut root = Root::machine("nvmlInit_v2 = 999\ncuInit = 999");
    without_nodes(&mut root);
    if !with_node(&root, "nvidiactl", "255", "0666") {
        return;
    }
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!((status, ids(&report)[0]), (1, "launch.node-dead"));
    let denied = finding(&report, "launch.node-dead");
    assert!(denied["evidence"].to_string().contains("open /dev/nvidiactl: "), "{denied}");
    assert!(
        denied["explains"].to_string().contains("driver.init"),
        "cuInit's error is a consequence: {denied}"
    );
}

#[test]
fn device_nodes_of_another_group() {
    if !is_root() {
        crate::util::skip("another user can be had by root alone");
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
    assert!(
        denied["cause"].as_str().unwrap().contains("User 65534 may not open /dev/nvidiactl (mode 0660"),
        "{denied}"
    );
    assert!(denied["evidence"].to_string().contains("EACCES (13)"), "{denied}");
    assert!(denied["remedy"].as_str().unwrap().contains("--group-add 0"), "{denied}");
}

#[test]
fn driver_libraries_in_the_image() {
    let root = Root::machine("gpus = 1");
    // A container, by its own mark, into which nothing is mounted: the libraries are the image's.
    root.write("/.dockerenv", b"");
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!(status, 0, "it works all the same");
    let baked = finding(&report, "image.driver-baked-in");
    assert_eq!(baked["severity"], "warning");
    assert!(baked["evidence"].to_string().contains("/usr/lib/libcuda.so.1"), "{baked}");
    assert!(baked["evidence"].to_string().contains("550.54.15"), "{baked}");
}

#[test]
fn libraries_that_are_mounted_are_injected() {
    let mut root = Root::machine("gpus = 1");
    root.write("/.dockerenv", b"");
    root.prepare += "mount --bind $R/usr/lib/libcuda.so.1 $R/usr/lib/libcuda.so.1\n\
        mount --bind $R/usr/lib/libnvidia-ml.so.1 $R/usr/lib/libnvidia-ml.so.1\n";
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
    assert!(empty["remedy"].as_str().unwrap().contains("rm /usr/lib/libcuda.so.550.54.15"), "{empty}");
}
