//! `cudacheck serve`: answers, stale results, limits on clients, shutdown.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::util::{BINARY, Root, alone, fakes, skip, text, timed};

struct Server {
    child: Child,
    address: SocketAddr,
    script: tempfile::NamedTempFile,
}

impl Server {
    fn start(script: &str, arguments: &[&str]) -> Server {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), script).unwrap();
        let mut child = alone(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("LD_LIBRARY_PATH", fakes())
            .env("FAKE_GPU", file.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().rsplit_once("http://").unwrap_or_else(|| panic!("{line}")).1.parse().unwrap();
        Server { child, address, script: file }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// The response to these bytes, until the server closes the connection.
    fn raw(&self, request: &str) -> String {
        let mut stream = self.connect();
        // The server may close the connection before it has read the whole request.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        text(&answer)
    }

    fn get(&self, path: &str) -> (u16, String) {
        let answer = self.raw(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer}"));
        let length = format!("Content-Length: {}", body.len());
        assert!(head.contains(&length), "{head}\n{body}");
        (status(&answer), body.to_owned())
    }

    /// Repeats the request until status and start of the body are as wanted.
    fn becomes(&self, path: &str, wanted: (u16, &str)) -> String {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let (status, body) = self.get(path);
            if status == wanted.0 && body.starts_with(wanted.1) {
                return body;
            }
            assert!(Instant::now() < end, "{path} does not become {wanted:?}: {status} {body}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn metric(&self, line: &str) -> Option<f64> {
        let (_, metrics) = self.get("/metrics");
        metrics.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
    }

    /// Sends SIGTERM; exit status, and the time until exit.
    fn stop(&mut self) -> (Option<i32>, Duration) {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        let (status, time) = timed(|| self.child.wait().unwrap());
        (status.code(), time)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"))
}

const QUICK: [&str; 2] = ["--interval", "50ms"];

#[test]
fn a_healthy_machine_is_healthy_on_every_path() {
    let server = Server::start("gpus = 2", &["--level", "driver", "--interval", "50ms"]);
    server.becomes("/readyz", (200, "healthy: 2 GPUs "));
    for path in ["/livez?verbose", "/startupz"] {
        let (status, body) = server.get(path);
        assert!(status == 200 && body.starts_with("healthy: "), "{path}: {status} {body}");
    }
    let (status, report) = server.get("/report");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (status, &report["verdict"], report["gpus"].as_array().unwrap().len()),
        (200, &"verified".into(), 2)
    );
    for (line, wanted) in [
        ("cudacheck_verdict{verdict=\"verified\"}", 1.0),
        ("cudacheck_verdict{verdict=\"stale\"}", 0.0),
        ("cudacheck_probe_passing{probe=\"liveness\"}", 1.0),
        ("cudacheck_gpus{state=\"verified\"}", 2.0),
        ("cudacheck_gpu_healthy{uuid=\"GPU-00000000-0000-0000-0000-000000000001\"}", 1.0),
        ("cudacheck_checks_total{verdict=\"failed\"}", 0.0),
    ] {
        assert_eq!(server.metric(line), Some(wanted), "{line}");
    }
}

#[test]
fn metrics_are_served_as_text_or_openmetrics() {
    let server = Server::start("gpus = 1", &QUICK);
    server.becomes("/readyz", (200, "healthy"));
    let ask = |accept: &str| {
        server.raw(&format!("GET /metrics HTTP/1.1\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"))
    };
    let open = ask("application/openmetrics-text; version=1.0.0");
    assert!(open.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{open}");
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE cudacheck_checks counter\n"), "{open}");
    let plain = ask("*/*");
    prometheus_accepts(plain.split_once("\r\n\r\n").unwrap().1);
    assert!(plain.contains("Content-Type: text/plain; version=0.0.4"), "{plain}");
    assert!(!plain.contains("# EOF") && plain.contains("# TYPE cudacheck_checks_total counter\n"), "{plain}");
}

/// Prometheus's linter accepts names, types and help texts.
fn prometheus_accepts(metrics: &str) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        let how = "promtool is missing; install the Debian package prometheus";
        assert!(std::env::var_os("CUDACHECK_REAL").is_none(), "{how}");
        return skip(how);
    };
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}\n{metrics}", text(&output.stderr));
}

