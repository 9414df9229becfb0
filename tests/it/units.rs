//! The probe's unit tests: it is another program, behind a feature, and its tests run the same way.

use std::process::Command;

use crate::util::SOURCE;

#[test]
fn the_probes_own_tests_pass() {
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
