//! Finds and replaces words that identify people, machines and networks.
//!
//! Paths, versions and names of libraries look much like host names and addresses: what is replaced in a
//! text that people read (`Words::free`) is kept where a finding may depend on it.

use std::collections::BTreeSet;
use std::ops::Range;

use image_audit::secrets;

/// Vendors' sites: their hosts and paths do not identify who fetches from them.
const PUBLIC: [&str; 10] = [
    "anaconda.org",
    "debian.org",
    "docker.com",
    "githubusercontent.com",
    "nvidia.com",
    "pypi.nvidia.com",
    "pypi.org",
    "python.org",
    "pytorch.org",
    "ubuntu.com",
];

/// Last labels of host names; any other is as often the end of a file or module name.
const DOMAINS: [&str; 54] = [
    "ai",
    "app",
    "arpa",
    "at",
    "au",
    "be",
    "ca",
    "ch",
    "cloud",
    "cluster",
    "cn",
    "com",
    "consul",
    "corp",
    "cz",
    "de",
    "dev",
    "edu",
    "es",
    "eu",
    "example",
    "fi",
    "fr",
    "gov",
    "home",
    "in",
    "info",
    "int",
    "internal",
    "intra",
    "intranet",
    "invalid",
    "io",
    "it",
    "jp",
    "kr",
    "lan",
    "local",
    "localdomain",
    "mil",
    "net",
    "nl",
    "no",
    "org",
    "private",
    "prod",
    "ru",
    "se",
    "svc",
    "tech",
    "test",
    "tw",
    "uk",
    "us",
];

pub struct Words<'a> {
    /// Prose: what a library printed, a message, an instruction.
    pub free: bool,
    pub hosts: &'a BTreeSet<String>,
    /// Names, and their replacements.
    pub users: &'a [(String, String)],
    /// Those that are replaced outside of home directories too.
    pub known: &'a BTreeSet<String>,
}

pub fn redact(text: &str, words: &Words) -> String {
    let mut text = text.to_owned();
    if words.free {
        text = without_secrets(&text);
    }
    text = urls(&text);
    let mut hosts: Vec<&String> = words.hosts.iter().filter(|host| words.free || is_distinct(host)).collect();
    hosts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    for host in hosts {
        text = replace(&text, whole(&text, host, "-_"), |_| "HOST".to_owned());
    }
    for name in words.known {
        let word = words.users.iter().find(|(user, _)| user == name).map_or("user", |(_, word)| word);
        // In a path, only a whole component.
        let part_of_word = if words.free { "-_" } else { "-_.+" };
        let found = whole(&text, name, part_of_word).filter(|range| words.free || is_component(&text, range));
        text = replace(&text, found, |_| word.to_owned());
    }
    if words.free { network(&text) } else { text }
}

/// Replaces values of variables wherever they are words of a text; the longest come first.
pub fn variables(text: &str, variables: &[(String, String)]) -> String {
    // Shorter values are ordinary words too.
    let long = variables.iter().filter(|(value, _)| value.len() >= 3);
    let word = |text: String, (value, name): &(String, String)| {
        replace(&text, whole(&text, value, ""), |_| name.clone())
    };
    long.fold(text.to_owned(), word)
}