#[test]
fn the_next_check_shows_a_fault_and_its_end() {
    let server = Server::start("gpus = 1", &["--level", "driver", "--interval", "50ms"]);
    server.becomes("/readyz", (200, "healthy"));
    fs::write(server.script.path(), "cuInit = 999").unwrap();
    let line = server.becomes("/readyz", (503, "unhealthy: "));
    assert!(line.contains("999"), "{line}");
    let alive = server.get("/livez");
    assert!(
        alive.0 == 200 && alive.1.starts_with("alive: "),
        "a restart does not fix a broken driver: {alive:?}"
    );
    assert_eq!(server.get("/startupz").0, 200, "it has passed once");
    assert_eq!(server.metric("cudacheck_verdict{verdict=\"failed\"}"), Some(1.0));
    let finding = "cudacheck_findings{id=\"driver.init\",severity=\"error\",owner=\"node\",uuid=\"\"}";
    assert_eq!(server.metric(finding), Some(1.0));
    fs::write(server.script.path(), "gpus = 1").unwrap();
    server.becomes("/readyz", (200, "healthy"));
    assert_eq!(server.metric(finding), None);
}

#[test]
fn while_a_check_hangs_the_last_result_becomes_stale_and_answers_stay_fast() {
    let server = Server::start("gpus = 1", &["--interval", "50ms", "--timeout", "60s", "--max-age", "700ms"]);
    server.becomes("/readyz", (200, "healthy"));
    fs::write(server.script.path(), "nvmlInit_v2 = hang").unwrap();
    server.becomes("/readyz", (503, "stale: "));
    for path in ["/livez", "/readyz", "/startupz"] {
        let ((status, body), time) = timed(|| server.get(path));
        assert!(status == 503 && body.starts_with("stale: "), "{path}: {body}");
        assert!(time < Duration::from_millis(500), "{path}: {time:?}");
    }
    assert_eq!(server.metric("cudacheck_verdict{verdict=\"stale\"}"), Some(1.0));
    assert_eq!(server.metric("cudacheck_verdict{verdict=\"verified\"}"), Some(0.0));
    assert_eq!(server.metric("cudacheck_gpus{state=\"verified\"}"), None);
    assert!(server.metric("cudacheck_check_running_seconds").unwrap() > 0.3);
}

#[test]
fn before_the_first_result_it_is_starting() {
    let server = Server::start("cuInit = sleep:1500", &["--level", "driver"]);
    assert_eq!(server.get("/livez").0, 200);
    for path in ["/readyz", "/startupz", "/report"] {
        let (status, body) = server.get(path);
        assert!(status == 503 && body.starts_with("starting: "), "{path}: {status} {body}");
    }
    assert_eq!(server.get("/metrics").0, 200);
    assert_eq!(server.metric("cudacheck_verdict{verdict=\"verified\"}"), None);
    server.becomes("/readyz", (200, "healthy"));
}

#[test]
fn the_startup_level_applies_until_a_check_has_passed() {
    let server = Server::start(
        "sms = 2\ncuModuleLoadDataEx = 222",
        &["--startup-level", "smoke", "--interval", "50ms"],
    );
    let line = server.becomes("/startupz", (503, "unhealthy: "));
    assert!(line.contains("222"), "{line}");
    fs::write(server.script.path(), "sms = 2").unwrap();
    server.becomes("/startupz", (200, "healthy: "));
    // From now on at the usual level, which loads no kernel.
    fs::write(server.script.path(), "sms = 2\ncuModuleLoadDataEx = 222").unwrap();
    let checks = "cudacheck_checks_total{verdict=\"verified\"}";
    let before = server.metric(checks).unwrap();
    while server.metric(checks).unwrap() < before + 3.0 {
        thread::sleep(Duration::from_millis(20));
    }
    let (status, body) = server.get("/readyz");
    assert!(status == 200 && body.starts_with("healthy: 1 GPU "), "{status} {body}");
}

#[test]
fn until_a_check_has_passed_the_startup_timeout_applies() {
    let arguments =
        ["--interval", "50ms", "--timeout", "500ms", "--startup-level", "driver", "--startup-timeout", "20s"];
    let server = Server::start("cuInit = 999", &arguments);
    server.becomes("/startupz", (503, "unhealthy: "));
    // Longer than --max-age.
    fs::write(server.script.path(), "cuInit = sleep:1500").unwrap();
    let end = Instant::now() + Duration::from_millis(1200);
    while Instant::now() < end {
        let (status, line) = server.get("/livez");
        assert!(status == 200 && !line.starts_with("stale"), "{line}");
        thread::sleep(Duration::from_millis(50));
    }
    server.becomes("/startupz", (200, "healthy: "));
}

