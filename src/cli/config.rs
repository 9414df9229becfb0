//! The configuration: values of flags, accepted findings, and machines for predictions; TOML or JSON.
//!
//! Keys are the long flags of the command. This module only splits the file; the flags' own rules parse and refuse
//! the values (`parse.rs`).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::target_machine::Described;
use crate::facts::Accepted;
use crate::facts::target_machine::TargetMachine;

/// The command that a file is read for. One file may serve both; each takes the keys that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Verify,
    Image,
}

impl Scope {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Scope::Verify => &["level", "gpus", "require-gpus", "timeout", "format", "fail-on"],
            Scope::Image => &["level", "env", "arch", "on", "max-redundant", "format", "fail-on"],
        }
    }
}

const ACCEPTED_EXAMPLE: &str =
    "a list of tables such as {id = \"library.redundant\", reason = \"needed by ...\", until = 2027-06-30}";

const MACHINES_EXAMPLE: &str =
    "a table of machines such as a100 = {gpu = \"sm_80\", driver = \"535.104.05\"}";

#[derive(Default)]
pub struct Config {
    /// By flag. A flag that may be repeated has several values.
    pub values: BTreeMap<String, Vec<String>>,
    pub accepted: Vec<Accepted>,
    pub machines: BTreeMap<String, TargetMachine>,
}

pub fn read(path: &Path, scope: Scope) -> Result<Config> {
    let name = path.display();
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the configuration {name}"))?;
    config(&text, scope).with_context(|| name.to_string())
}

fn config(text: &str, scope: Scope) -> Result<Config> {
    let mut keys = parse(text)?;
    let mut config = Config::default();
    if let Some(accepted) = keys.remove("accepted") {
        config.accepted = serde_json::from_value(accepted)
            .with_context(|| format!("'accepted' must be {ACCEPTED_EXAMPLE}"))?;
    }
    for accepted in &config.accepted {
        check(accepted).context("'accepted'")?;
    }
    if let Some(machines) = keys.remove("machines") {
        let Value::Object(machines) = machines else { bail!("'machines' must be {MACHINES_EXAMPLE}") };
        for (machine, value) in machines {
            let parsed = described(&value).and_then(|described| described.machine(Some(&machine)));
            let parsed = parsed.map_err(|error| anyhow::anyhow!("machine '{machine}': {error}"))?;
            config.machines.insert(machine, parsed);
        }
    }
    for (key, value) in keys {
        if ![Scope::Verify, Scope::Image].iter().any(|scope| scope.keys().contains(&key.as_str())) {
            bail!("unknown key '{key}'; keys are {}, accepted, machines", scope.keys().join(", "));
        }
        // An audit's levels have different names from a verification's.
        let other_level = key == "level" && scope == Scope::Image && !is_depth(&value);
        if !scope.keys().contains(&key.as_str()) || other_level {
            continue;
        }
        // A flag that may be repeated gets its values one by one; elsewhere a list is joined by commas.
        let values = match value {
            Value::Array(values) if matches!(key.as_str(), "env" | "on") => values,
            value => vec![value],
        };
        let spelled = values.iter().map(spelled).collect::<Option<Vec<_>>>();
        let Some(values) = spelled else { bail!("'{key}' must be a string, a number or a list of them") };
        config.values.insert(key, values);
    }
    Ok(config)
}

/// JSON begins with a brace, which TOML never does.
fn parse(text: &str) -> Result<Map<String, Value>> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).context("not valid JSON");
    }
    let table: toml::Table = text.parse().context("neither valid TOML nor JSON")?;
    Ok(table.into_iter().map(|(key, value)| (key, json(value))).collect())
}

/// Dates become strings, as in JSON.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(values) => values.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
    }
}

/// The keys of a machine are those of `--on`, and so are their values, except that true and false are allowed.
fn described(machine: &Value) -> Result<Described, String> {
    let Value::Object(keys) = machine else { return Err(format!("'machines' must be {MACHINES_EXAMPLE}")) };
    let mut described = Described::default();
    for (key, value) in keys {
        let flag = matches!(key.as_str(), "open-module" | "datacenter");
        let text = match value {
            Value::String(text) => text,
            Value::Bool(true) if flag => "yes",
            Value::Bool(false) if flag => "no",
            Value::Null => continue,
            _ if flag => return Err(format!("'{key}' must be true or false")),
            // As numbers, the versions 12.10 and 12.1 are equal.
            Value::Number(_) => {
                return Err(format!("'{key}' is a number; write it in quotes, such as \"12.2\""));
            }
            _ => return Err(format!("'{key}' must be a string")),
        };
        described.set(key, text)?;
    }
    Ok(described)
}

