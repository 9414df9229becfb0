//! `cudacheck serve`: answers probes and scrapers over HTTP until it is stopped.

use anyhow::{Result, bail};

use super::output::NO_GPU;
use crate::cli::Serve;
use crate::model::Level;
use crate::report::ExitStatus;
use crate::serve;

pub fn run(options: &Serve) -> Result<ExitStatus> {
    if [Some(options.watch.level), options.startup_level].contains(&Some(Level::Image)) {
        bail!("{NO_GPU}");
    }
    serve::run(options)?;
    Ok(ExitStatus::Verified)
}
