//! What the program does with a job before it touches a GPU.

use std::io::{Read, pipe};
use std::os::fd::OwnedFd;
use std::process::{Command, Output};

use protocol::{Event, Job, PROTOCOL, Survey, Task};

const PROBE: &str = env!("CARGO_BIN_EXE_probe");

/// A survey of one device node, without NVML and without the driver.
fn job(test: &str) -> Job {
    let node = "/dev/null".to_owned();
    Job {
        protocol: PROTOCOL,
        parent: std::process::id(),
        task: Task::Survey(Survey { nodes: vec![node], nvml: false, driver: false, nvml_timeout_ms: 1 }),
        lock: format!("cudacheck-test.{}.{test}", std::process::id()),
        timeout_ms: 1000,
    }
}

/// Runs the probe as the supervisor does: the pipe for events is its standard input.
fn run(argument: &str) -> (Output, Vec<Event>) {
    let (mut events, writer) = pipe().unwrap();
    let output = Command::new(PROBE).arg(argument).stdin(OwnedFd::from(writer)).output().unwrap();
    let mut text = String::new();
    events.read_to_string(&mut text).unwrap();
    (output, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn run_job(job: &Job) -> (Output, Vec<Event>) {
    run(&serde_json::to_string(job).unwrap())
}

#[test]
fn a_job_is_run_between_hello_and_done() {
    let (output, events) = run_job(&job("run"));
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    assert!(matches!(events.first(), Some(Event::Hello { protocol: PROTOCOL, .. })), "{events:?}");
    assert!(events.contains(&Event::Node { path: "/dev/null".into(), errno: None }), "{events:?}");
    assert_eq!(events.last(), Some(&Event::Done));
}

#[test]
fn a_job_of_another_protocol_is_not_run() {
    for protocol in [PROTOCOL - 1, PROTOCOL + 1] {
        let (output, events) = run_job(&Job { protocol, ..job(&format!("protocol{protocol}")) });
        assert!(output.status.success(), "{output:?}");
        assert!(matches!(events[..], [Event::Hello { protocol: PROTOCOL, .. }, Event::Done]), "{events:?}");
    }
}

#[test]
fn an_argument_that_is_no_job_is_refused() {
    for argument in ["", "--help", "{}", r#"{"protocol":3}"#] {
        let (output, events) = run(argument);
        assert_eq!(output.status.code(), Some(2), "{argument}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("part of cudacheck"), "{output:?}");
        assert_eq!(events, []);
    }
}

#[test]
fn a_probe_whose_supervisor_has_gone_does_nothing() {
    let (output, events) = run_job(&Job { parent: 1, ..job("orphan") });
    assert!(output.status.success(), "{output:?}");
    assert_eq!(events, []);
}

#[test]
fn a_probe_whose_lock_is_taken_does_nothing() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let job = job("lock");
    let _lock = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&job.lock).unwrap()).unwrap();
    let (output, events) = run_job(&job);
    assert_eq!(output.status.code(), Some(protocol::LOCK_TAKEN));
    assert_eq!(events, []);
}