pub fn moves_cursor(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

pub fn is_secret(name: &str, value: &str) -> bool {
    !secrets::in_environment(&[format!("{name}={value}")]).is_empty()
}

/// The text with each range replaced; ranges are in order.
pub fn replace(
    text: &str,
    ranges: impl Iterator<Item = Range<usize>>,
    word: impl Fn(&str) -> String,
) -> String {
    let (mut out, mut end) = (String::new(), 0);
    for range in ranges {
        out += &text[end..range.start];
        end = range.end;
        out += &word(&text[range]);
    }
    out + &text[end..]
}

/// Places where something begins, in order and without overlap.
fn hits<'t>(text: &'t str, begin: &'t str) -> impl Iterator<Item = usize> + 't {
    text.match_indices(begin).map(|(at, _)| at)
}

/// NAME of `/home/NAME`.
pub fn homes(text: &str) -> impl Iterator<Item = Range<usize>> {
    // The whole text is a path, so a space is part of a name.
    let spaces = text.starts_with('/');
    let ends = move |c: char| "/\\:\"'`,;()=*<>|".contains(c) || (!spaces && c.is_whitespace()) || c == '\n';
    let mut ranges: Vec<Range<usize>> = ["/home/", "/Users/", "\\Users\\"]
        .iter()
        .flat_map(|begin| hits(text, begin).map(|at| at + begin.len()))
        .map(|start| start..text[start..].find(ends).map_or(text.len(), |end| start + end))
        .filter(|range| !matches!(&text[range.clone()], "" | "." | ".."))
        .collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    // `/home/home/x`
    apart(ranges)
}

/// Without ranges that begin within an earlier one.
fn apart(mut ranges: Vec<Range<usize>>) -> impl Iterator<Item = Range<usize>> {
    ranges.dedup_by(|later, first| later.start < first.end);
    ranges.into_iter()
}

const UUID: [usize; 5] = [8, 4, 4, 4, 12];
const UUID_LENGTH: usize = 36;

fn is_uuid(text: &[u8]) -> bool {
    let hexadecimal = |part: &[u8]| part.iter().all(u8::is_ascii_hexdigit);
    text.len() == UUID_LENGTH
        && text.split(|byte| *byte == b'-').map(<[u8]>::len).eq(UUID)
        && text.split(|byte| *byte == b'-').all(hexadecimal)
}

pub fn uuids(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let (mut ranges, mut at) = (Vec::new(), 0);
    // A UUID's first dash is its ninth character.
    while let Some(dash) = bytes[at..].iter().position(|byte| *byte == b'-').map(|dash| at + dash) {
        at = dash + 1;
        let Some(start) = dash.checked_sub(UUID[0]) else { continue };
        let end = start + UUID_LENGTH;
        let apart = |place: Option<usize>| {
            place.and_then(|place| bytes.get(place)).is_none_or(|byte| !byte.is_ascii_alphanumeric())
        };
        if bytes.get(start..end).is_some_and(is_uuid) && apart(start.checked_sub(1)) && apart(Some(end)) {
            ranges.push(start..end);
            at = end;
        }
    }
    ranges.into_iter()
}

/// A prefix of a UUID, after `GPU-` or `MIG-`.
pub fn beginnings(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut ranges: Vec<Range<usize>> = ["GPU-", "MIG-"]
        .iter()
        .flat_map(|begin| hits(text, begin).map(|at| at + begin.len()))
        .filter_map(|start| {
            let rest = &text[start..];
            let end = rest.find(|c: char| !c.is_ascii_hexdigit() && c != '-').unwrap_or(rest.len());
            let is_word = rest[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
            let full = end == UUID_LENGTH;
            (end >= 2 && !full && !is_word && !rest.starts_with('-')).then_some(start..start + end)
        })
        .collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges.into_iter()
}

/// Occurrences of a word as a whole; `joins` are characters that make it part of a longer one.
fn whole<'t>(text: &'t str, word: &'t str, joins: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    let joined = |c: char| c.is_alphanumeric() || joins.contains(c);
    hits(text, word)
        .map(|start| start..start + word.len())
        .filter(move |range| !text[..range.start].ends_with(joined) && !text[range.end..].starts_with(joined))
}

fn is_component(text: &str, range: &Range<usize>) -> bool {
    text[..range.start].ends_with('/') && text[range.end..].chars().next().is_none_or(|c| "/:".contains(c))
}

/// Whether a host name is unlikely to be a word in the path of a library.
fn is_distinct(host: &str) -> bool {
    let ordinary = ["cu", "nvidia", "python", "lib", "sm_", "torch", "x86"];
    host.len() >= 5
        && host.bytes().any(|byte| byte.is_ascii_digit())
        && host.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !ordinary.iter().any(|begin| host.starts_with(begin))
}

/// Removes secrets from lines, and lines that still look like a secret.
fn without_secrets(text: &str) -> String {
    if text.contains("PRIVATE KEY") {
        return "...".to_owned();
    }
    let lines = text.split_inclusive('\n').map(|line| {
        let bare = line.trim_end_matches('\n');
        cut_words(bare) + &line[bare.len()..]
    });
    lines.collect()
}

fn cut_words(line: &str) -> String {
    let (mut out, mut before) = (String::new(), "");
    for word in line.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let end = &word[bare.len()..];
        let label = before.trim_matches(|c| "\"':{,-".contains(c));
        let value = bare.trim_matches(|c| "\"',;})".contains(c));
        let announced = matches!(label.to_ascii_lowercase().as_str(), "bearer" | "basic")
            || (before.ends_with([':', '=']) || before.starts_with("--")) && is_secret(label, value);
        let web_token = bare.contains("eyJ") && bare.len() >= 20;
        let named = bare.split_once('=').filter(|(name, value)| {
            is_secret(name.trim_start_matches('-'), value.trim_matches(|c| "\"',;".contains(c)))
        });
        match named {
            Some((name, _)) => out += &format!("{name}=..."),
            None if announced || web_token || is_secret("", value) => out += "...",
            None => out += bare,
        }
        out += end;
        before = bare;
    }
    // A secret without a delimited value, as in `echo root:x | chpasswd`.
    if out == line && !secrets::in_history(&[out.clone()]).is_empty() { "...".to_owned() } else { out }
}

