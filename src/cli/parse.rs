//! From the command line to [`Cli`]: a flag overrides an environment variable, a variable overrides the configuration,
//! the configuration overrides the default.
//!
//! Only clap reads the arguments. Variables and configuration are passed to it as other sources of an argument's value,
//! so the flag's own rules parse and refuse them.

use std::collections::BTreeMap;

use anyhow::anyhow;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches};

use super::config::{self, Config, Scope};
use super::{Cli, Command, Verify, target_machine};
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
    pub fn status(&self) -> ExitStatus {
        match self {
            Refusal::Usage(error) if !error.use_stderr() => ExitStatus::Verified,
            // Docker reserves 2, so a health check with wrong usage exits with 1.
            _ if asks_for_health() => ExitStatus::Finding,
            _ => ExitStatus::Fault,
        }
    }
}

/// Whether an invalid command line was meant for `health`: by the first word that is neither a flag of the main
/// command nor a flag's value.
fn asks_for_health() -> bool {
    let rest =
        clap::Arg::new("rest").num_args(0..).trailing_var_arg(true).allow_hyphen_values(true).hide(true);
    let words = Verify::augment_args(clap::Command::new("cudacheck")).arg(rest).ignore_errors(true);
    let words = words.mut_args(|argument| argument.env(None::<&str>)).try_get_matches();
    let words = words.ok().and_then(|matches| {
        let rest = matches.get_many::<String>("rest")?;
        Some(rest.map(String::as_str).find(|word| !word.starts_with('-')) == Some("health"))
    });
    words.unwrap_or(false)
}

pub fn parse() -> Result<Cli, Refusal> {
    // Variables of the main command must neither affect nor fail a subcommand, so the first pass ignores them.
    let without = command().mut_args(|argument| argument.env(None::<&str>));
    let bare = match without.clone().try_get_matches() {
        // An error in a subcommand's arguments is final.
        Err(error) if error.use_stderr() => command().try_get_matches().map_err(|_| error)?,
        Err(help) => return Err(help.into()),
        Ok(matches) => matches,
    };
    let (command, matches) = match bare.subcommand_name() {
        Some(_) => (without, bare),
        None => (command(), command().try_get_matches()?),
    };
    let mut cli = cli(&matches)?;
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

/// An empty variable counts as not set: Compose makes unset variables empty.
fn command() -> clap::Command {
    let filled = |argument: clap::Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        if value.is_some_and(|value| value.is_empty()) { argument.env(None::<&str>) } else { argument }
    };
    Cli::command().mut_args(filled).mut_subcommands(move |command| command.mut_args(filled))
}

/// The configuration's values in place of the flags' own defaults.
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

/// The command line alone was valid, so the file is at fault.
fn in_file(error: &clap::Error, file: &std::path::Path) -> anyhow::Error {
    let text = error.to_string();
    let first =
        text.lines().map(|line| line.trim_start_matches("error: ")).take_while(|line| !line.is_empty());
    anyhow!("{}: {}", file.display(), first.collect::<Vec<_>>().join(" "))
}
