//! Which words of facts are replaced, and by which; see `saved.rs` for the list.
//!
//! It walks the JSON form, not the types: a new field is redacted by the same rules, unless an exception is made
//! here. Equal words become equal words, so that findings do not change.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::text::{self, Words};

/// Names and values of the saving machine that must not be in the file.
#[derive(Debug, Default)]
pub struct Here {
    pub users: BTreeSet<String>,
    pub hosts: BTreeSet<String>,
    /// Value and name of variables that facts do not record, longest value first.
    pub variables: Vec<(String, String)>,
}

/// Accounts that images have: they identify nobody and occur in many paths.
const COMMON: [&str; 18] = [
    "admin", "app", "conda", "cuda", "data", "debian", "docker", "home", "jovyan", "node", "nobody",
    "nvidia", "opt", "python", "root", "ubuntu", "user", "worker",
];

/// Parts of names of variables that reveal where something runs and for whom: even short values are replaced.
const TELLING: [&str; 7] = ["HOST", "NODE", "POD", "USER", "NAMESPACE", "CLUSTER", "TENANT"];

impl Here {
    /// The process's own environment, and the kernel's host name. `recorded` is what facts hold.
    pub fn look(recorded: &BTreeMap<String, String>) -> Here {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Here::of(host.trim(), variables, recorded)
    }

    fn of(
        host: &str,
        variables: impl Iterator<Item = (String, String)>,
        recorded: &BTreeMap<String, String>,
    ) -> Here {
        let mut here = Here::default();
        here.host(host);
        for (name, value) in variables {
            if recorded.get(&name) == Some(&value) {
                continue;
            }
            match name.as_str() {
                "HOSTNAME" | "HOST" => here.host(&value),
                "USER" | "LOGNAME" => here.user(&value),
                "HOME" => here.user(value.rsplit('/').next().unwrap_or_default()),
                _ => {}
            }
            let telling = TELLING.iter().any(|part| name.contains(part)) || text::is_secret(&name, &value);
            let least = if telling { 4 } else { 8 };
            // Versions and paths are words of facts themselves.
            let digits = value.bytes().all(|byte| byte.is_ascii_digit() || b".-+:".contains(&byte));
            let version = name.contains("VERSION") || (digits && !telling);
            if value.len() >= least && !version && !value.starts_with('/') {
                here.variables.push((value, format!("${name}")));
            }
        }
        here.variables.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        here
    }

    fn host(&mut self, name: &str) {
        let short = name.split('.').next().unwrap_or_default();
        self.hosts.extend(
            [name, short]
                .into_iter()
                .filter(|name| name.len() >= 3 && *name != "localhost")
                .map(str::to_owned),
        );
    }

    fn user(&mut self, name: &str) {
        if name.len() >= 3 && !COMMON.contains(&name) {
            self.users.insert(name.to_owned());
        }
    }
}

pub fn redact(facts: &mut Value, here: &Here) {
    let mut seen = Seen::default();
    seen.look(facts);
    seen.homes.extend(here.users.iter().cloned());
    // Numbered in sorted order, so that sorted lists stay sorted, whichever GPU answers first.
    let digits = seen.homes.len().to_string().len();
    let users: Vec<(String, String)> = seen
        .homes
        .into_iter()
        .enumerate()
        .map(|(at, name)| (name, format!("user{:0digits$}", at + 1)))
        .collect();
    let machines = facts["request"]["machines"].as_array().into_iter().flatten();
    let names = machines.filter_map(|machine| machine["name"].as_str()).map(str::to_owned);
    let machines = names.zip(1..).map(|(name, at): (String, u32)| (name, format!("machine{at}"))).collect();
    let redaction = Redaction { here, users, uuids: seen.uuids.into_iter().collect(), machines };
    redaction.value(&mut Vec::new(), facts);
}

/// Names and UUIDs that facts hold, before any of them is replaced.
#[derive(Default)]
struct Seen {
    homes: BTreeSet<String>,
    uuids: BTreeSet<String>,
}

impl Seen {
    fn look(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                self.homes.extend(text::homes(text).map(|range| text[range].to_owned()));
                self.uuids.extend(text::uuids(text).map(|range| text[range].to_ascii_lowercase()));
            }
            Value::Array(values) => values.iter().for_each(|value| self.look(value)),
            Value::Object(values) => values.values().for_each(|value| self.look(value)),
            _ => {}
        }
    }
}