fn is_public(host: &str) -> bool {
    PUBLIC
        .iter()
        .any(|site| host.strip_suffix(site).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// `https://HOST/...`, in place of all that may be private.
fn urls(text: &str) -> String {
    let ranges = hits(text, "://").filter_map(|at| {
        let start = at + 3;
        let end = text[start..].find(|c: char| c.is_whitespace() || "\"'`<>)\\,;".contains(c));
        let range = start..end.map_or(text.len(), |end| start + end);
        // `file:///x` names no host.
        (!range.is_empty() && !text[range.clone()].starts_with('/')).then_some(range)
    });
    replace(text, apart(ranges.collect()), |url| {
        let (rest, query) = url.split_once(['?', '#']).map_or((url, false), |(rest, _)| (rest, true));
        let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
        match path {
            _ if is_public(host) => format!("{rest}{}", if query { "?..." } else { "" }),
            Some(path) if !path.is_empty() => "HOST/...".to_owned(),
            _ => "HOST".to_owned(),
        }
    })
}

/// E-mail addresses, host names and addresses, word by word.
fn network(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._-:@+%".contains(c);
    let (mut out, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(is_part) {
        let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |end| start + end);
        let before = &rest[..start];
        out += before;
        let word = &rest[start..end];
        let path = out.ends_with(['/', '\\']);
        // `package==12.4.5.8` is a version.
        let version = out.ends_with("==");
        out += &if path || version { word.to_owned() } else { address(word) };
        rest = &rest[end..];
    }
    out + rest
}

/// The word, or its replacement.
fn address(word: &str) -> String {
    let trimmed = word.trim_end_matches(['.', ':', '-']);
    let end = &word[trimmed.len()..];
    if let Some((_, host)) = trimmed.split_once('@')
        && is_host(host.split(':').next().unwrap_or_default())
    {
        return format!("user@HOST{end}");
    }
    let (host, port) = match trimmed.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (trimmed, None),
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    if is_version_4(host) && !matches!(host, "127.0.0.1" | "0.0.0.0") {
        return format!("ADDRESS{port}{end}");
    }
    if is_host(host) && !is_public(&host.to_ascii_lowercase()) {
        return format!("HOST{port}{end}");
    }
    if is_version_6(trimmed) || is_hardware(trimmed) { format!("ADDRESS{end}") } else { word.to_owned() }
}

fn is_host(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let labels: Vec<&str> = word.split('.').collect();
    let plain = |label: &&str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    labels.len() >= 2
        && labels.iter().all(plain)
        && labels.last().is_some_and(|last| DOMAINS.contains(last))
        && labels.iter().any(|label| label.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

fn is_version_4(word: &str) -> bool {
    let numbers: Vec<&str> = word.split('.').collect();
    numbers.len() == 4 && numbers.iter().all(|number| number.parse::<u8>().is_ok())
}

/// An IPv6 address.
fn is_version_6(word: &str) -> bool {
    let word = word.split('%').next().unwrap_or_default();
    word.bytes().any(|byte| byte.is_ascii_digit())
        && word != "::1"
        && word.parse::<std::net::Ipv6Addr>().is_ok()
}

/// A MAC address.
fn is_hardware(word: &str) -> bool {
    let parts: Vec<&str> = word.split(':').collect();
    parts.len() == 6
        && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prose(text: &str) -> String {
        let none = BTreeSet::new();
        redact(text, &Words { free: true, hosts: &none, users: &[], known: &none })
    }

    #[test]
    fn networks() {
        for (text, left) in [
            ("connect to db01.corp.example:5432 failed", "connect to HOST:5432 failed"),
            (
                "license server 10.20.30.40, fe80::1ff:fe23, 00:1b:44:11:3a:b7.",
                "license server ADDRESS, ADDRESS, ADDRESS.",
            ),
            ("mail bob@acme.example now", "mail user@HOST now"),
            ("git clone git@git.acme.dev:team/x.git", "git clone user@HOST/x.git"),
            (
                "pip install -i https://pypi.acme.dev:8080/simple?x=1 torch",
                "pip install -i https://HOST/... torch",
            ),
            ("FROM registry.acme.example/team/x:1", "FROM HOST/team/x:1"),
            // Not addresses, though they look similar.
            (
                "curl https://download.pytorch.org/whl/cu121?k=v",
                "curl https://download.pytorch.org/whl/cu121?...",
            ),
            (
                "libcuda.so.1: cannot open /etc/ld.so.conf.d/x.conf",
                "libcuda.so.1: cannot open /etc/ld.so.conf.d/x.conf",
            ),
            (
                "pip install nvidia-cublas-cu12==12.4.5.8 a.b.c.py",
                "pip install nvidia-cublas-cu12==12.4.5.8 a.b.c.py",
            ),
            (
                "GPU 00000000:01:00.0 in torch.nn.functional c10::Error",
                "GPU 00000000:01:00.0 in torch.nn.functional c10::Error",
            ),
            ("file:///usr/lib ::1 127.0.0.1:80 535.104.05", "file:///usr/lib ::1 127.0.0.1:80 535.104.05"),
        ] {
            assert_eq!(prose(text), left);
        }
    }

    #[test]
    fn secrets_go() {
        for (text, left) in [
            ("RUN x --build-arg TOKEN=Zq7XwV9tKmB2s y", "RUN x --build-arg TOKEN=... y"),
            ("Authorization: Bearer Zq7XwV9t", "Authorization: Bearer ..."),
            ("password: Zq7XwV9t\nnext line", "password: ...\nnext line"),
            ("login --password Zq7XwV9t", "login --password ..."),
            ("use ghp_Zq7XwV9tKmB2sLcR8nYdPfJh3GvT5aUeW1oQ!", "use ..."),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln", "jwt ..."),
            ("echo root:Zq7XwV9t | chpasswd", "..."),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "..."),
        ] {
            assert_eq!(prose(text), left);
        }
    }

    #[test]
    fn homes_end_where_names_do() {
        let names = |text: &str| homes(text).map(|range| text[range].to_owned()).collect::<Vec<_>>();
        assert_eq!(names("/home/a/x:/mnt/c/Users/John Doe/y:/home/b"), ["a", "John Doe", "b"]);
        assert_eq!(names("in /home/a b, C:\\Users\\c\\d and /home/"), ["a", "c"]);
    }
}
