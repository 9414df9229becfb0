//! What each command does, from its arguments to its exit status. `gather` decides what is read, `checks` what it
//! means, `render` how it is shown.

mod explain;
mod health;
mod image;
mod output;
mod serve;
mod verify;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::report::ExitStatus;

pub fn run(cli: Cli) -> Result<ExitStatus> {
    match cli.command {
        None => verify::run(&cli.verify),
        Some(Command::Health(options)) => Ok(health::run(&options)),
        Some(Command::Serve(options)) => serve::run(&options),
        Some(Command::Image(options)) => image::run(&options),
        Some(Command::Explain { what }) => explain::run(what.as_deref()),
    }
}
