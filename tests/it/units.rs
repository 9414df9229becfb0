//! The probe's unit tests. The probe is a dynamic program behind a feature, so a plain `cargo test` does not run them.

use std::process::Command;

use crate::util::SOURCE;

#[test]
fn unit_tests_of_the_probe_pass() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe-tests");
    let output = Command::new(env!("CARGO"))
        .current_dir(SOURCE)
        .args(["test", "-p=cudacheck-probe", "--features=program", "--target-dir"])
        .arg(directory)
        .env("CARGO_ENCODED_RUSTFLAGS", "")
        .output()
        .unwrap();
    let text = crate::util::text(&output.stdout) + &crate::util::text(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("test result: ok."), "{text}");
}
