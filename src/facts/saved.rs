//! Facts in a file: what `--save-facts` writes and `--from-facts` reads.
//!
//! The file is for public bug trackers, and facts can identify people and sites. While they are saved, and never
//! while they are judged, `redact.rs` replaces, each by the same word everywhere:
//!
//! - names in home directories (`/home/NAME`, `/Users/NAME`), and of the user that saves, where they are a
//!   part of a path or a word of a text;
//! - the machine's host name, and host names, addresses, URLs and e-mail addresses in texts, except those of
//!   vendors' public sites; the API server's address is `set`;
//! - values of environment variables that facts do not record, where a text repeats them;
//! - UUIDs, of GPUs and of pods: numbered, so that equal ones stay equal and prefixes stay prefixes;
//! - names of machines that were described: machine1, machine2;
//! - registry and repository of an image, and the directories above a root: the last part is kept, with tag;
//! - the name in an image's USER, unless it is root; lines and words that look like a secret.
//!
//! Not replaced: other paths of the image, packages and their versions, names and PCI addresses of GPUs,
//! digests of layers, values of the variables that are recorded (`host/environment.rs`).
//!
//! What is read is not trusted: its size, depth, numbers and characters are bounded here, so that no check
//! has to. A change of any type of facts that older files do not fit raises [`SCHEMA`].

mod redact;
mod text;
mod upgrade;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::Access;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Facts;
use super::target_machine::{TargetMachine, is_driver};

/// The version of the file and of all that is in it.
const SCHEMA: u32 = 3;

/// The oldest that is still read; `upgrade.rs` knows what has changed since.
const OLDEST: u32 = 1;

/// The facts of a toolkit beside PyTorch, 30,000 files, are a fiftieth of this. In memory, they are larger.
const LARGEST: u64 = 8 << 20;

/// Limit for the sum of all numbers, so that no partial sum overflows.
const MOST: u128 = 1 << 56;

const ANEW: &str = "save the facts again with --save-facts";

#[derive(Debug, Deserialize)]
pub struct Saved {
    pub facts: Facts,
    /// From start to report, of the run that was saved.
    pub seconds: f64,
}

#[derive(Serialize)]
struct Document {
    schema: u32,
    version: &'static str,
    seconds: f64,
    facts: Value,
}

/// Read first, to see whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    schema: u32,
    #[serde(default)]
    version: String,
}

/// Refuses a file that cannot be written before anything is run. Creates none, because an audit would see it.
pub fn refuse_unwritable(file: &Path) -> Result<()> {
    let parent = match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => file,
    };
    let place = if file.exists() { file } else { parent };
    let access = rustix::fs::access(place, Access::WRITE_OK);
    access.with_context(|| cannot_write(file))?;
    if file.is_dir() {
        bail!("{}: it is a directory", cannot_write(file));
    }
    Ok(())
}

fn cannot_write(file: &Path) -> String {
    format!("cannot write facts to {}", file.display())
}

pub fn save(file: &Path, facts: &Facts, seconds: f64) -> Result<()> {
    let mut value = serde_json::to_value(facts)?;
    redact::redact(&mut value, &redact::Here::look(&facts.host.environment));
    let document = Document { schema: SCHEMA, version: env!("CARGO_PKG_VERSION"), seconds, facts: value };
    let text = serde_json::to_string_pretty(&document)? + "\n";
    let written = File::create(file).and_then(|mut out| out.write_all(text.as_bytes()));
    written.with_context(|| cannot_write(file))
}

