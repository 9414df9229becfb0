//! cudacheck: verifies from inside a container that its GPUs work, explains why when they do not, and audits images
//! for missing and redundant CUDA libraries.
//!
//! One direction: arguments → facts → checks → report → renderer → exit. This program is static and never loads a
//! GPU library; the probe (`crates/probe`) is the one that does.

#![forbid(unsafe_code)]

mod checks;
mod cli;
mod codes;
mod commands;
mod explain;
mod facts;
mod gather;
#[cfg(test)]
mod generated;
mod model;
mod pipeline;
mod render;
mod report;
mod serve;
mod supervise;

use std::process::ExitCode;

use cli::Refusal;
use report::ExitStatus;

fn main() -> ExitCode {
    // Fails only if no file descriptor is left, which a later step reports with its cause.
    let _ = supervise::signals::listen();
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(refusal) => {
            match &refusal {
                Refusal::Usage(error) => drop(error.print()),
                Refusal::Configuration(error) => render::notice(&format!("{error:#}")),
            }
            return refusal.status().into();
        }
    };
    match commands::run(cli) {
        Ok(status) => status.into(),
        Err(error) => {
            render::notice(&format!("{error:#}"));
            ExitStatus::Fault.into()
        }
    }
}
