//! Finds machines whose nvidia_uvm module fails although all device nodes open.

use crate::checks::node::INIT_CONSEQUENCES;
use crate::checks::shared::faults::init_failure;
use crate::checks::shared::loading::libcuda_loaded;
use crate::checks::shared::nodes::open_attempts;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.uvm-wedged",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The nvidia_uvm kernel module must be reloaded",
    why: "cuInit returns an unknown error, although every device node exists and opens. This happens when the \
          nvidia_uvm module does not survive a suspend and resume of the machine.",
    remedy: "On the host, with no program using a GPU: `sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm`",
    explains: INIT_CONSEQUENCES,
    codes: &[(Library::Driver, 999), (Library::Runtime, 999)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some((999, phrase)) = init_failure(facts) else { return Outcome::Pass };
    let uvm = open_attempts(facts).any(|(path, _)| path == "/dev/nvidia-uvm");
    if !uvm || open_attempts(facts).any(|(_, errno)| errno.is_some()) {
        return Outcome::Pass;
    }
    let problem =
        Problem::new("cuInit returns an unknown error, although every device node opens.").evidence(phrase);
    let loaded = libcuda_loaded(facts);
    Some(loaded.iter().fold(problem, |problem, path| problem.file(path, " was loaded"))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Event;
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    #[test]
    fn cuinit_fails_although_every_node_opens() {
        let problems = |code, refused: Option<&str>| {
            let sample = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", code));
            let sample = sample.run(None, |run| {
                run.events.iter_mut().for_each(|event| match event {
                    Event::Node { path, errno } if Some(path.as_str()) == refused => *errno = Some(1),
                    _ => {}
                });
            });
            judge(&sample.facts()).problems()
        };
        let found = problems(999, None);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].evidence[1].text, "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15 was loaded");
        assert!(problems(3, None).is_empty());
        assert!(problems(999, Some("/dev/nvidia-uvm")).is_empty());
        assert!(problems(999, Some("/dev/nvidia0")).is_empty());
    }

    #[test]
    fn without_nvidia_uvm_another_check_finds_the_reason() {
        let sample = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 999));
        let sample = sample.run(None, |run| {
            run.events
                .retain(|event| !matches!(event, Event::Node { path, .. } if path == "/dev/nvidia-uvm"));
        });
        assert!(judge(&sample.facts()).causes().is_empty());
    }
}
