//! `cudacheck explain`: what a finding or an error code means.

use anyhow::Result;

use crate::report::ExitStatus;
use crate::{explain, render};

pub fn run(what: Option<&str>) -> Result<ExitStatus> {
    render::text(&explain::explain(what)?)?;
    Ok(ExitStatus::Verified)
}
