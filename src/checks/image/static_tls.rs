//! Finds libraries for which static thread-local storage has no room.

use crate::checks::shared::faults::faults;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "image.static-tls",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A library does not fit into static TLS",
    why: "Libraries that use static thread-local storage (TLS) must be loaded early, because glibc reserves little room \
          for later ones. This happens mostly on aarch64, with libgomp.",
    remedy: "In the Dockerfile: `ENV LD_PRELOAD=/usr/lib/aarch64-linux-gnu/libgomp.so.1` or, with glibc 2.35 and \
             newer, `ENV GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384`",
    explains: &["driver.load", "math.cublas-load", "math.runtime-load", "math.cupti-failed"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let stages = [Stage::LoadDriver, Stage::LoadBlas, Stage::LoadRuntime, Stage::LoadCupti];
    let mut messages = stages.iter().flat_map(|stage| faults(facts, *stage)).map(|(_, fault)| &fault.detail);
    let Some(text) = messages.find(|text| text.contains("static TLS block")) else {
        return Outcome::Pass;
    };
    Some(Problem::new("The loader has no room left in the static TLS block.").evidence(text)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, not_loaded};

    #[test]
    fn the_loader_names_the_tls_block() {
        let count = |gpu, stage, message| {
            judge(&Sample::machine(1).fault(gpu, stage, not_loaded(message)).facts()).causes().len()
        };
        let message = "libgomp.so.1: cannot allocate memory in static TLS block";
        assert_eq!(count(None, Stage::LoadDriver, message), 1);
        assert_eq!(count(Some(0), Stage::LoadBlas, message), 1);
        assert_eq!(count(Some(0), Stage::LoadRuntime, message), 1);
        assert_eq!(count(Some(0), Stage::LoadCupti, message), 1);
        assert_eq!(count(Some(0), Stage::LoadBlas, "libgomp.so.1: cannot open shared object file"), 0);
    }
}
