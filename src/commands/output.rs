//! What several commands print.

use anyhow::Result;

use crate::cli::Output;
use crate::model::Format;
use crate::render;
use crate::report::{ExitStatus, Report};

/// The refusal of `health` and `serve` at level image.
pub const NO_GPU: &str = "level image does not check GPUs; use --level nvml or deeper";

pub fn print(report: &Report, output: &Output) -> Result<ExitStatus> {
    match output.format {
        Format::Human => render::human(report)?,
        Format::Json => render::json(report)?,
        Format::Sarif => render::sarif(report)?,
    }
    Ok(report.status(output.fail_on.into()))
}
