//! The container runs in gVisor, which does not pass the GPU through.

use crate::checks::shared::platform::{PLATFORM_CONSEQUENCES, unusable};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.gvisor",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "gVisor does not pass the GPU through",
    why: "In gVisor, calls to the driver go through nvproxy. It must be enabled, and it supports only the driver \
          versions on its list.",
    remedy: "On the host: run runsc with --nvproxy=true and a driver that `runsc nvproxy list-supported-drivers` \
             lists (--nvproxy-allow-unsupported-driver tries others)",
    explains: PLATFORM_CONSEQUENCES,
    codes: &[(Library::Driver, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    unusable(
        facts,
        facts.host.platform.gvisor,
        "The container runs in gVisor, and no GPU answers through it.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::not_injected;
    use crate::checks::testing::{passes, problem};
    use crate::facts::sample::Sample;

    #[test]
    fn gvisor_is_reported_where_no_gpu_answers() {
        let facts = not_injected().host(|host| host.platform.gvisor = true).facts();
        assert!(problem(judge(&facts)).cause.contains("gVisor"));
        let working = Sample::machine(1).host(|host| host.platform.gvisor = true).facts();
        assert!(passes(judge(&working)));
    }
}
