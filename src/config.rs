//! The configuration: what flags say, written down as JSON.
//!
//! Keys are the long flags of the main command. A flag goes before a variable, a variable before the
//! file; values are parsed and refused by the flag's own rules.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

const KEYS: [&str; 6] = ["level", "gpus", "require-gpus", "timeout", "format", "fail-on"];

const EXAMPLE: &str = "an object in JSON, such as {\"level\": \"driver\"}";

/// The file as arguments, to be put before those of the command line, which override them.
pub fn arguments(path: &Path) -> Result<Vec<OsString>> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {name}: name a file that exists"))?;
    let config: BTreeMap<String, Value> =
        serde_json::from_str(&text).with_context(|| format!("{name} is no configuration: {EXAMPLE}"))?;
    let mut arguments = Vec::new();
    for (key, value) in config {
        if !KEYS.contains(&key.as_str()) {
            bail!("{name} has an unknown key '{key}'; keys are {}", KEYS.join(", "));
        }
        let variable = format!("CUDACHECK_{}", key.to_ascii_uppercase().replace('-', "_"));
        if std::env::var_os(variable).is_none() {
            let value =
                spelled(&value).with_context(|| format!("{name}: '{key}' takes what --{key} takes"))?;
            arguments.push(format!("--{key}={value}").into());
        }
    }
    Ok(arguments)
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
