//! What secrets look like: prefixes of tokens, private keys, passwords in URLs, and names of variables.
//!
//! Every function returns a kind, never text of its input, and takes linear time.

use super::kind::Kind;

/// A kind of token: its prefix, and the least number of characters that follow.
struct Token {
    prefix: &'static str,
    least: usize,
    /// Whether dashes and underscores may be among letters and digits.
    dashes: bool,
    kind: Kind,
}

const fn token(prefix: &'static str, least: usize, dashes: bool) -> Token {
    Token { prefix, least, dashes, kind: Kind::Token }
}

const fn cloud(prefix: &'static str, least: usize) -> Token {
    Token { prefix, least, dashes: true, kind: Kind::CloudCredentials }
}

const fn registry(prefix: &'static str, least: usize) -> Token {
    Token { prefix, least, dashes: true, kind: Kind::RegistryCredentials }
}

static TOKENS: [Token; 20] = [
    token("ghp_", 36, false),
    token("gho_", 36, false),
    token("ghu_", 36, false),
    token("ghs_", 36, false),
    token("ghr_", 36, false),
    token("github_pat_", 22, true),
    token("glpat-", 20, true),
    token("hf_", 30, false),
    token("sk-", 32, true),
    token("xoxa-", 20, true),
    token("xoxb-", 20, true),
    token("xoxp-", 20, true),
    token("xoxr-", 20, true),
    token("xoxs-", 20, true),
    token("nvapi-", 40, true),
    cloud("AIza", 35),
    cloud("AKIA", 16),
    registry("npm_", 36),
    registry("pypi-AgEI", 40),
    registry("dckr_pat_", 20),
];

/// Longer tokens are truncated, which keeps the cost linear.
const LONGEST: usize = 256;

/// A token, private key or URL with a password anywhere in a text.
pub fn value(text: &str) -> Option<Kind> {
    if has_private_key(text) {
        return Some(Kind::PrivateKey);
    }
    TOKENS.iter().find(|token| token.is_in(text)).map(|token| token.kind).or_else(|| in_url(text))
}

impl Token {
    fn is_in(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        memchr::memmem::find_iter(bytes, self.prefix).any(|start| {
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            if start.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(is_word) {
                return false;
            }
            let rest = &bytes[start + self.prefix.len()..];
            let fits =
                |byte: &&u8| byte.is_ascii_alphanumeric() || (self.dashes && matches!(byte, b'_' | b'-'));
            let length = rest.iter().take(LONGEST).take_while(fits).count();
            length >= self.least && self.is_genuine(&rest[..length])
        })
    }

    /// Not a placeholder such as `hf_xxxx`, nor words with dashes between them.
    fn is_genuine(&self, rest: &[u8]) -> bool {
        let mut seen = [false; 256];
        rest.iter().for_each(|byte| seen[usize::from(*byte)] = true);
        let is_varied = seen.iter().filter(|seen| **seen).count() >= 8;
        let run = rest.split(|byte| !byte.is_ascii_alphanumeric()).map(<[u8]>::len).max().unwrap_or(0);
        let is_key_id =
            self.prefix != "AKIA" || rest.len() == self.least && !rest.iter().any(u8::is_ascii_lowercase);
        let text = String::from_utf8_lossy(rest);
        is_varied && run >= 12 && is_key_id && !is_placeholder(&text)
    }
}

/// Whether there is the header of a private key, followed by something that may be its body.
pub fn has_private_key(text: &str) -> bool {
    if text.starts_with("PuTTY-User-Key-File-") {
        return true;
    }
    let bytes = text.as_bytes();
    memchr::memmem::find_iter(bytes, "-----BEGIN ").any(|at| {
        let rest = &bytes[at + "-----BEGIN ".len()..];
        // The algorithm is a word or two.
        let title = &rest[..rest.len().min(40)];
        let Some(key) = memchr::memmem::find(title, b"PRIVATE KEY") else { return false };
        has_body(&rest[key + "PRIVATE KEY".len()..])
    })
}

fn has_body(text: &[u8]) -> bool {
    let is_body = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    text.iter().take(400).filter(is_body).count() >= 40
}

/// A password, or a token instead of a user, in a URL.
pub fn in_url(text: &str) -> Option<Kind> {
    memchr::memmem::find_iter(text.as_bytes(), "://").find_map(|at| {
        let rest = &text[at + 3..];
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'`<>\\".contains(c));
        let authority = &rest[..end.unwrap_or(rest.len())];
        let (user, host) = authority.rsplit_once('@')?;
        match user.split_once(':') {
            Some((_, password)) => {
                (!is_placeholder(password) && !is_sample(password)).then_some(Kind::Password)
            }
            None => (is_token(user) && !host.contains("sentry")).then_some(Kind::Token),
        }
    })
}

/// Whether it is random rather than a name.
fn is_token(user: &str) -> bool {
    let letters = user.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = user.bytes().filter(u8::is_ascii_digit).count();
    user.len() >= 20 && letters >= 4 && digits >= 4 && letters + digits + 2 >= user.len()
}