pub fn read(file: &Path) -> Result<Saved> {
    let name = file.display();
    // A read from a FIFO may never return, one from a device never end.
    let odd = fs::metadata(file).is_ok_and(|metadata| !metadata.is_file());
    if odd && file != Path::new("/dev/stdin") {
        bail!(
            "cannot read facts from {name}: it is neither a file nor /dev/stdin; use a file that --save-facts wrote"
        );
    }
    let mut bytes = Vec::new();
    File::open(file).and_then(|opened| opened.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(
        |error| anyhow!("cannot read facts from {name}: {error}; use a file that --save-facts wrote"),
    )?;
    if bytes.len() as u64 > LARGEST {
        bail!(
            "{name} is larger than {} MiB, so it is not a facts file; use a file that --save-facts wrote",
            LARGEST >> 20
        );
    }
    parse(&bytes).with_context(|| format!("{name} cannot be used"))
}

fn parse(bytes: &[u8]) -> Result<Saved> {
    let head: Head = serde_json::from_slice(bytes).map_err(|error| {
        anyhow!("it is not a facts file, or it is truncated: {error}; use a file that --save-facts wrote")
    })?;
    // Untrusted text that is printed to a terminal.
    let version: String = head.version.chars().filter(char::is_ascii_graphic).take(40).collect();
    let ours = env!("CARGO_PKG_VERSION");
    if !(OLDEST..=SCHEMA).contains(&head.schema) {
        let age = if head.schema > SCHEMA { "newer" } else { "older" };
        bail!(
            "its schema {} is {age} than schema {SCHEMA} of cudacheck {ours}; use cudacheck {version}, which wrote \
             it, or {ANEW}",
            head.schema
        );
    }
    let refused = |error: serde_json::Error| match version.as_str() {
        same if same == ours => {
            anyhow!("it is damaged or was written by another build of cudacheck {ours}: {error}; {ANEW}")
        }
        other => anyhow!("cudacheck {ours} cannot read the facts of cudacheck {other}: {error}; {ANEW}"),
    };
    let mut value: Value = serde_json::from_slice(bytes).map_err(refused)?;
    if !plain_keys(&value) {
        bail!("it contains names with control characters; {ANEW}");
    }
    if let Some(facts) = value.get_mut("facts") {
        if head.schema < 2 {
            upgrade::from_1(facts);
        }
        if head.schema < 3 {
            upgrade::from_2(facts);
        }
    }
    // After the upgrade, which turns words into numbers.
    let mut sum = 0;
    bound(&mut value, &mut sum);
    if sum > MOST {
        bail!("it contains numbers that are too large; {ANEW}");
    }
    let mut saved: Saved = serde_json::from_value(value).map_err(refused)?;
    // Verdicts follow from the other facts; those in the file are not trusted.
    saved.facts.census.decide();
    sound(&saved)?;
    Ok(saved)
}

/// Whether no key has control characters: keys are names of variables, and are printed unchanged.
fn plain_keys(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().all(plain_keys),
        Value::Object(values) => {
            let moves = |c: char| c == '\n' || text::moves_cursor(c);
            values.iter().all(|(key, value)| !key.contains(moves) && plain_keys(value))
        }
        _ => true,
    }
}

/// Adds up the numbers, and removes characters that move a terminal's cursor.
fn bound(value: &mut Value, sum: &mut u128) {
    match value {
        Value::Number(number) => {
            *sum += number.as_i64().map(i64::unsigned_abs).or(number.as_u64()).map_or(0, u128::from);
        }
        Value::String(text) if text.contains(text::moves_cursor) => text.retain(|c| !text::moves_cursor(c)),
        Value::Array(values) => values.iter_mut().for_each(|value| bound(value, sum)),
        Value::Object(values) => {
            // A bit mask; it is never summed.
            values
                .iter_mut()
                .filter(|(key, _)| *key != "capabilities")
                .for_each(|(_, value)| bound(value, sum));
        }
        _ => {}
    }
}

