//! Finds images that cannot run glibc programs.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::host::GLIBC_LOADER;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.no-glibc",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "This image cannot run glibc programs",
    why: "NVIDIA's driver libraries and CUDA are linked against glibc. In an image without glibc's loader (Alpine, \
          distroless/static, scratch) no program can load them, and neither can cudacheck's probe.",
    remedy: "Use a base image with glibc: `FROM debian:bookworm-slim`, `FROM ubuntu:24.04` or `FROM \
             gcr.io/distroless/cc`",
    explains: &["launch.libcuda-missing", "probe.not-started", "probe.nothing-verified", "driver.load"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !facts.request.running || facts.request.level == Level::Image {
        return Outcome::Skip("level image runs nothing");
    }
    if facts.host.glibc_loader {
        return Outcome::Pass;
    }
    let problem = match &facts.host.musl_loader {
        Some(musl) => Problem::new("The image is based on musl and has no loader for glibc programs.")
            .file(musl, " exists"),
        None => Problem::new("The image has no loader for dynamic programs."),
    };
    Some(problem.file(GLIBC_LOADER, " does not exist")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::Sample;

    #[test]
    fn an_image_without_a_loader() {
        let outcome = |glibc, musl: Option<&str>, level| {
            let sample = Sample::machine(1).level(level).host(|host| {
                host.glibc_loader = glibc;
                host.musl_loader = musl.map(str::to_owned);
            });
            judge(&sample.facts())
        };
        let problems = outcome(false, Some("/lib/ld-musl-x86_64.so.1"), Level::Nvml).problems();
        assert_eq!(problems[0].cause, "The image is based on musl and has no loader for glibc programs.");
        assert_eq!(problems[0].evidence[0].path.as_deref(), Some("/lib/ld-musl-x86_64.so.1"));
        assert_eq!(
            outcome(false, None, Level::Nvml).causes(),
            ["The image has no loader for dynamic programs."]
        );
        assert!(outcome(true, Some("/lib/ld-musl-x86_64.so.1"), Level::Nvml).causes().is_empty());
        assert!(matches!(outcome(false, None, Level::Image), Outcome::Skip(_)));
    }
}