/// Passwords in documentation.
fn is_sample(password: &str) -> bool {
    matches!(
        password.to_ascii_lowercase().as_str(),
        "password" | "pass" | "passwd" | "pw" | "token" | "secret"
    )
}

const PLACEHOLDERS: [&str; 22] = [
    "", "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "0", "1", "empty", "unset",
    "unused", "todo", "default", "random", "auto", "na", "n/a", "required",
];

const PLACEHOLDER_PARTS: [&str; 14] = [
    "example",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "redacted",
    "dummy",
    "your-",
    "your_",
    "<your",
    "insert-",
    "not-needed",
    "no-key",
    "xxxxxx",
];

/// Whether a value is not a secret: empty, a variable, or an example.
pub fn is_placeholder(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    let lower = value.to_ascii_lowercase();
    let first = value.as_bytes().first();
    PLACEHOLDERS.contains(&lower.as_str())
        || matches!(first, Some(b'$' | b'`' | b'<' | b'{' | b'[' | b'%'))
        || ["${", "$("].iter().any(|variable| value.contains(variable))
        || value.bytes().all(|byte| Some(&byte) == first || byte == b'.')
        || PLACEHOLDER_PARTS.iter().any(|part| lower.contains(part))
}

/// The kind of secret in a variable, by its name. The value can only rule it out.
pub fn variable(name: &str, value: &str) -> Option<Kind> {
    let kind = name_kind(name)?;
    let value = value.trim().trim_matches(['"', '\'']);
    if is_placeholder(value) || is_path(value) {
        return None;
    }
    // Not a token count or the special token of a model.
    let is_number = value.len() < 10 && value.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = value.len() >= 6 && !value.bytes().any(|byte| byte.is_ascii_whitespace());
    (kind == Kind::Password || (is_word && !is_number)).then_some(kind)
}

/// Endings of names.
const NAMES: [(&str, Kind); 18] = [
    ("TOKEN", Kind::Token),
    ("SECRET", Kind::Token),
    ("APIKEY", Kind::Token),
    ("API_KEY", Kind::Token),
    ("SECRET_KEY", Kind::Token),
    ("AUTH_KEY", Kind::Token),
    ("SIGNING_KEY", Kind::Token),
    ("ENCRYPTION_KEY", Kind::Token),
    ("AUTHTOKEN", Kind::Token),
    ("ACCESS_KEY", Kind::CloudCredentials),
    ("ACCOUNT_KEY", Kind::CloudCredentials),
    ("CONNECTION_STRING", Kind::CloudCredentials),
    ("PRIVATE_KEY", Kind::PrivateKey),
    ("PASSWORD", Kind::Password),
    ("PASSWD", Kind::Password),
    ("PASSPHRASE", Kind::Password),
    ("PWD", Kind::Password),
    ("CREDENTIALS", Kind::Token),
];

/// Endings of names that describe a secret rather than contain it.
const ABOUT: [&str; 14] = [
    "FILE", "PATH", "DIR", "LENGTH", "POLICY", "MIN", "MAX", "STDIN", "STORE", "COMMAND", "CMD", "PROMPT",
    "TYPE", "REQUIRED",
];

fn name_kind(name: &str) -> Option<Kind> {
    if !is_name(name) {
        return None;
    }
    let name = name.trim_matches('-').to_ascii_uppercase().replace(['-', '.'], "_");
    if matches!(name.as_str(), "PWD" | "OLDPWD") {
        return None;
    }
    let of_cloud = ["AWS_", "AZURE_", "GOOGLE_", "GCP_", "GCLOUD_", "ALIYUN_"];
    let is_cloud = of_cloud.iter().any(|cloud| name.starts_with(cloud));
    let ends = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'));
    let kind = NAMES.iter().find(|(end, _)| ends(end)).map(|(_, kind)| *kind).or_else(|| {
        let last = name.rsplit('_').next().unwrap_or(&name);
        (name.contains("PASSWORD") && !ABOUT.contains(&last)).then_some(Kind::Password)
    })?;
    Some(if is_cloud && kind == Kind::Token { Kind::CloudCredentials } else { kind })
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.len() <= 80 && name.bytes().all(is_part)
}

/// A name that can be shown. A name that contains a secret is withheld.
pub fn shown(name: &str) -> &str {
    if is_name(name) && value(name).is_none() { name } else { "(name withheld)" }
}

/// Whether a value is the path of a file. Random text may begin with a slash, too.
fn is_path(value: &str) -> bool {
    const TOPS: [&str; 16] = [
        "app",
        "data",
        "dev",
        "etc",
        "home",
        "mnt",
        "opt",
        "proc",
        "root",
        "run",
        "secrets",
        "srv",
        "tmp",
        "usr",
        "var",
        "workspace",
    ];
    let top = value.strip_prefix('/').and_then(|rest| rest.split('/').next());
    top.is_some_and(|top| TOPS.contains(&top))
        || ["./", "~/", "file:"].iter().any(|start| value.starts_with(start))
}
