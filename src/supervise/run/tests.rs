use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use super::probe::OUTPUT;
use super::*;
use crate::facts::event::Event;
use crate::facts::probe::Way;

/// Runs a shell as the probe; its standard output is the pipe for events.
fn run(script: &str, deadline: Duration) -> (ProbeRun, Duration) {
    let (events, events_in) = std::io::pipe().unwrap();
    let (output, output_in) = std::io::pipe().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdout(OwnedFd::from(events_in)).stderr(OwnedFd::from(output_in));
    let child = command.process_group(0).spawn().unwrap();
    // It holds the write ends of the pipes.
    drop(command);
    let mut running = Running::default();
    running.add(Target::Survey, Started { child, events, output, way: Way::Memory });
    let start = Instant::now();
    let run = running.finish(start + deadline).pop().unwrap();
    (run, start.elapsed())
}

const LONG: Duration = Duration::from_secs(20);
const ENTER: &str = r#"echo '{"enter":{"stage":"nvml-device","call":"ask","gpu":0}}'"#;

#[test]
fn a_slow_exit_is_not_a_failure() {
    let (run, time) = run("echo '\"done\"'; sleep 0.4", LONG);
    assert_eq!((run.ending, run.events), (Ending::Exited { code: 0 }, vec![Event::Done]));
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[test]
fn a_call_still_open_after_done_is_not_waited_for() {
    let (run, time) = run(&format!("{ENTER}; echo '\"done\"'; exec sleep 30"), LONG);
    assert_eq!(run.ending, Ending::TimedOut { reaped: true });
    assert_eq!(run.open_calls().len(), 1);
    assert!(time < Duration::from_secs(1), "{time:?}");
}

#[test]
fn a_probe_is_killed_at_the_deadline() {
    let (run, time) = run(&format!("{ENTER}; exec sleep 30"), Duration::from_millis(300));
    assert_eq!(run.ending, Ending::TimedOut { reaped: true });
    assert!(time >= Duration::from_millis(300) && time < Duration::from_millis(600), "{time:?}");
}

#[test]
fn events_are_read_in_pieces_and_other_lines_ignored() {
    let script = r#"echo junk; echo '{"enter":{}}'; head -c 2000000 /dev/zero | tr '\0' x; echo;
        printf '"do'; sleep 0.1; printf 'ne"\n'; head -c 300000 /dev/zero >&2; printf end >&2"#;
    let (run, _) = run(script, LONG);
    assert_eq!((run.ending, run.events), (Ending::Exited { code: 0 }, vec![Event::Done]));
    assert!(run.noise.len() <= OUTPUT && run.noise.ends_with("end"), "{} bytes", run.noise.len());
}

#[test]
fn signal_and_exit_status_are_reported() {
    assert_eq!(run("kill -SEGV $$", LONG).0.ending, Ending::Signalled { signal: 11 });
    assert_eq!(run("exit 75", LONG).0.ending, Ending::LockTaken);
    let hello = r#"echo '{"hello":{"protocol":2,"pid":7,"libc":"2.36"}}'; exit 75"#;
    assert_eq!(
        run(hello, LONG).0.ending,
        Ending::Exited { code: 75 },
        "a library that exits with that status"
    );
}
