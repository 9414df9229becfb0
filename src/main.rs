//! cudacheck: proves from inside a container that its GPU works, says why when it does not, and tells
//! which CUDA libraries of the image are present, missing or redundant.
//!
//! One direction: arguments → facts → checks → report → renderer → exit. This program is static and
//! never loads a GPU library; `bin/probe` is the other one.

#![forbid(unsafe_code)]

#[cfg(feature = "probe")]
compile_error!("the feature 'probe' belongs to the probe's own build, which build.rs starts");

mod checks;
mod cli;
mod config;
mod event;
mod explain;
mod facts;
#[cfg(test)]
mod generated;
mod render;
mod report;
mod supervise;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, FailOn, Format, Output};
use report::{ExitStatus, Report, Severity, Verdict};

fn main() -> ExitCode {
    stop_on_signals();
    match parse().and_then(run) {
        Ok(status) => status.into(),
        Err(error) => {
            eprintln!("cudacheck: {error:#}");
            ExitStatus::Fault.into()
        }
    }
}

/// The command line, behind what a configuration says.
fn parse() -> anyhow::Result<Cli> {
    let cli = Cli::parse();
    let Some(file) = cli.verify.config.as_ref().filter(|_| cli.command.is_none()) else { return Ok(cli) };
    let mut arguments = std::env::args_os();
    let program = arguments.next();
    let configured = config::arguments(file)?;
    Ok(Cli::parse_from(program.into_iter().chain(configured).chain(arguments)))
}

fn run(cli: Cli) -> anyhow::Result<ExitStatus> {
    match cli.command {
        None => {
            render::progress(cli.verify.timeout);
            let report = verify::container(&cli.verify)?;
            print(&report, &cli.verify.output)
        }
        Some(Command::Health(health)) => {
            let report = verify::health(&health)?;
            render::line(&report)?;
            // Docker reserves 2, and a probe knows no third answer: undecided is not healthy.
            Ok(if report.verdict == Verdict::Verified { ExitStatus::Verified } else { ExitStatus::Finding })
        }
        Some(Command::Image(image)) => {
            if let Some(wanted) = &image.ldd {
                render::loads(&verify::loads(&image, wanted)?, image.output.format)?;
                return Ok(ExitStatus::Verified);
            }
            let report = verify::image(&image)?;
            print(&report, &image.output)
        }
        Some(Command::Explain { id }) => {
            render::text(&explain::explain(id.as_deref())?)?;
            Ok(ExitStatus::Verified)
        }
    }
}

fn print(report: &Report, output: &Output) -> anyhow::Result<ExitStatus> {
    match output.format {
        Format::Human => render::human(report)?,
        Format::Json => render::json(report)?,
    }
    Ok(report.status(match output.fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
        FailOn::Note => Severity::Note,
    }))
}

/// As process 1 of a container this program has no default action for signals: `docker stop` would
/// wait for nothing. The kernel ends the probes with it.
fn stop_on_signals() {
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        let always = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, always);
    }
}