struct Redaction<'a> {
    here: &'a Here,
    users: Vec<(String, String)>,
    uuids: Vec<String>,
    /// Names of described machines, and their replacements.
    machines: Vec<(String, String)>,
}

impl Redaction<'_> {
    fn value(&self, keys: &mut Vec<String>, value: &mut Value) {
        match value {
            Value::String(text) => {
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                *text = self.string(&keys, text);
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(keys, value)),
            Value::Object(values) => {
                for (key, value) in values {
                    keys.push(key.clone());
                    self.value(keys, value);
                    keys.pop();
                }
            }
            _ => {}
        }
    }

    fn string(&self, keys: &[&str], text: &str) -> String {
        let mut text: String = text.chars().filter(|c| !text::moves_cursor(*c)).collect();
        match keys {
            // A colon before the last slash is a registry's port.
            ["image", "name"] | ["census", "root"] if !text.trim_matches('/').is_empty() => {
                let trimmed = text.trim_end_matches('/');
                text = trimmed.rsplit('/').next().unwrap_or_default().to_owned();
            }
            ["image", "user"] => {
                let root =
                    text.split(':').all(|id| id == "root" || id.bytes().all(|byte| byte.is_ascii_digit()));
                return if root { text } else { "user".to_owned() };
            }
            ["request", "machines", "name"] => {
                let known = self.machines.iter().find(|(name, _)| *name == text);
                return known.map_or("machine", |(_, word)| word).to_owned();
            }
            _ => {}
        }
        let words = self.words(keys, &text);
        // A call is a function's name, which checks need.
        if words.free && keys.last() != Some(&"call") {
            text = text::variables(&text, &self.machines);
            text = text::variables(&text, &self.here.variables);
        }
        text = text::replace(&text, text::homes(&text), |name| self.user(name).to_owned());
        text = text::replace(&text, text::uuids(&text), |uuid| self.uuid(uuid));
        text = text::replace(&text, text::beginnings(&text), |uuid| self.beginning(uuid));
        text::redact(&text, &words)
    }

    fn words(&self, keys: &[&str], text: &str) -> Words<'_> {
        // A variable may well repeat the name of a product or a distribution.
        let product = keys.last() == Some(&"name") || keys.contains(&"distribution");
        let free =
            matches!(keys.last(), Some(&"noise" | &"detail" | &"error" | &"instruction" | &"unavailable"));
        let free = free || keys.contains(&"unreadable") || (!product && text.contains(char::is_whitespace));
        Words { free, hosts: &self.here.hosts, users: &self.users, known: &self.here.users }
    }

    fn user(&self, name: &str) -> &str {
        self.users.iter().find(|(user, _)| user == name).map_or("user", |(_, word)| word)
    }

    fn uuid(&self, uuid: &str) -> String {
        let lower = uuid.to_ascii_lowercase();
        let at = self.uuids.iter().position(|known| *known == lower).map_or(0, |at| at + 1);
        format!("{at:08}-0000-0000-0000-000000000000")
    }

    /// CUDA_VISIBLE_DEVICES may have a prefix of a UUID, if it is unique.
    fn beginning(&self, start: &str) -> String {
        let lower = start.to_ascii_lowercase();
        let mut known = self.uuids.iter().filter(|uuid| uuid.starts_with(&lower));
        match (known.next(), known.next()) {
            (Some(uuid), None) => self.uuid(uuid)[..8].to_owned(),
            (Some(_), Some(_)) => "0".to_owned(),
            (None, _) => "ffffffff".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn here() -> Here {
        let variables = [
            ("HOME", "/home/alice"),
            ("NODE_NAME", "rack7"),
            ("WANDB_PROJECT", "skunkworks-llm"),
            ("NCCL_VERSION", "2.21.5-1+cuda"),
            ("CUDA_HOME", "/usr/local/cuda"),
            ("DB_PASSWORD", "hunter22"),
            ("KUBERNETES_SERVICE_HOST", "10.3.2.1"),
        ];
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Here::of("gpu17.dc2.acme.example", variables, &BTreeMap::new())
    }

    fn redacted(mut value: Value) -> Value {
        redact(&mut value, &here());
        value
    }

    #[test]
    fn people() {
        let value = redacted(json!({
            "path": "/home/bob/venv/lib/libcublas.so.12",
            "library_path": "/home/alice/lib:/mnt/home/bob/lib:/scratch/alice/x:/usr/lib",
            "detail": "cannot open /Users/carol/x as alice",
            "image": { "user": "dave:staff", "working_directory": "/home/bob" },
        }));
        assert_eq!(
            value,
            json!({
                "path": "/home/user2/venv/lib/libcublas.so.12",
                "library_path": "/home/user1/lib:/mnt/home/user2/lib:/scratch/user1/x:/usr/lib",
                "detail": "cannot open /Users/user3/x as user1",
                "image": { "user": "user", "working_directory": "/home/user2" },
            })
        );
        for root in ["", "root", "0", "1000:1000", "root:root"] {
            assert_eq!(redacted(json!({ "image": { "user": root } }))["image"]["user"], root);
        }
    }

    #[test]
    fn uuids_still_match() {
        let value = redacted(json!({
            "environment": { "CUDA_VISIBLE_DEVICES": "GPU-8F4C1d,MIG-9a" , "NVIDIA_VISIBLE_DEVICES": "GPU-77,GPU-77000000"},
            "device": ["8f4c1d2e-1111-2222-3333-444444444444", "77aa1d2e-1111-2222-3333-444444444444"],
            "nvml": ["GPU-8f4c1d2e-1111-2222-3333-444444444444", "MIG-GPU-77aa1d2e-1111-2222-3333-444444444444/1/0"],
            "pci": "00000000:01:00.0",
        }));
        let (second, first) =
            ("00000001-0000-0000-0000-000000000000", "00000002-0000-0000-0000-000000000000");
        assert_eq!(value["device"], json!([first, second]));
        assert_eq!(value["nvml"], json!([format!("GPU-{first}"), format!("MIG-GPU-{second}/1/0")]));
        assert_eq!(value["environment"]["CUDA_VISIBLE_DEVICES"], "GPU-00000002,MIG-ffffffff");
        assert_eq!(value["environment"]["NVIDIA_VISIBLE_DEVICES"], "GPU-00000001,GPU-ffffffff");
        assert_eq!(value["pci"], "00000000:01:00.0");
    }

    #[test]
    fn images_and_roots() {
        for (name, kept) in [
            ("registry.acme.example:5000/team/app:1.2", "app:1.2"),
            ("app@sha256:aa", "app@sha256:aa"),
            ("/srv/acme/rootfs/", "rootfs"),
            ("/", "/"),
        ] {
            let value = redacted(json!({ "image": { "name": name }, "census": { "root": name } }));
            assert_eq!((&value["image"]["name"], &value["census"]["root"]), (&kept.into(), &kept.into()));
        }
    }

    #[test]
    fn words_of_the_machine() {
        let text = |noise: &str| redacted(json!({ "noise": noise }))["noise"].as_str().unwrap().to_owned();
        assert_eq!(text("no route from gpu17 to rack7"), "no route from HOST to $NODE_NAME");
        assert_eq!(text("project skunkworks-llm, 2.21.5-1+cuda"), "project $WANDB_PROJECT, 2.21.5-1+cuda");
        assert_eq!(text("key=hunter22 10.3.2.1"), "key=$DB_PASSWORD $KUBERNETES_SERVICE_HOST");
        // Also as a word of a path, but not in versions and names of products.
        let value = redacted(
            json!({ "path": "/data/gpu17/lib", "name": "skunkworks-llm GPU", "version": "9.1.0.70" }),
        );
        assert_eq!(
            value,
            json!({ "path": "/data/HOST/lib", "name": "skunkworks-llm GPU", "version": "9.1.0.70" })
        );
    }

    #[test]
    fn machines_that_were_described() {
        let value = redacted(json!({ "request": {
            "machines": [{ "name": "acme-a100", "gpu": 80 }, { "name": "acme-b200", "gpu": 100 }],
            "accepted": [{ "reason": "acme-b200 goes in May" }],
        } }));
        let names = json!([{ "name": "machine1", "gpu": 80 }, { "name": "machine2", "gpu": 100 }]);
        assert_eq!(value["request"]["machines"], names);
        assert_eq!(value["request"]["accepted"][0]["reason"], "machine2 goes in May");
    }

    #[test]
    fn values_of_variables_are_words() {
        let variables = [("USER_ROLE".to_owned(), "init".to_owned())].into_iter();
        let here = Here::of("gpu17", variables, &BTreeMap::new());
        let mut value = json!({ "noise": "init: initialization of /sbin/init", "call": "init of libcuda" });
        redact(&mut value, &here);
        let expected =
            json!({ "noise": "$USER_ROLE: initialization of /sbin/$USER_ROLE", "call": "init of libcuda" });
        assert_eq!(value, expected);
    }
}
