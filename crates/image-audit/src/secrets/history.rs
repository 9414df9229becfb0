//! Secrets in the history of an image: variables, arguments and commands of its instructions.
//!
//! A line is `created_by` of the image configuration, as written by BuildKit and the legacy builder.

use super::kind::{Kind, Secret};
use super::patterns;

/// Checks the lines of the history, in order, including those without a layer.
pub fn in_history(created_by: &[String]) -> Vec<Secret> {
    let mut found: Vec<Secret> = Vec::new();
    for (index, line) in created_by.iter().enumerate() {
        let before = found.len();
        let mut add = |what: &str, kind| {
            let secret = Secret { place: format!("history line {} ({what})", index + 1), kind };
            if !found[before..].contains(&secret) {
                found.push(secret);
            }
        };
        inspect(line, &mut add);
    }
    found
}

fn inspect(line: &str, add: &mut impl FnMut(&str, Kind)) {
    // Before the mark of the legacy builder stands its shell, or whatever somebody wrote there.
    if let Some((before, _)) = line.split_once("#(nop)") {
        inspect_part("RUN", before, add);
    }
    let (instruction, text) = instruction(line);
    inspect_part(instruction, text, add);
}

fn inspect_part(instruction: &str, text: &str, add: &mut impl FnMut(&str, Kind)) {
    let mut named = false;
    let mut add_named = |name: &str, kind, arguments: bool| {
        let instruction = if arguments { "ARG" } else { instruction };
        add(&format!("{instruction} {}", patterns::shown(name)), kind);
        named = true;
    };
    // `|2 A=x B=y /bin/sh -c ...`: the values of build arguments.
    let mut arguments = text.starts_with('|');
    let mut words = text.split_whitespace().map(bare).peekable();
    while let Some(word) = words.next() {
        arguments &= word.starts_with('|') || word.contains('=');
        match word.split_once('=') {
            Some((name, value)) => {
                let value = value.trim_end_matches([';', '&', ',', ')', ']']);
                if let Some(kind) = patterns::variable(name, value) {
                    add_named(name.trim_start_matches('-'), kind, arguments);
                }
            }
            // `--password x`: the next word is the value and no longer a word of its own.
            None if word.starts_with("--") => {
                let name = word.trim_matches(['-', '"', '\'', ',']);
                let value = words.peek().copied().filter(|value| !value.starts_with('-'));
                if let Some(kind) = value.and_then(|value| patterns::variable(name, value)) {
                    add_named(name, kind, false);
                    words.next();
                }
            }
            None => {}
        }
    }
    // Report a secret without a name only if none with a name was found.
    let unnamed = patterns::value(text).or_else(|| in_query(text)).or_else(|| chpasswd(text));
    if let Some(kind) = unnamed.filter(|_| !named) {
        add(instruction, kind);
    }
}

const INSTRUCTIONS: [&str; 17] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// The instruction and its arguments.
fn instruction(line: &str) -> (&'static str, &str) {
    let line = line.trim_start();
    let line = line.split_once("#(nop)").map_or(line, |(_, rest)| rest).trim_start();
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match INSTRUCTIONS.iter().find(|name| **name == first) {
        Some(name) => (name, rest),
        None if first == "RUN" => ("RUN", rest.trim_start()),
        None => ("RUN", line),
    }
}

/// A word without the quotes and brackets around it.
fn bare(word: &str) -> &str {
    word.trim_start_matches(['"', '\'', '[', '(', '{', ','])
}

/// `https://host/?private_token=x`
fn in_query(text: &str) -> Option<Kind> {
    let words = text.split_whitespace().filter(|word| word.contains("://"));
    let mut pairs = words.filter_map(|word| word.split_once('?')).flat_map(|(_, query)| query.split('&'));
    pairs.find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        patterns::variable(name, value.trim_end_matches(['"', '\'', ')', ';']))
    })
}

/// `echo root:password | chpasswd`
fn chpasswd(text: &str) -> Option<Kind> {
    let (before, _) = text.split_once("chpasswd")?;
    let (_, echoed) = before.rsplit_once("echo ")?;
    let (_, password) = echoed.trim().trim_end_matches(['|', ' ', '"', '\'']).rsplit_once(':')?;
    (!patterns::is_placeholder(password)).then_some(Kind::Password)
}
