//! A library does not fit into static thread-local storage.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::faults::faults;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "image.static-tls",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A library does not fit into static thread-local storage",
    why: "Libraries that use static TLS must be loaded early, since glibc reserves little room for late ones. It \
          happens mostly on aarch64, with libgomp.",
    remedy: "ENV LD_PRELOAD=/usr/lib/aarch64-linux-gnu/libgomp.so.1   or, with glibc 2.35 and newer, ENV \
             GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384",
    explains: &["driver.load", "math.cublas-load", "math.runtime-load", "math.cupti-failed"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let stages = [Stage::LoadDriver, Stage::LoadBlas, Stage::LoadRuntime, Stage::LoadCupti];
    let said = stages.iter().flat_map(|stage| faults(facts, *stage)).map(|(_, fault)| fault.detail.as_str());
    let Some(text) = said.into_iter().find(|text| text.contains("static TLS block")) else {
        return Outcome::Pass;
    };
    Some(Problem::new("The loader has no room left in the static TLS block.").evidence(text)).into()
}