fn is_depth(value: &Value) -> bool {
    matches!(value.as_str(), Some("census" | "full"))
}

fn check(accepted: &Accepted) -> Result<()> {
    let Accepted { id, reason, .. } = accepted;
    if !crate::checks::all().any(|check| check.id == *id) {
        bail!("there is no finding '{id}'; `cudacheck explain` lists all of them");
    }
    if reason.trim().is_empty() {
        bail!("'{id}' is accepted without a reason");
    }
    Ok(())
}

/// As it would be written after a flag.
fn spelled(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(values) => Some(values.iter().map(spelled).collect::<Option<Vec<_>>>()?.join(",")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, scope: Scope) -> Vec<(String, Vec<String>)> {
        config(text, scope).unwrap().values.into_iter().collect()
    }

    fn error(text: &str) -> String {
        format!("{:#}", config(text, Scope::Verify).map(drop).unwrap_err())
    }

    #[test]
    fn toml_and_json_are_the_same() {
        let toml = "level = \"driver\"\ngpus = [0, 1]\nrequire-gpus = 2\n\n[[accepted]]\nid = \"device.pcie\"\n\
                    reason = \"x8 slot\"\nuntil = 2027-06-30\n\n[machines.a100]\ngpu = \"A100\"\ndriver = \"535.104.05\"\n\
                    open-module = false\n";
        let json = r#"{"level": "driver", "gpus": [0, 1], "require-gpus": 2,
            "accepted": [{"id": "device.pcie", "reason": "x8 slot", "until": "2027-06-30"}],
            "machines": {"a100": {"gpu": "A100", "driver": "535.104.05", "open-module": false}}}"#;
        let read = |text| {
            let Config { values, accepted, machines } = config(text, Scope::Verify).unwrap();
            (values, accepted, machines)
        };
        assert_eq!(read(toml), read(json));
        let (values, accepted, machines) = read(toml);
        assert_eq!(values["gpus"], ["0,1"]);
        assert_eq!(accepted[0].until.unwrap().to_string(), "2027-06-30");
        assert_eq!(machines["a100"].open_module, Some(false));
    }

    #[test]
    fn one_file_serves_both_commands() {
        let text =
            "level = \"driver\"\nenv = [\"LD_LIBRARY_PATH=/a,b\", \"LD_PRELOAD=/c\"]\ntimeout = \"5s\"\n";
        let flag =
            |name: &str, values: &[&str]| (name.to_owned(), values.iter().map(|v| v.to_string()).collect());
        assert_eq!(values(text, Scope::Verify), [flag("level", &["driver"]), flag("timeout", &["5s"])]);
        assert_eq!(values(text, Scope::Image), [flag("env", &["LD_LIBRARY_PATH=/a,b", "LD_PRELOAD=/c"])]);
        assert_eq!(values("level = \"census\"\n", Scope::Image), [flag("level", &["census"])]);
    }

    #[test]
    fn faults_are_named() {
        for (text, words) in [
            ("level = ", "neither valid TOML nor JSON"),
            ("{\"level\": }", "not valid JSON"),
            ("lvl = \"nvml\"", "unknown key 'lvl'; keys are level, gpus"),
            ("level = {}", "'level' must be a string"),
            ("accepted = 1", "'accepted' must be a list"),
            ("accepted = [{id = \"no.such\", reason = \"x\"}]", "there is no finding 'no.such'"),
            ("accepted = [{id = \"device.pcie\", reason = \" \"}]", "without a reason"),
            ("accepted = [{id = \"device.pcie\", reason = \"x\", until = \"soon\"}]", "'accepted' must be"),
            (
                "accepted = [{id = \"device.pcie\", reason = \"x\", until = \"2027-02-30\"}]",
                "'accepted' must be",
            ),
            ("machines = 1", "'machines' must be a table"),
            (
                "machines = {a = {gpu = \"A100\", cuda = 12.2}}",
                "machine 'a': 'cuda' is a number; write it in quotes",
            ),
            ("machines = {a = {gpu = \"A100\", cuda = \"12.2\", open-module = 1}}", "must be true or false"),
        ] {
            let error = error(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
