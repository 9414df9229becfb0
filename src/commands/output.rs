//! What several commands print.

use anyhow::Result;

use crate::cli::Output;
use crate::model::Format;
use crate::render;
use crate::report::{ExitStatus, Report};

/// Refuses `health` and `serve` at the level that looks at the image alone.
pub const NO_GPU: &str = "Level image checks no GPU. -> Use --level nvml, or a deeper one";

pub fn print(report: &Report, output: &Output) -> Result<ExitStatus> {
    match output.format {
        Format::Human => render::human(report)?,
        Format::Json => render::json(report)?,
        Format::Sarif => render::sarif(report)?,
    }
    Ok(report.status(output.fail_on.into()))
}
