//! Secrets: no value is shown.
//!
//! In an input, 0x01 stands for a token, which must not be in the result.

#![no_main]

use cudacheck_fuzz::{TOKEN, UNIQUE};
use image_audit::secrets::{Secret, in_environment, in_file, in_history, wants};
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 12] = [
    "/root/.netrc",
    "/etc/pip.conf",
    "/root/.docker/config.json",
    "/app/.env",
    "/root/.condarc",
    "/root/.npmrc",
    "/root/.huggingface/token",
    "/home/u/.ssh/id_rsa",
    "/etc/shadow",
    "/root/.aws/credentials",
    "/root/.git-credentials",
    "/etc/yum.repos.d/x.repo",
];

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let text = with_tokens(&String::from_utf8_lossy(data));
    let path = FILES[usize::from(*first) % FILES.len()];
    assert!(wants(path));
    if let Some(found) = in_file(path, text.as_bytes()) {
        assert_eq!(found.place, path);
    }
    let path = text.lines().next().unwrap_or_default();
    assert!(wants(path) || in_file(path, data).is_none());

    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let in_environment = in_environment(&lines);
    assert!(in_environment.len() <= lines.len());
    show_nothing(&in_environment);
    show_nothing(&in_history(&lines));
});

fn show_nothing(found: &[Secret]) {
    let shown = format!("{found:?}");
    assert!(!shown.contains(UNIQUE), "{shown}");
}

/// Puts in tokens, except next to characters that would become a part of them.
fn with_tokens(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text.chars().peekable();
    let glue = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    while let Some(next) = rest.next() {
        if next != '\x01' {
            whole.push(next);
        } else if !whole.ends_with(glue) && !rest.peek().copied().is_some_and(glue) {
            whole.push_str(TOKEN);
        }
    }
    whole
}
