//! Files that contain secrets: which, and where in them. Comment lines are ignored.

use super::kind::{Kind, Secret};
use super::patterns;
use crate::path_index::Index;

/// Bytes of a file that are inspected.
pub const LIMIT: usize = 64 * 1024;

/// Longer values are truncated.
const LONGEST: usize = 256;

/// How a file stores secrets.
#[derive(Clone, Copy)]
enum Format {
    /// As the value of one of these keys, in any syntax, or in a URL.
    Keys(&'static [&'static str], Kind),
    /// `password VALUE`, as in netrc.
    Words,
    /// `NAME=value`
    Environment,
    /// The whole content.
    Whole,
    PrivateKey,
    /// The second field of a line.
    Shadow,
}

const GOOGLE: Format =
    Format::Keys(&["private_key", "refresh_token", "client_secret"], Kind::CloudCredentials);
const DOCKER: Format = Format::Keys(&["auth", "identitytoken", "registrytoken"], Kind::RegistryCredentials);
const AWS: Format = Format::Keys(&["aws_secret_access_key", "aws_session_token"], Kind::CloudCredentials);
const CARGO: Format = Format::Keys(&["token"], Kind::RegistryCredentials);
const GIT: Format = Format::Keys(&["AUTHORIZATION"], Kind::Token);
const INDEX_OF_PACKAGES: Format = Format::Keys(&["password"], Kind::RegistryCredentials);

/// By the end of the path.
static FILES: [(&str, Format); 37] = [
    ("/.aws/config", AWS),
    ("/.aws/credentials", AWS),
    ("/.azure/msal_token_cache.json", Format::Keys(&["secret"], Kind::CloudCredentials)),
    ("/.cargo/credentials", CARGO),
    ("/.cargo/credentials.toml", CARGO),
    ("/.condarc", INDEX_OF_PACKAGES),
    ("/condarc", INDEX_OF_PACKAGES),
    ("/.docker/config.json", DOCKER),
    ("/.dockercfg", DOCKER),
    ("/containers/auth.json", DOCKER),
    ("/.env", Format::Environment),
    ("/.git-credentials", GIT),
    ("/git/credentials", GIT),
    ("/.git/config", GIT),
    ("/.gitconfig", GIT),
    ("/gh/hosts.yml", Format::Keys(&["oauth_token"], Kind::Token)),
    ("/.huggingface/token", Format::Whole),
    ("/huggingface/token", Format::Whole),
    ("/huggingface/stored_tokens", Format::Keys(&["hf_token"], Kind::Token)),
    ("/.kube/config", Format::Keys(&["token", "password", "client-key-data"], Kind::CloudCredentials)),
    ("/.netrc", Format::Words),
    ("/_netrc", Format::Words),
    ("/.ngc/config", Format::Keys(&["apikey"], Kind::Token)),
    ("/.npmrc", Format::Keys(&["_authToken", "_auth", "_password"], Kind::RegistryCredentials)),
    ("/.yarnrc.yml", Format::Keys(&["npmAuthToken", "npmAuthIdent"], Kind::RegistryCredentials)),
    ("/.pypirc", INDEX_OF_PACKAGES),
    ("/pypoetry/auth.toml", INDEX_OF_PACKAGES),
    ("/pip.conf", INDEX_OF_PACKAGES),
    ("/uv.toml", INDEX_OF_PACKAGES),
    ("/uv/credentials/credentials.toml", Format::Keys(&["password", "token"], Kind::RegistryCredentials)),
    ("/.vault-token", Format::Whole),
    ("/apt/auth.conf", Format::Words),
    ("/apt/sources.list", INDEX_OF_PACKAGES),
    ("/application_default_credentials.json", GOOGLE),
    ("/credentials.json", GOOGLE),
    ("/kaggle.json", Format::Keys(&["key"], Kind::Token)),
    ("/etc/shadow", Format::Shadow),
];

static INDEX: Index = index();

const fn index() -> Index {
    let mut index = Index::EMPTY;
    let mut row = 0;
    while row < FILES.len() {
        index = index.with(FILES[row].0, row);
        row += 1;
    }
    index
}

/// Whether a file may contain a secret in its first [`LIMIT`] bytes, by its path.
pub fn wants(path: &str) -> bool {
    format(path).is_some()
}

fn format(path: &str) -> Option<Format> {
    let slash = memchr::memrchr(b'/', path.as_bytes())?;
    let (directory, name) = (&path[..slash], &path[slash + 1..]);
    if is_test_data(directory) {
        return None;
    }
    let known = INDEX.rows(name.as_bytes()).map(|row| &FILES[row]).find(|(end, _)| path.ends_with(end));
    if let Some((_, format)) = known {
        return Some(*format);
    }
    if name.starts_with(".env.") {
        let is_template = [".dist", ".example", ".sample", ".template"].iter().any(|end| name.ends_with(end));
        return (!is_template).then_some(Format::Environment);
    }
    let extension = memchr::memrchr(b'.', name.as_bytes()).map_or("", |dot| &name[dot + 1..]);
    match extension {
        "pem" | "key" | "p8" | "ppk" => is_private(directory, name).then_some(Format::PrivateKey),
        "json" => {
            (name.starts_with("service-account") || name.starts_with("service_account")).then_some(GOOGLE)
        }
        "repo" => directory.ends_with("/yum.repos.d").then_some(INDEX_OF_PACKAGES),
        "list" | "sources" => directory.ends_with("/apt/sources.list.d").then_some(INDEX_OF_PACKAGES),
        _ if is_key_name(name) => is_private(directory, name).then_some(Format::PrivateKey),
        _ => directory.ends_with("/apt/auth.conf.d").then_some(Format::Words),
    }
}

