//! Renderers: one report in, text out. They filter, count and decide nothing.

mod human;
mod line;
pub mod metrics;
mod sarif;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Context;

use crate::model::Format;
use crate::report::{Purpose, Report};
use image_audit::loader::Resolution;
use image_audit::tree::{Entry, What};
use metrics::{Form, View};

/// Reports on a terminal that the check is still running, after a second.
pub fn progress(timeout: Duration) {
    if !io::stderr().is_terminal() {
        return;
    }
    // If no thread can be started, nothing is printed.
    let _ = thread::Builder::new().spawn(move || {
        thread::sleep(Duration::from_secs(1));
        notice(&format!("still running (timeout {} s)", timeout.as_secs()));
    });
}

/// The whole report, to read.
pub fn human(report: &Report) -> io::Result<()> {
    let output = io::stdout();
    let terminal = output.is_terminal();
    // A terminal of unknown width reports 0.
    let columns = terminal_size::terminal_size_of(&output).map_or(0, |(columns, _)| usize::from(columns.0));
    let width = if terminal && columns > 0 { columns.clamp(40, 120) } else { 100 };
    let style = human::Style { color: terminal && color_is_welcome(), width };
    text(&human::render(report, style))
}

/// <https://no-color.org>: any non-empty value turns colors off.
fn color_is_welcome() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

pub fn json(report: &Report) -> io::Result<()> {
    text(&to_json(report))
}

pub fn to_json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("a report is plain data") + "\n"
}

/// Findings for code-scanning services.
pub fn sarif(report: &Report) -> io::Result<()> {
    text(&(serde_json::to_string_pretty(&sarif::log(report))? + "\n"))
}

/// Verdict and remedy first, at most 4096 bytes: what Docker keeps of a health check.
pub fn line(report: &Report, purpose: Purpose) -> String {
    line::render(report, purpose)
}

/// Metrics of one verification, which has just ended.
pub fn metrics_of(report: &Report) -> String {
    let clock = Some(SystemTime::now());
    metrics::render(&View { report: Some(report), clock, served: None }, Form::Prometheus)
}

/// Metrics for node_exporter, which must never read half a file: written to another file, then renamed.
pub fn textfile(file: &Path, metrics: &str) -> anyhow::Result<()> {
    let fresh = beside(file);
    let written = fs::write(&fresh, metrics).and_then(|()| fs::rename(&fresh, file));
    let _ = written.as_ref().inspect_err(|_| drop(fs::remove_file(&fresh)));
    written.with_context(|| cannot_write(file))
}

/// Refuses a file that cannot be written before anything is run.
pub fn refuse_unwritable(file: &Path) -> anyhow::Result<()> {
    let fresh = beside(file);
    let tried = fs::write(&fresh, "").and_then(|()| fs::remove_file(&fresh));
    let tried = if file.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { tried };
    tried.with_context(|| cannot_write(file))
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    name.into()
}

fn cannot_write(file: &Path) -> String {
    format!("cannot write metrics to {}", file.display())
}

/// Files with their bytes and links with their targets; as JSON, a line for each.
pub fn listing(list: &[Entry], format: Format) -> io::Result<()> {
    let mut out = String::new();
    for entry in list {
        match &entry.what {
            _ if format == Format::Json => out += &serde_json::to_string(entry)?,
            What::Bytes(bytes) => out += &format!("{bytes:>12} {}", entry.path),
            What::Target(target) => out += &format!("{:>12} {} -> {target}", "", entry.path),
        }
        out.push('\n');
    }
    text(&out)
}

/// What the loader loads, as ldd shows it, or a line of JSON for each object.
pub fn loads(list: &[Resolution], format: Format) -> io::Result<()> {
    let mut out = String::new();
    for loads in list {
        if format == Format::Json {
            out += &serde_json::to_string(loads)?;
            out.push('\n');
            continue;
        }
        out += &format!("{}:\n", loads.object);
        for (name, path) in &loads.loads {
            out += &format!("\t{name} => {}\n", path.as_deref().unwrap_or("not found"));
        }
    }
    text(&out)
}

/// A line for people, on standard error. Write errors are ignored.
pub fn notice(line: &str) {
    let _ = writeln!(io::stderr(), "cudacheck: {line}");
}

/// A closed pipe (`cudacheck | head`) is not an error.
pub fn text(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
