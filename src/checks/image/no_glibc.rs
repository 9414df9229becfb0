//! This image cannot run programs that need glibc.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.no-glibc",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "This image cannot run programs that need glibc",
    why: "NVIDIA's driver libraries and CUDA are linked to glibc. In an image without glibc's loader (Alpine, \
          distroless/static, scratch) no program can load them, and cudacheck's own probe cannot either.",
    remedy: "Use a base with glibc: FROM debian:bookworm-slim, FROM ubuntu:24.04 or gcr.io/distroless/cc",
    explains: &["launch.libcuda-missing", "probe.not-started", "probe.nothing-verified", "driver.load"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !facts.request.running || facts.request.level == Level::Image {
        return Outcome::Skip("nothing was to be run");
    }
    if facts.host.glibc_loader {
        return Outcome::Pass;
    }
    let loader = crate::facts::host::GLIBC_LOADER;
    let problem = match &facts.host.musl_loader {
        Some(musl) => Problem::new("The image is built on musl, and has no loader for glibc programs.")
            .evidence(format!("{musl} exists")),
        None => Problem::new("The image has no loader for dynamic programs at all."),
    };
    Some(problem.evidence(format!("{loader} does not exist"))).into()
}
