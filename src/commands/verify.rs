//! `cudacheck`: verifies this container and prints the whole report.

use std::time::Instant;

use anyhow::Result;

use super::output::print;
use crate::cli::Verify;
use crate::report::{ExitStatus, Report};
use crate::{gather, pipeline, render};

pub fn run(options: &Verify) -> Result<ExitStatus> {
    options.textfile.as_deref().map(render::refuse_unwritable).transpose()?;
    render::progress(options.timeout);
    let report = report(options)?;
    if let Some(file) = &options.textfile {
        render::textfile(file, &render::metrics_of(&report))?;
    }
    print(&report, &options.output)
}

fn report(options: &Verify) -> Result<Report> {
    if let Some(file) = &options.saved.from_facts {
        let accepted = options.config.as_ref().map(|_| options.accepted.clone());
        return pipeline::report_again(file, |request| {
            request.require_gpus = options.require_gpus.or(request.require_gpus);
            request.accepted = accepted.unwrap_or_else(|| std::mem::take(&mut request.accepted));
        });
    }
    let saving = pipeline::saving(options.saved.save_facts.as_deref())?;
    let start = Instant::now();
    let facts = gather::container(options, start + options.timeout)?;
    pipeline::report(&facts, start, saving)
}
