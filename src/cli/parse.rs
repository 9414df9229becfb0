//! From the command line to [`Cli`]: a flag goes before an environment variable, a variable before the
//! configuration, the configuration before the default.
//!
//! clap alone reads the arguments. Variables and configuration are given to it as what they are, other sources of an
//! argument's value, and so are parsed and refused by the flag's own rules.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use super::{Cli, Command, target_machine};
use crate::config::{self, Config, Scope};
use crate::render;
use crate::report::ExitStatus;

/// Why there is nothing to run: help was asked for, or the usage is wrong.
pub enum Refusal {
    Usage(clap::Error),
    Configuration(anyhow::Error),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        Refusal::Usage(error)
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Refusal::Configuration(error)
    }
}

impl Refusal {
    pub fn print(&self) -> ExitCode {
        match self {
            Refusal::Usage(error) => {
                let _ = error.print();
                if !error.use_stderr() {
                    return ExitStatus::Verified.into();
                }
            }
            Refusal::Configuration(error) => render::tell(&format!("{error:#}")),
        }
        // Docker reserves 2, so a health check with wrong usage exits with 1.
        let asked = Cli::command().ignore_errors(true).try_get_matches();
        match asked.ok().and_then(|matches| matches.subcommand_name().map(str::to_owned)).as_deref() {
            Some("health") => ExitStatus::Finding.into(),
            _ => ExitStatus::Fault.into(),
        }
    }
}

pub fn parse() -> Result<Cli, Refusal> {
    // Variables of the main command must neither affect nor fail a subcommand, so the first look is without them.
    let without = command().mut_args(|argument| argument.env(None::<&str>));
    let bare = match without.try_get_matches() {
        // Whatever is wrong with a subcommand's line is wrong for good.
        Err(error) if error.use_stderr() => command().try_get_matches().map_err(|_| error)?,
        Err(help) => return Err(help.into()),
        Ok(matches) => matches,
    };
    let command = match bare.subcommand_name() {
        Some(_) => command().mut_args(|argument| argument.env(None::<&str>)),
        None => command(),
    };
    let mut cli = cli(&command.clone().try_get_matches()?)?;
    let (file, scope) = match &cli.command {
        None => (cli.verify.config.clone(), Scope::Verify),
        Some(Command::Image(options)) => (options.config.clone(), Scope::Image),
        Some(_) => (None, Scope::Verify),
    };
    let config = match &file {
        Some(file) => {
            let config = config::read(file, scope)?;
            let configured = with_defaults(command, &config, scope).try_get_matches();
            cli =
                configured.and_then(|matches| self::cli(&matches)).map_err(|error| in_file(&error, file))?;
            config
        }
        None => Config::default(),
    };
    match &mut cli.command {
        Some(Command::Image(options)) => {
            options.machines = target_machine::resolve(&options.on, &config.machines)?;
            options.accepted = config.accepted;
        }
        _ => cli.verify.accepted = config.accepted,
    }
    Ok(cli)
}

fn cli(matches: &ArgMatches) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(matches)
}

/// A variable that is set to nothing counts as not set: Compose leaves those behind.
fn command() -> clap::Command {
    let filled = |argument: clap::Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        if value.is_some_and(|value| value.is_empty()) { argument.env(None::<&str>) } else { argument }
    };
    Cli::command().mut_args(filled).mut_subcommands(move |command| command.mut_args(filled))
}

/// The configuration's values in the place of the flags' own defaults.
fn with_defaults(command: clap::Command, config: &Config, scope: Scope) -> clap::Command {
    match scope {
        Scope::Verify => set_defaults(command, &config.values),
        Scope::Image => command.mut_subcommand("image", |image| set_defaults(image, &config.values)),
    }
}

fn set_defaults(command: clap::Command, values: &BTreeMap<String, Vec<String>>) -> clap::Command {
    command.mut_args(|argument| match argument.get_long().and_then(|flag| values.get(flag)) {
        Some(values) => argument.default_values(values),
        None => argument,
    })
}

/// The command line alone was in order, so the file is at fault.
fn in_file(error: &clap::Error, file: &std::path::Path) -> anyhow::Error {
    let text = error.to_string();
    let first =
        text.lines().map(|line| line.trim_start_matches("error: ")).take_while(|line| !line.is_empty());
    anyhow!("{}: {}", file.display(), first.collect::<Vec<_>>().join(" "))
}
