//! The image's glibc is older than the driver's libraries need.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::loading::{BEYOND, message};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.glibc-too-old",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image's glibc is older than the driver's libraries need",
    why: "The driver's libraries come from the host and are linked against versions of glibc's symbols. The loader of \
          an older base image refuses them.",
    remedy: "Use a newer base: FROM debian:bookworm-slim or FROM ubuntu:24.04",
    explains: BEYOND,
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let lacks = |text: &&str| text.contains("GLIBC_") && text.contains("not found");
    let Some(text) = message(facts).filter(lacks) else { return Outcome::Pass };
    let version = text.split("GLIBC_").nth(1).unwrap_or_default();
    let version = version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    Some(Problem::new(format!("The driver's library needs glibc {version}.")).evidence(text)).into()
}