#[test]
fn a_lost_gpu_keeps_its_uuid_in_the_metrics() {
    let server = Server::start("gpus = 3", &QUICK);
    server.becomes("/readyz", (200, "healthy"));
    let healthy = "cudacheck_gpu_healthy{uuid=\"GPU-00000000-0000-0000-0000-000000000002\"}";
    assert_eq!(server.metric(healthy), Some(1.0));
    fs::write(server.script.path(), "gpus = 3\ngpu.2.lost = 1").unwrap();
    server.becomes("/readyz", (503, "unhealthy: "));
    assert_eq!(server.metric(healthy), Some(0.0));
    let (_, metrics) = server.get("/metrics");
    let lost = metrics.lines().find(|line| line.contains("id=\"driver.gpu-lost\"")).unwrap();
    assert!(lost.contains("uuid=\"GPU-00000000-0000-0000-0000-000000000002\""), "{lost}");
    assert_eq!(server.metric("cudacheck_gpus{state=\"failed\"}"), Some(1.0));
    assert_eq!(server.metric("cudacheck_gpus{state=\"verified\"}"), Some(2.0));
    // A GPU that never reported its UUID is named by its NVML index.
    let server = Server::start("gpus = 2\ngpu.1.lost = 1", &QUICK);
    server.becomes("/readyz", (503, "unhealthy: "));
    assert_eq!(server.metric("cudacheck_gpu_healthy{uuid=\"nvml-1\"}"), Some(0.0));
}

#[test]
fn shutdown_during_a_check_writes_no_false_alarm() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cudacheck.prom");
    let arguments = ["--interval", "10ms", "--timeout", "60s", "--textfile", file.to_str().unwrap()];
    for _ in 0..3 {
        let mut server = Server::start("gpus = 1", &arguments);
        server.becomes("/readyz", (200, "healthy"));
        fs::write(server.script.path(), "nvmlInit_v2 = hang").unwrap();
        while server.metric("cudacheck_check_running_seconds").is_none_or(|seconds| seconds < 0.2) {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(server.stop().0, Some(0));
        let written = fs::read_to_string(&file).unwrap();
        assert!(written.contains("cudacheck_verdict{verdict=\"verified\"} 1\n"), "{written}");
    }
}

