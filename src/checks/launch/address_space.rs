//! RLIMIT_AS keeps CUDA from reserving address space.

use crate::checks::shared::init_fault::init_fault;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::probe::{Target, free_memory};
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "launch.address-space",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The virtual memory limit is too low for CUDA",
    why: "The driver reserves address space for all memory of the machine and its GPUs, far more than it uses. Under \
          a finite RLIMIT_AS that fails, and CUDA reports out of memory although GPU memory is free.",
    remedy: "`docker run --ulimit as=-1 ...` (in a shell: `ulimit -v unlimited`)",
    explains: &["driver.init", "device.context", "device.busy", "probe.nothing-verified"],
    codes: &[(Library::Driver, 2), (Library::Runtime, 2)],
    judge,
};

/// With less free GPU memory than this, a context may fail for want of it.
const ENOUGH: u64 = 1 << 30;

fn judge(facts: &Facts) -> Outcome {
    let Some(limit) = facts.host.limits.address_space else { return Outcome::Pass };
    let Some((run, phrase)) = init_fault(facts, 2) else { return Outcome::Pass };
    let device = facts.devices().find(|device| run.target == Target::Gpu(device.ordinal));
    let may_be_full = match device.and_then(|device| free_memory(&facts.probes, device)) {
        Some(free) => free < ENOUGH,
        // cuInit allocates no GPU memory; a context does.
        None => run.fault(Stage::DriverInit).is_none(),
    };
    if may_be_full {
        return Outcome::Pass;
    }
    let cause = format!("RLIMIT_AS is {:.1} GB, and CUDA cannot reserve address space.", limit as f64 / 1e9);
    Some(Problem::new(cause).evidence(phrase).gpu(facts.gpu_of_run(run))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::sample::{Sample, fault};
    use crate::model::Field;

    fn limited(sample: Sample) -> Sample {
        sample.host(|host| host.limits.address_space = Some(8_000_000_000))
    }

    fn no_context() -> Sample {
        Sample::machine(2).fault(Some(1), Stage::Context, fault("cuCtxCreate", 2))
    }

    #[test]
    fn out_of_memory_with_free_gpu_memory() {
        let problem = problem(judge(&limited(no_context()).facts()));
        assert!(problem.cause.starts_with("RLIMIT_AS is 8.0 GB"), "{}", problem.cause);
        assert_eq!(problem.gpu.unwrap().ordinal, Some(1));
    }

    #[test]
    fn out_of_memory_in_cuinit_is_never_the_gpus() {
        let init = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 2));
        let problem = problem(judge(&limited(init).facts()));
        assert!(lines(&problem)[0].starts_with("cuInit returned 2"));
        assert_eq!(problem.gpu, None);
    }

    #[test]
    fn gpu_memory_may_be_full() {
        let full = no_context().nvml(1, |gpu| gpu.memory_free = Field::Known(ENOUGH - 1));
        let unknown = no_context()
            .nvml(1, |gpu| gpu.memory_free = Field::Unavailable { unavailable: "NotSupported".into() });
        for sample in [full, unknown] {
            assert!(passes(judge(&limited(sample).facts())));
        }
    }

    #[test]
    fn no_limit_or_another_fault() {
        assert!(passes(judge(&no_context().facts())));
        let other = Sample::machine(1).fault(Some(0), Stage::Context, fault("cuCtxCreate", 46));
        assert!(passes(judge(&limited(other).facts())));
    }
}
