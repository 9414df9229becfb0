//! `cudacheck health`: one line, and exit status 0 or 1.

use std::time::Instant;

use anyhow::Result;

use super::output::NO_GPU;
use crate::cli::Health;
use crate::report::{ExitStatus, Purpose, Report, Verdict};
use crate::{gather, pipeline, render};

pub fn run(options: &Health) -> ExitStatus {
    let purpose = options.purpose.unwrap_or(Purpose::Readiness);
    // Docker reserves 2, and a probe either passes or fails.
    let (line, fails) = match report(options) {
        // What was not checked is not healthy.
        Ok(report) if report.verdict == Verdict::Audited => (format!("unhealthy: {NO_GPU}\n"), true),
        Ok(report) => (render::line(&report, purpose), report.failing(purpose).is_some()),
        // Not the GPU's fault, and a new container does not fix it.
        Err(error) if purpose == Purpose::Liveness => (format!("alive: {error:#}\n"), false),
        Err(error) => (format!("unhealthy: {error:#}\n"), true),
    };
    // If the line cannot be written, the exit status still counts.
    let _ = render::text(&line);
    if fails { ExitStatus::Finding } else { ExitStatus::Verified }
}

fn report(options: &Health) -> Result<Report> {
    let saving = pipeline::saving(options.save_facts.as_deref())?;
    let start = Instant::now();
    let facts = gather::watch(&options.watch, start + options.watch.timeout)?;
    pipeline::report(&facts, start, saving)
}
