//! Finds images whose glibc is older than the driver's libraries need.

use crate::checks::shared::loading::{LOAD_CONSEQUENCES, loader_message};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.glibc-too-old",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image's glibc is too old for the driver",
    why: "The driver's libraries come from the host and need symbol versions of a newer glibc. The loader of an older \
          base image refuses them.",
    remedy: "Use a newer base image: `FROM debian:bookworm-slim` or `FROM ubuntu:24.04`",
    explains: LOAD_CONSEQUENCES,
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let lacks_symbol = |text: &&str| text.contains("GLIBC_") && text.contains("not found");
    let Some(text) = loader_message(facts).filter(lacks_symbol) else { return Outcome::Pass };
    let version = text.split("GLIBC_").nth(1).unwrap_or_default();
    let version = version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    Some(Problem::new(format!("The driver's library needs glibc {version}.")).evidence(text)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, not_loaded};
    use crate::model::Stage;

    #[test]
    fn a_symbol_version_that_glibc_lacks() {
        let causes = |message| {
            judge(&Sample::machine(1).fault(None, Stage::LoadDriver, not_loaded(message)).facts()).causes()
        };
        let message =
            "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by libcuda.so.1)";
        assert_eq!(causes(message), ["The driver's library needs glibc 2.34."]);
        assert!(causes("libstdc++.so.6: version `GLIBCXX_3.4.30' not found").is_empty());
        assert!(causes("libcuda.so.1: file too short").is_empty());
    }
}