/// Checks what the types do not enforce.
fn sound(saved: &Saved) -> Result<()> {
    let facts = &saved.facts;
    let request = &facts.request;
    let times = [saved.seconds, request.timeout_seconds, facts.census.seconds];
    if times.iter().any(|seconds| !(0.0..1e9).contains(seconds)) {
        bail!("it contains invalid times; {ANEW}");
    }
    let devices = facts.probes.iter().flat_map(super::probe::ProbeRun::devices);
    let mut capabilities = devices.flat_map(|device| [device.capability.0, device.capability.1]);
    if capabilities.any(|number| !(0..1000).contains(&number)) {
        bail!("it contains invalid compute capabilities; {ANEW}");
    }
    // By the rules of the command line.
    let described = |node: &TargetMachine| {
        (20..1000).contains(&node.gpu)
            && node.driver.as_deref().is_none_or(is_driver)
            && !node.name.contains(char::is_control)
    };
    if !request.machines.iter().all(described) {
        bail!("it contains an invalid machine description; {ANEW}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;

    fn document(facts: &Facts) -> Value {
        let mut facts = serde_json::to_value(facts).unwrap();
        facts["request"]["level"] = "gemm".into();
        serde_json::json!({ "schema": SCHEMA, "version": "0.1.0", "seconds": 0.5, "facts": facts })
    }

    fn error(text: &str) -> String {
        format!("{:#}", parse(text.as_bytes()).unwrap_err())
    }

    #[test]
    fn what_was_written_is_read() {
        let mut facts = Facts::default();
        facts.request.level = Level::Gemm;
        facts.census.seconds = 0.1 + 0.2;
        facts.host.process.capabilities = u64::MAX;
        let saved = parse(document(&facts).to_string().as_bytes()).unwrap();
        assert_eq!(saved.facts, facts);
    }

    /// The files were written by schema 2 from those of schema 1, and are never written again.
    #[test]
    fn facts_of_schema_2_load_unchanged() {
        let facts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/facts");
        let files: Vec<_> =
            fs::read_dir(facts.join("v2")).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 5, "{files:?}");
        for file in files {
            let former = read(&facts.join("v1").join(file.file_name().unwrap())).unwrap();
            assert_eq!(read(&file).unwrap().facts, former.facts, "{}", file.display());
        }
    }

    #[test]
    fn other_versions_are_told_what_to_do() {
        let newer = error(r#"{"schema": 4, "version": "9.9.9\u001b[2J", "facts": {"other": []}}"#);
        assert!(
            newer.contains("newer than schema 3") && newer.contains("use cudacheck 9.9.9[2J, which"),
            "{newer}"
        );
        assert!(error(r#"{"schema": 0, "version": "0.0.1"}"#).contains("older than schema 3"));
        let other = error(r#"{"schema": 3, "version": "0.0.9", "seconds": 1, "facts": {"request": {}}}"#);
        assert!(other.contains("of cudacheck 0.0.9") && other.contains(ANEW), "{other}");
    }

    #[test]
    fn numbers_in_sentences_of_schema_1_are_bounded_too() {
        let why = format!("busy: {} MiB of GPU memory are free, a context may take 640", u64::MAX);
        let left = serde_json::json!({ "stage": "context", "gpu": 0, "seconds": 0.1, "outcome": { "skipped": why } });
        let run = serde_json::json!({
            "target": { "gpu": 0 }, "way": null, "events": [{ "left": left }], "ending": { "exited": { "code": 0 } },
            "noise": "", "seconds": 0.1,
        });
        let mut document = document(&Facts::default());
        document["schema"] = 1.into();
        document["facts"]["probes"] = serde_json::json!([run]);
        assert!(error(&document.to_string()).contains("numbers"));
    }

    #[test]
    fn hostile_files_are_errors() {
        let deep = format!("{{\"schema\": 3, \"facts\": {}", "[".repeat(1_000_000));
        let whole = document(&Facts::default()).to_string();
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"schema": -1}"#,
            r#"{"schema": 1e99}"#,
            &deep,
            &whole[..whole.len() / 2],
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{:.40}", text);
        }
        assert!(parse(&[0xff, 0xfe]).is_err());
        let with = |place: &str, wrong: Value| {
            let mut document = document(&Facts::default());
            *document.pointer_mut(place).unwrap() = wrong;
            error(&document.to_string())
        };
        assert!(with("/facts/census/entries", u64::MAX.into()).contains("numbers that are too large"));
        assert!(with("/facts/census/seconds", (-1.0).into()).contains("invalid times"));
        let node = |key: &str, wrong: Value| {
            let mut node = serde_json::json!({ "name": "a", "gpu": 90, "driver": "535.104.05", "cuda": null,
                "open_module": null, "datacenter": null });
            node[key] = wrong;
            let mut document = document(&Facts::default());
            document["facts"]["request"]["machines"] = serde_json::json!([node]);
            parse(document.to_string().as_bytes()).map(drop).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(node("gpu", 90.into()), Ok(()));
        for (key, wrong) in [
            ("gpu", Value::from(19)),
            ("gpu", 1000.into()),
            ("driver", "535; rm".into()),
            ("name", "a\nb".into()),
        ] {
            let error = node(key, wrong).unwrap_err();
            assert!(error.contains("invalid machine description"), "{key}: {error}");
        }
        let key = |name: &str| with("/facts/host/environment", serde_json::json!({ name: "x" }));
        assert!(key("A\u{1b}[2J").contains("names with control characters"));
        assert!(with("/facts/request/level", "all".into()).contains("it is damaged"));
    }
}
