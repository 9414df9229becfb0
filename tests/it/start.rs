//! The ways of starting the probe, where some of them are refused, and rights that are taken away.

use crate::util::{READ_ONLY, Root, ids, is_root};

fn verified(root: &Root, what: &str) {
    let (report, status) = root.report(&[]);
    assert_eq!((status, &report["verdict"]), (0, &"verified".into()), "{what}: {report:#}");
}

const SCRIPT: &str = "sms = 2";

#[test]
fn a_root_that_cannot_be_written() {
    let mut root = Root::machine(SCRIPT);
    root.prepare += READ_ONLY;
    verified(&root, "read-only");
}

#[test]
fn another_user_without_rights() {
    if !is_root() {
        crate::util::skip("another user can be had by root alone");
        return;
    }
    let mut root = Root::machine(SCRIPT);
    root.user = Some("65534:65534".into());
    verified(&root, "uid 65534");
}

#[test]
fn memory_files_that_may_not_be_executed() {
    if !std::path::Path::new("/proc/sys/vm/memfd_noexec").exists() || !is_root() {
        crate::util::skip("vm.memfd_noexec is not here, or only root can set it");
        return;
    }
    // The setting belongs to the PID namespace, so nothing outside changes.
    let mut root = Root::machine(SCRIPT);
    root.prepare += "echo 2 > $R/proc/sys/vm/memfd_noexec\n";
    verified(&root, "a file in /tmp");
    root.prepare += READ_ONLY;
    verified(&root, "the loader, with nothing writable");
}

#[test]
fn without_proc_a_file_is_executed() {
    let mut root = Root::machine(SCRIPT);
    root.prepare += "umount -R $R/proc\n";
    verified(&root, "no /proc");
}

#[test]
fn without_any_way_it_is_undecided() {
    let mut root = Root::machine(SCRIPT);
    // No /proc for memory files and the loader, nothing to write for a file.
    root.prepare += "umount -R $R/proc\n";
    root.prepare += READ_ONLY;
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!((status, ids(&report)[0]), (3, "probe.not-started"), "{report:#}");
    let evidence = report["findings"][0]["evidence"].to_string();
    for way in ["from memory: ", "from a file: ", "through the loader: "] {
        assert!(evidence.contains(way), "{evidence}");
    }
}

#[test]
fn a_loader_that_is_too_old_is_told() {
    let root = Root::machine(SCRIPT);
    // A loader of this name that is no such thing: it says so and ends.
    let loader = root.path("/lib64/ld-linux-x86-64.so.2");
    std::fs::remove_file(&loader).unwrap();
    std::fs::copy("/bin/false", &loader).unwrap();
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!((status, ids(&report)[0]), (3, "probe.not-loaded"), "{report:#}");
}
