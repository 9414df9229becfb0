//! What each command does, from its arguments to its exit status. `gather` decides what is read, `checks` what it
//! means, `render` how it is shown.

mod explain;
mod health;
mod image;
mod serve;
mod verify;

use anyhow::Result;

use crate::cli::{Cli, Command, Output};
use crate::model::Format;
use crate::render;
use crate::report::{ExitStatus, Report};

pub fn run(cli: Cli) -> Result<ExitStatus> {
    match cli.command {
        None => verify::run(&cli.verify),
        Some(Command::Health(options)) => Ok(health::run(&options)),
        Some(Command::Serve(options)) => serve::run(&options),
        Some(Command::Image(options)) => image::run(&options),
        Some(Command::Explain { what }) => explain::run(what.as_deref()),
    }
}

/// The refusal of `health` and `serve` at level image.
const NO_GPU: &str = "level image does not check GPUs; use --level nvml or deeper";

fn print(report: &Report, output: &Output) -> Result<ExitStatus> {
    match output.format {
        Format::Human => render::human(report)?,
        Format::Json => render::json(report)?,
        Format::Sarif => render::sarif(report)?,
    }
    Ok(report.status(output.fail_on.into()))
}
