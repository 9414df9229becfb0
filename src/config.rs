//! The configuration: what flags say, written down as JSON, and findings that are accepted.
//!
//! Keys are the long flags of the command. A flag goes before a variable, a variable before the file;
//! values are parsed and refused by the flag's own rules.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cli::target_machine::Described;
use crate::facts::Accepted;
use crate::facts::target_machine::TargetMachine;

/// Keys of the main command, and those of `image`.
const VERIFY: &[&str] = &["level", "gpus", "require-gpus", "timeout", "format", "fail-on"];
const IMAGE: &[&str] = &["level", "env", "arch", "on", "max-redundant", "format", "fail-on"];

const EXAMPLE: &str = "an object in JSON, such as {\"level\": \"driver\"}";
const ACCEPTED_EXAMPLE: &str = "list such as [{\"id\": \"library.redundant\", \"reason\": \"needed by ...\", \"until\": \"2027-06-30\"}]";

const MACHINES_EXAMPLE: &str =
    "object such as {\"a100\": {\"gpu\": \"sm_80\", \"driver\": \"535.104.05\", \"open-module\": false}}";

#[derive(Default)]
pub struct Config {
    /// To be put before those of the command line, which override them.
    pub arguments: Vec<OsString>,
    pub accepted: Vec<Accepted>,
    pub machines: BTreeMap<String, TargetMachine>,
}

/// Reads the file; `image` says for which command.
pub fn read(path: &Path, image: bool) -> Result<Config> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {name}: name a file that exists"))?;
    let mut values: BTreeMap<String, Value> = serde_json::from_slice(text.as_bytes())
        .with_context(|| format!("{name} is no configuration: {EXAMPLE}"))?;
    let mut config = Config::default();
    if let Some(accepted) = values.remove("accepted") {
        config.accepted = serde_json::from_value(accepted)
            .with_context(|| format!("{name}: 'accepted' is no {ACCEPTED_EXAMPLE}"))?;
    }
    for accepted in &config.accepted {
        check(accepted).with_context(|| format!("{name}: 'accepted' has a fault"))?;
    }
    if let Some(machines) = values.remove("machines") {
        let Value::Object(machines) = machines else { bail!("{name}: 'machines' is no {MACHINES_EXAMPLE}") };
        for (machine, value) in machines {
            let described = described(&value).and_then(|described| described.machine(Some(&machine)));
            let parsed =
                described.map_err(|error| anyhow::anyhow!("{name}: the machine '{machine}': {error}"))?;
            config.machines.insert(machine, parsed);
        }
    }
    let keys = if image { IMAGE } else { VERIFY };
    for (key, value) in values {
        if !VERIFY.contains(&key.as_str()) && !IMAGE.contains(&key.as_str()) {
            bail!("{name} has an unknown key '{key}'; keys are {}, accepted, machines", keys.join(", "));
        }
        // One file serves both commands; each takes what it knows.
        if !keys.contains(&key.as_str()) || image && key == "level" && !is_depth(&value) {
            continue;
        }
        // Of the flags of `image`, only those of the output have variables.
        let has_variable = !image || matches!(key.as_str(), "format" | "fail-on");
        let variable = format!("CUDACHECK_{}", key.to_ascii_uppercase().replace('-', "_"));
        if has_variable && std::env::var_os(variable).is_some() {
            continue;
        }
        // A flag that is repeated gets its values one by one.
        let values = match value {
            Value::Array(values) if matches!(key.as_str(), "env" | "on") => values,
            value => vec![value],
        };
        for value in values {
            let value =
                spelled(&value).with_context(|| format!("{name}: '{key}' takes what --{key} takes"))?;
            config.arguments.push(format!("--{key}={value}").into());
        }
    }
    Ok(config)
}

/// A machine's keys are those of `--on`, and so are its values, but for true and false.
fn described(machine: &Value) -> Result<Described, String> {
    let Value::Object(keys) = machine else { return Err(format!("'machines' is an {MACHINES_EXAMPLE}")) };
    let mut described = Described::default();
    for (key, value) in keys {
        let flag = matches!(key.as_str(), "open-module" | "datacenter");
        let text = match value {
            Value::String(text) => text,
            Value::Bool(true) if flag => "yes",
            Value::Bool(false) if flag => "no",
            Value::Null => continue,
            _ if flag => return Err(format!("'{key}' is neither true nor false")),
            // 12.10 is another version than 12.1, and the same number.
            Value::Number(_) => {
                return Err(format!("'{key}' is a number; write it in quotes, such as \"12.2\""));
            }
            _ => return Err(format!("'{key}' is no text in quotes")),
        };
        described.set(key, text)?;
    }
    Ok(described)
}

/// The level of an audit has other names than that of a verification.
fn is_depth(value: &Value) -> bool {
    matches!(value.as_str(), Some("census" | "full"))
}

fn check(accepted: &Accepted) -> Result<()> {
    let Accepted { id, reason, until, .. } = accepted;
    if !crate::checks::all().any(|check| check.id == *id) {
        bail!("there is no finding '{id}'; `cudacheck explain` lists them all");
    }
    if reason.trim().is_empty() {
        bail!("'{id}' is accepted without a reason");
    }
    let is_date = |text: &str| {
        let parts: Vec<&str> = text.split('-').collect();
        let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
        let within = |place: usize, last: u32| {
            parts[place].parse::<u32>().is_ok_and(|number| (1..=last).contains(&number))
        };
        parts.iter().map(|part| part.len()).eq([4, 2, 2])
            && parts.iter().all(digits)
            && within(1, 12)
            && within(2, 31)
    };
    if let Some(until) = until.as_deref().filter(|until| !is_date(until)) {
        bail!("'{until}' is no date; dates are written 2027-06-30");
    }
    Ok(())
}

/// As one would write it behind a flag.
fn spelled(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(values) => Some(values.iter().map(spelled).collect::<Option<Vec<_>>>()?.join(",")),
        _ => None,
    }
}
