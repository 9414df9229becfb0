//! `cudacheck image`: audits an image at rest, or lists what is in it.

use std::time::Instant;

use anyhow::Result;

use super::output::print;
use crate::cli::Image;
use crate::report::{ExitStatus, Report};
use crate::{gather, pipeline, render};

pub fn run(options: &Image) -> Result<ExitStatus> {
    if options.list {
        render::listing(&gather::listing(options)?, options.output.format)?;
        return Ok(ExitStatus::Verified);
    }
    if let Some(object) = &options.ldd {
        render::loads(&gather::loads(options, object)?, options.output.format)?;
        return Ok(ExitStatus::Verified);
    }
    print(&report(options)?, &options.output)
}

fn report(options: &Image) -> Result<Report> {
    if let Some(file) = &options.saved.from_facts {
        let accepted = options.config.as_ref().map(|_| options.accepted.clone());
        return pipeline::report_again(file, |request| {
            if !options.arch.is_empty() {
                request.arch.clone_from(&options.arch);
            }
            request.max_redundant = options.max_redundant.or(request.max_redundant);
            if !options.machines.is_empty() {
                request.machines.clone_from(&options.machines);
            }
            request.accepted = accepted.unwrap_or_else(|| std::mem::take(&mut request.accepted));
        });
    }
    let saving = pipeline::saving(options.saved.save_facts.as_deref())?;
    let start = Instant::now();
    let facts = gather::image(options)?;
    pipeline::report(&facts, start, saving)
}