/// Tests come with accounts and keys that open nothing. `test` alone may be a user or an application.
fn is_test_data(directory: &str) -> bool {
    let of_python = directory.contains("/lib/python");
    directory
        .split('/')
        .any(|part| matches!(part, "fixtures" | "testdata" | "tests") || of_python && part == "test")
}

fn is_key_name(name: &str) -> bool {
    matches!(name, "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519" | "id_ecdsa_sk" | "id_ed25519_sk")
        || (name.starts_with("ssh_host_") && name.ends_with("_key"))
}

/// Keys of packages, tests and documentation are public, and so are certificates.
fn is_private(directory: &str, name: &str) -> bool {
    const PUBLIC: [&str; 16] = [
        "ca-certificates",
        "demo",
        "demos",
        "dist-packages",
        "doc",
        "docs",
        "example",
        "examples",
        "fixtures",
        "node_modules",
        "pkgs",
        "samples",
        "site-packages",
        "test",
        "testdata",
        "tests",
    ];
    let is_system = ["/etc/ssl/certs", "/usr/share", "/usr/lib"]
        .iter()
        .any(|top| directory.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    !is_system && !name.contains("snakeoil") && !directory.split('/').any(|part| PUBLIC.contains(&part))
}

/// The secret in a file that [`wants`] accepts.
pub fn in_file(path: &str, content: &[u8]) -> Option<Secret> {
    let format = format(path)?;
    let text = String::from_utf8_lossy(&content[..content.len().min(LIMIT)]);
    let kind = match format {
        Format::PrivateKey => patterns::has_private_key(&text).then_some(Kind::PrivateKey),
        Format::Shadow => text.lines().any(has_hash).then_some(Kind::Password),
        Format::Whole => {
            let token = text.trim();
            (token.len() >= 8 && !token.contains(char::is_whitespace) && !patterns::is_placeholder(token))
                .then_some(Kind::Token)
        }
        Format::Words => words(&text),
        Format::Environment => valid(&text).find_map(|line| {
            let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
            patterns::variable(name.trim(), value).or_else(|| patterns::value(value))
        }),
        Format::Keys(keys, kind) => keys_or_url(path, &text, keys, kind),
    };
    Some(Secret { place: path.to_owned(), kind: kind? })
}

/// Lines that are not comments.
fn valid(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']))
}

fn has_hash(line: &str) -> bool {
    let hash = line.split(':').nth(1).unwrap_or("");
    hash.len() >= 13 && !hash.starts_with(['!', '*'])
}

fn words(text: &str) -> Option<Kind> {
    let mut words = valid(text).flat_map(str::split_whitespace);
    while let Some(word) = words.next() {
        if word == "password" && words.next().is_some_and(|value| !patterns::is_placeholder(value)) {
            return Some(Kind::Password);
        }
    }
    None
}

fn keys_or_url(path: &str, text: &str, keys: &[&str], kind: Kind) -> Option<Kind> {
    let is_conda = path.ends_with("condarc");
    let of_line = |line: &str| {
        let keyed = keys.iter().any(|key| has_value(line, key)) || (is_conda && has_channel_token(line));
        let keyed = keyed.then_some(kind);
        // A password in a URL is a credential of what the file configures.
        keyed.or_else(|| match patterns::value(line)? {
            Kind::Password | Kind::Token => Some(kind),
            other => Some(other),
        })
    };
    valid(text).find_map(of_line)
}

/// `key = value`, `key: value`, `"key": "value"`, `//host/:key=value`
fn has_value(line: &str, key: &str) -> bool {
    let bytes = line.as_bytes();
    memchr::memmem::find_iter(bytes, key).any(|start| {
        let before = start.checked_sub(1).and_then(|before| bytes.get(before));
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if before.is_some_and(is_word) {
            return false;
        }
        let rest = line[start + key.len()..].trim_start_matches(['"', '\'', ' ', '\t']);
        let Some(value) = rest.strip_prefix([':', '=']) else { return false };
        // Keeps the cost of long lines linear.
        let value = value.trim_start();
        let value = &value[..value.floor_char_boundary(LONGEST)];
        let end = match value.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map(|end| end + 2),
            None => value.find([',', '}', '\n']),
        };
        !patterns::is_placeholder(&value[..end.unwrap_or(value.len())])
    })
}

/// `https://host/t/TOKEN/channel`
fn has_channel_token(line: &str) -> bool {
    let token = line.split_once("://").and_then(|(_, rest)| rest.split_once("/t/"));
    token
        .and_then(|(_, rest)| rest.split('/').next())
        .is_some_and(|token| token.len() >= 16 && !patterns::is_placeholder(token))
}