#[test]
fn a_full_standard_error_does_not_end_the_server() {
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let mut child = alone(BINARY)
        .args(["serve", "--listen", "127.0.0.1:0", "--textfile", "/nowhere/x"])
        .stderr(full())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(700));
    assert_eq!(child.try_wait().unwrap(), None, "it serves");
    child.kill().unwrap();
    child.wait().unwrap();
    let status = Command::new(BINARY).args(["explain", "nosuchid"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn requests_start_no_checks() {
    let server = Server::start("gpus = 1", &["--interval", "60m"]);
    server.becomes("/readyz", (200, "healthy"));
    let paths = ["/livez", "/readyz", "/startupz", "/metrics", "/report"];
    for request in 0..200 {
        assert_eq!(server.get(paths[request % paths.len()]).0, 200);
    }
    assert_eq!(server.metric("cudacheck_checks_total{verdict=\"verified\"}"), Some(1.0));
}

#[test]
fn bad_requests_are_refused() {
    let server = Server::start("gpus = 1", &QUICK);
    let long = format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9000));
    let endless = "GET /livez HTTP/1.1\r\n".to_owned() + &"X: y\r\n".repeat(3000);
    let many = "GET /livez HTTP/1.1\r\n".to_owned() + &"X: y\r\n".repeat(100) + "\r\n";
    for (request, wanted) in [
        ("GET /nowhere HTTP/1.0\r\n\r\n", 404),
        ("GET http://localhost/livez HTTP/1.0\r\n\r\n", 200),
        ("POST /livez HTTP/1.1\r\n\r\n", 405),
        ("OPTIONS * HTTP/1.1\r\n\r\n", 405),
        ("GET /livez HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413),
        ("GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
        ("what is this\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n", 400),
        ("GET /livez HTTP/9.9\r\n\r\n", 400),
        (long.as_str(), 431),
        (endless.as_str(), 431),
        (many.as_str(), 431),
    ] {
        let answer = server.raw(request);
        assert_eq!(status(&answer), wanted, "{}: {answer}", request.chars().take(60).collect::<String>());
    }
    let head = server.raw("HEAD /livez HTTP/1.0\r\n\r\n");
    assert!(head.ends_with("\r\n\r\n") && !head.contains("Content-Length: 0"), "{head}");
}

#[test]
fn connections_are_kept_and_requests_may_be_pipelined() {
    let server = Server::start("gpus = 1", &QUICK);
    server.becomes("/readyz", (200, "healthy"));
    let one = "GET /livez HTTP/1.1\r\n\r\n";
    let last = "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n";
    let answers = server.raw(&format!("{one}{one}{last}"));
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    // A client that has shut down its side still gets responses.
    let mut stream = server.connect();
    stream.write_all(format!("{one}{one}").as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    // A request in several packets.
    let mut stream = server.connect();
    for piece in ["GET /li", "vez HT", "TP/1.0\r\n", "\r\n"] {
        stream.write_all(piece.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(30));
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), 200);
}

#[test]
fn slow_and_idle_clients_block_nobody() {
    let server = Server::start("gpus = 1", &QUICK);
    server.becomes("/readyz", (200, "healthy"));
    let mut slow = server.connect();
    slow.write_all(b"GET /livez HT").unwrap();
    // More connections than the limit, idle after one request.
    let mut idle = Vec::new();
    for _ in 0..150 {
        let mut stream = server.connect();
        stream.write_all(b"GET /livez HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        idle.push(stream);
    }
    let files = || fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count();
    assert!(files() < 64 + 20, "{} descriptors", files());
    // As many silent connections as the limit: the server closes some for a new one.
    let silent: Vec<TcpStream> = (0..64).map(|_| server.connect()).collect();
    let (answer, time) = timed(|| server.get("/livez").0);
    assert!(answer == 200 && time < Duration::from_millis(500), "{answer} after {time:?}");
    drop(silent);
    // The slow client is disconnected after its timeout.
    let (_, time) = timed(|| slow.read_to_end(&mut Vec::new()));
    assert!(time < Duration::from_secs(7), "{time:?}");
    assert_eq!(server.get("/livez").0, 200);
}

/// /proc directories of a process's children.
fn children(pid: u32) -> Vec<PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let pids: String = lists.collect();
    pids.split_whitespace().map(|pid| Path::new("/proc").join(pid)).collect()
}

#[test]
fn a_signal_ends_it_at_once_even_while_a_check_hangs() {
    for script in ["gpus = 1", "nvmlInit_v2 = hang-ignoring-term"] {
        let mut server = Server::start(script, &["--timeout", "60s", "--interval", "60m"]);
        let hangs = script.contains("hang");
        let end = Instant::now() + Duration::from_secs(5);
        // Children of the thread that runs the checks.
        let probes = loop {
            let probes = children(server.child.id());
            if !hangs || !probes.is_empty() || Instant::now() > end {
                break probes;
            }
            thread::sleep(Duration::from_millis(10));
        };
        assert!(!hangs || !probes.is_empty(), "a probe hangs");
        let (status, time) = server.stop();
        assert_eq!(status, Some(0), "{script}");
        assert!(time < Duration::from_millis(600), "{script}: {time:?}");
        assert!(probes.iter().all(|probe| !probe.exists()), "{script}: {probes:?} are still there");
    }
}

#[test]
fn metrics_are_written_to_a_text_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cudacheck.prom");
    let server = Server::start("gpus = 1", &["--interval", "50ms", "--textfile", file.to_str().unwrap()]);
    let end = Instant::now() + Duration::from_secs(5);
    while !file.exists() && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("cudacheck_verdict{verdict=\"verified\"} 1\n"), "{written}");
    drop(server);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
    // The main command writes one too.
    let root = Root::machine("gpus = 1");
    let run = |file| root.run(&["--level", "nvml", "--textfile", file]);
    assert_eq!(run("/tmp/x.prom").status.code(), Some(0));
    let written = fs::read_to_string(root.path("/tmp/x.prom")).unwrap();
    assert!(written.contains("cudacheck_redundant_bytes "), "{written}");
    let refused = run("/nowhere/x.prom");
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("/nowhere/x.prom"), "{}", text(&refused.stderr));
}

#[test]
fn a_bad_address_is_refused() {
    let server = Server::start("gpus = 1", &QUICK);
    let taken = server.address.to_string();
    for (address, words) in
        [(taken.as_str(), "--listen"), ("localhost:80", "localhost:80"), ("9476", "--listen")]
    {
        let output = Command::new(BINARY).args(["serve", "--listen", address]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{address}");
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
}

#[test]
fn a_max_age_below_the_interval_is_refused() {
    let output =
        Command::new(BINARY).args(["serve", "--interval", "60s", "--max-age", "500ms"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("--max-age") && error.contains("--interval"), "{error}");
}
