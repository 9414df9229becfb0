//! Ways to start the probe, with some of them blocked or with fewer rights.

use crate::util::{READ_ONLY, Root, ids, is_root, skip};

fn verified(root: &Root, what: &str) {
    let (report, status) = root.report(&[]);
    assert_eq!((status, &report["verdict"]), (0, &"verified".into()), "{what}: {report:#}");
}

const SCRIPT: &str = "sms = 2";

#[test]
fn a_read_only_root() {
    let mut root = Root::machine(SCRIPT);
    root.prepare += READ_ONLY;
    verified(&root, "read-only");
}

#[test]
fn an_unprivileged_user() {
    if !is_root() {
        skip("only root can switch users");
        return;
    }
    let mut root = Root::machine(SCRIPT);
    root.user = Some("65534:65534".into());
    verified(&root, "uid 65534");
}

#[test]
fn memfds_that_may_not_be_executed() {
    if !std::path::Path::new("/proc/sys/vm/memfd_noexec").exists() || !is_root() {
        skip("vm.memfd_noexec does not exist, or only root can set it");
        return;
    }
    // The setting belongs to the PID namespace, so the host is not affected.
    let mut root = Root::machine(SCRIPT);
    root.prepare += "echo 2 > $R/proc/sys/vm/memfd_noexec\n";
    verified(&root, "a file in /tmp");
    root.prepare += READ_ONLY;
    verified(&root, "the loader, because nothing is writable");
}

#[test]
fn without_proc_a_temporary_file_is_executed() {
    let mut root = Root::machine(SCRIPT);
    root.prepare += "umount -R $R/proc\n";
    verified(&root, "no /proc");
}

#[test]
fn if_no_way_works_the_verdict_is_undecided() {
    let mut root = Root::machine(SCRIPT);
    // A memfd and the loader need /proc, a temporary file needs a writable directory.
    root.prepare += "umount -R $R/proc\n";
    root.prepare += READ_ONLY;
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!((status, ids(&report)[0]), (3, "probe.not-started"), "{report:#}");
    let tried = report["findings"][0]["evidence"].as_array().unwrap();
    assert!(tried.len() >= 3, "one line for each way: {tried:?}");
}

#[test]
fn a_loader_that_fails_is_reported() {
    let root = Root::machine(SCRIPT);
    // A program in place of the loader: it exits without loading the probe.
    let loader = root.path("/lib64/ld-linux-x86-64.so.2");
    std::fs::remove_file(&loader).unwrap();
    std::fs::copy("/bin/false", &loader).unwrap();
    let (report, status) = root.report(&["--level", "driver"]);
    assert_eq!((status, ids(&report)[0]), (3, "probe.not-loaded"), "{report:#}");
}
