//! cudacheck: proves from inside a container that its GPU works, says why when it does not, and tells
//! which CUDA libraries of the image are present, missing or redundant.
//!
//! One direction: arguments → facts → checks → report → renderer → exit. This program is static and
//! never loads a GPU library; `bin/probe` is the other one.

#![forbid(unsafe_code)]

mod checks;
mod cli;
mod codes;
mod config;
mod explain;
mod facts;
#[cfg(test)]
mod generated;
mod model;
mod render;
mod report;
mod serve;
mod supervise;
mod verify;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::bail;
use clap::{CommandFactory, FromArgMatches};

use cli::{Cli, Command, FailOn, Format, Output};
use model::{Level, Severity};
use report::{ExitStatus, Purpose, Report, Verdict};

fn main() -> ExitCode {
    // Refused only where no descriptor is left, which whatever comes next will say in better words.
    let _ = supervise::signals::listen();
    match parse().and_then(run) {
        Ok(status) => status.into(),
        Err(error) => {
            render::tell(&format!("{error:#}"));
            ExitStatus::Fault.into()
        }
    }
}

/// The command line, behind what a configuration says.
fn parse() -> anyhow::Result<Cli> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    let mut cli = read(&arguments);
    let (file, image) = match &cli.command {
        None => (cli.verify.config.as_ref(), false),
        Some(Command::Image(options)) => (options.config.as_ref(), true),
        Some(_) => (None, false),
    };
    let Some(file) = file else {
        if let Some(Command::Image(options)) = &mut cli.command {
            options.machines = cli::target_machine::resolve(&options.on, &BTreeMap::new())?;
        }
        return Ok(cli);
    };
    let configured = config::read(file, image)?;
    // Before all flags of the command: later ones override them.
    let place = if image {
        arguments.iter().position(|argument| argument == "image").map_or(1, |at| at + 1)
    } else {
        1
    };
    arguments.splice(place..place, configured.arguments);
    let mut cli = read(&arguments);
    match &mut cli.command {
        Some(Command::Image(options)) => {
            options.machines = cli::target_machine::resolve(&options.on, &configured.machines)?;
            options.accepted = configured.accepted;
        }
        _ => cli.verify.accepted = configured.accepted,
    }
    Ok(cli)
}

fn read(arguments: &[OsString]) -> Cli {
    // A variable that is set to nothing is not set: Compose leaves those behind. Those of the main command are
    // nobody else's.
    let named = |command: &clap::Command| arguments.iter().any(|argument| argument == command.get_name());
    let other = Cli::command().get_subcommands().any(named);
    let without = |argument: clap::Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        if value.is_some_and(|value| value.is_empty()) { argument.env(None::<&str>) } else { argument }
    };
    let command = Cli::command()
        .mut_args(|argument| if other { argument.env(None::<&str>) } else { without(argument) })
        .mut_subcommands(|command| command.mut_args(without));
    let parsed = command.try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.unwrap_or_else(|error| refuse(&error))
}

/// Prints help or what is wrong. Docker reserves 2, so that a health check that is written wrongly ends
/// with 1.
fn refuse(error: &clap::Error) -> ! {
    let _ = error.print();
    let health = std::env::args_os().any(|argument| argument == "health");
    std::process::exit(if error.use_stderr() && health { 1 } else { error.exit_code() })
}

/// Of a health check that looks at the image alone.
const NO_GPU: &str = "Level image looks at no GPU. -> Use --level nvml, or a deeper one";

fn run(cli: Cli) -> anyhow::Result<ExitStatus> {
    match cli.command {
        None => {
            cli.verify.textfile.as_deref().map(render::refuse_unwritable).transpose()?;
            render::progress(cli.verify.timeout);
            let report = verify::container(&cli.verify)?;
            if let Some(file) = &cli.verify.textfile {
                render::textfile(file, &render::metrics_of(&report))?;
            }
            print(&report, &cli.verify.output)
        }
        Some(Command::Health(health)) => {
            let purpose = health.purpose.unwrap_or(Purpose::Readiness);
            // Docker reserves 2, and a probe knows no third answer.
            let (line, fails) = match verify::health(&health) {
                // What was not looked at is not healthy.
                Ok(report) if report.verdict == Verdict::Audited => (format!("unhealthy: {NO_GPU}\n"), true),
                Ok(report) => (render::line(&report, purpose), report.failing(purpose).is_some()),
                // No fault of the GPU, and none that a new container cures.
                Err(error) if purpose == Purpose::Liveness => (format!("alive: {error:#}\n"), false),
                Err(error) => (format!("unhealthy: {error:#}\n"), true),
            };
            // Where nothing can be written, the status still tells.
            let _ = render::text(&line);
            Ok(if fails { ExitStatus::Finding } else { ExitStatus::Verified })
        }
        Some(Command::Serve(options)) => {
            if [Some(options.watch.level), options.startup_level].contains(&Some(Level::Image)) {
                bail!("{NO_GPU}");
            }
            serve::run(&options)?;
            Ok(ExitStatus::Verified)
        }
        Some(Command::Image(image)) => {
            if image.list {
                render::listing(&verify::listing(&image)?, image.output.format)?;
                return Ok(ExitStatus::Verified);
            }
            if let Some(wanted) = &image.ldd {
                render::loads(&verify::loads(&image, wanted)?, image.output.format)?;
                return Ok(ExitStatus::Verified);
            }
            let report = verify::image(&image)?;
            print(&report, &image.output)
        }
        Some(Command::Explain { what }) => {
            render::text(&explain::explain(what.as_deref())?)?;
            Ok(ExitStatus::Verified)
        }
    }
}

fn print(report: &Report, output: &Output) -> anyhow::Result<ExitStatus> {
    match output.format {
        Format::Human => render::human(report)?,
        Format::Json => render::json(report)?,
        Format::Sarif => render::sarif(report)?,
    }
    Ok(report.status(match output.fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
        FailOn::Note => Severity::Note,
    }))
}
