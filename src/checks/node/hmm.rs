//! Finds machines on which unified memory does not initialize with the open kernel module.

use crate::checks::node::INIT_CONSEQUENCES;
use crate::checks::shared::faults::init_failure;
use crate::checks::shared::nodes::open_attempts;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.hmm",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver cannot initialize unified memory",
    why: "cuInit returns 'not initialized', although the device nodes open and nvidia-smi works. With some \
          combinations of kernel and open kernel module, initializing heterogeneous memory management (HMM) fails this \
          way.",
    remedy: "On the host: `echo 'options nvidia_uvm uvm_disable_hmm=1' | sudo tee /etc/modprobe.d/nvidia-uvm.conf && \
             sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm`",
    explains: INIT_CONSEQUENCES,
    codes: &[(Library::Driver, 3), (Library::Runtime, 3)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some((3, phrase)) = init_failure(facts) else { return Outcome::Pass };
    let Some(module) = facts.host.module.as_ref().filter(|module| module.open) else { return Outcome::Pass };
    if !open_attempts(facts).any(|(path, errno)| path == "/dev/nvidia-uvm" && errno.is_none()) {
        return Outcome::Pass;
    }
    let cause =
        "cuInit fails with the open kernel module although its device nodes open; HMM is the known reason.";
    let mut problem = Problem::new(cause).evidence(phrase);
    match module.hmm_disabled {
        Some(true) => {
            problem = problem.evidence("uvm_disable_hmm is already set").remedy(
                "Compare kernel and driver release on the host, and run `dmesg | grep -i uvm` there: HMM is already off",
            );
        }
        Some(false) => problem = problem.evidence("uvm_disable_hmm=N"),
        None => {}
    }
    Some(problem.evidence(format!("kernel {}", facts.host.kernel))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Event;
    use crate::facts::host::Module;
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    fn failed(code: i64, change: impl Fn(&mut Module)) -> Sample {
        let sample = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", code));
        sample.host(|host| host.module.iter_mut().for_each(change))
    }

    #[test]
    fn unified_memory_with_the_open_module() {
        let problems = |sample: Sample| judge(&sample.facts()).problems();
        let found = problems(failed(3, |_| {}));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].remedy, None);
        let disabled = problems(failed(3, |module| module.hmm_disabled = Some(true)));
        assert!(disabled[0].remedy.as_deref().is_some_and(|remedy| remedy.ends_with("HMM is already off")));
        assert!(problems(failed(3, |module| module.open = false)).is_empty());
        assert!(problems(failed(999, |_| {})).is_empty());
    }

    #[test]
    fn a_node_that_does_not_open_is_another_reason() {
        let sample = failed(3, |_| {}).run(None, |run| {
            run.events.iter_mut().for_each(|event| match event {
                Event::Node { path, errno } if path == "/dev/nvidia-uvm" => *errno = Some(1),
                _ => {}
            });
        });
        assert!(judge(&sample.facts()).causes().is_empty());
    }
}
