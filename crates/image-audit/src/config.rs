//! Configuration and layers of an image archive, and the bytes that its layers ship and hide.

use serde::{Deserialize, Serialize};

use crate::archive::overlay::How;
use crate::archive::{self, overlay};
use crate::paths;
use crate::secrets::{self, Secret};
use crate::tree::layers::Fact;

/// An image as its archive describes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The first of its names, such as `pytorch:2.5`.
    pub name: Option<String>,
    /// Such as `linux/amd64`.
    pub platform: String,
    /// USER; empty for root.
    pub user: String,
    /// LD_LIBRARY_PATH.
    pub library_path: Option<String>,
    /// LD_PRELOAD.
    pub preload: Option<String>,
    /// GLIBC_TUNABLES.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunables: Option<String>,
    /// NVIDIA_REQUIRE_* and NVIDIA_DISABLE_REQUIRE, with their values.
    pub requirements: Vec<(String, String)>,
    /// WORKDIR; `/` if the image sets none.
    pub working_directory: String,
    /// Whether it has a HEALTHCHECK.
    pub has_healthcheck: bool,
    /// Whether it has an ENTRYPOINT or CMD. Base images often have none.
    pub has_command: bool,
    /// Lowest first.
    pub layers: Vec<Layer>,
    /// Files that are not visible in a container, summed up by layer; the largest sum first.
    pub hidden: Vec<Hidden>,
    /// Secrets in the environment and the history.
    pub secrets: Vec<Secret>,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Digest of the uncompressed layer.
    pub digest: String,
    /// The Dockerfile instruction that created it, without arguments that may be secret.
    pub instruction: Option<String>,
    /// Size in the archive, compressed or not.
    pub stored_bytes: u64,
    /// Total size of its files.
    pub bytes: u64,
    /// False if the layer is damaged, so that files are missing.
    pub whole: bool,
}

/// Files of one layer that a later layer deletes or overwrites: shipped but not visible.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hidden {
    /// Index of the layer that ships them; 0 is the lowest.
    pub layer: usize,
    /// Index of the layer that hides them.
    pub by: usize,
    /// Whether they are deleted rather than overwritten.
    pub deleted: bool,
    /// Their total size.
    pub bytes: u64,
    /// Number of files.
    pub files: u64,
    /// The directory that contains all of them.
    pub place: String,
    /// Path of the largest file.
    pub largest: String,
    /// Size of the largest file.
    pub largest_bytes: u64,
}

impl Image {
    pub(crate) fn of(image: &archive::Image<Fact>) -> Image {
        let config = &image.config;
        let variable = |name: &str| {
            config.env.iter().rev().find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='))
        };
        let history: Vec<String> = config.history.iter().map(|line| line.created_by.clone()).collect();
        let mut found = secrets::in_environment(&config.env);
        found.extend(secrets::in_history(&history));
        Image {
            name: image.name.clone(),
            platform: image.platform.clone(),
            user: config.user.clone(),
            library_path: variable("LD_LIBRARY_PATH").map(str::to_owned),
            preload: variable("LD_PRELOAD").map(str::to_owned),
            tunables: variable("GLIBC_TUNABLES").map(str::to_owned),
            requirements: config.env.iter().filter_map(|line| requirement(line)).collect(),
            working_directory: if config.working_dir.is_empty() {
                "/".into()
            } else {
                config.working_dir.clone()
            },
            has_healthcheck: config
                .healthcheck
                .as_ref()
                .is_some_and(|test| test.first().is_some_and(|word| word != "NONE")),
            has_command: !config.entrypoint.is_empty() || !config.cmd.is_empty(),
            layers: image
                .layers
                .iter()
                .map(|layer| Layer {
                    digest: layer.digest.clone(),
                    instruction: layer.created_by.as_deref().map(instruction),
                    stored_bytes: layer.stored_bytes,
                    whole: layer.whole,
                    bytes: layer
                        .entries
                        .iter()
                        .map(|entry| match entry.kind {
                            archive::Kind::File { bytes, .. } => bytes,
                            _ => 0,
                        })
                        .sum(),
                })
                .collect(),
            hidden: Vec::new(),
            secrets: found,
        }
    }

    /// Adds hidden files, summed up by the layers that ship and hide them.
    pub(crate) fn hide(&mut self, found: Vec<overlay::Hidden>) {
        for file in found {
            let deleted = file.how == How::Deleted;
            let known = self
                .hidden
                .iter_mut()
                .find(|hidden| (hidden.layer, hidden.by, hidden.deleted) == (file.layer, file.by, deleted));
            let (layer, by, bytes) = (file.layer, file.by, file.bytes);
            let directory = paths::directory(&file.path);
            let Some(hidden) = known else {
                let (place, largest) = (directory.to_owned(), file.path.clone());
                let one =
                    Hidden { layer, by, deleted, bytes, files: 1, place, largest, largest_bytes: bytes };
                self.hidden.push(one);
                continue;
            };
            hidden.bytes += bytes;
            hidden.files += 1;
            hidden.place.truncate(common(&hidden.place, directory));
            if bytes > hidden.largest_bytes {
                (hidden.largest, hidden.largest_bytes) = (file.path, bytes);
            }
        }
        self.hidden.sort_by_key(|hidden| std::cmp::Reverse(hidden.bytes));
    }
}

fn requirement(variable: &str) -> Option<(String, String)> {
    let (name, value) = variable.split_once('=')?;
    is_requirement(name).then(|| (name.to_owned(), value.to_owned()))
}

/// The variable that disables the other requirements.
pub const DISABLE: &str = "NVIDIA_DISABLE_REQUIRE";

/// Whether a variable restricts the machines that the image runs on.
pub fn is_requirement(name: &str) -> bool {
    name.starts_with("NVIDIA_REQUIRE_") || name == DISABLE
}

/// Length of the path of the innermost directory that contains both.
fn common(a: &str, b: &str) -> usize {
    let same = a.split('/').zip(b.split('/')).take_while(|(a, b)| a == b);
    same.map(|(part, _)| part.len() + 1).sum::<usize>().saturating_sub(1)
}

/// Instructions that create layers.
const KEYWORDS: [&str; 4] = ["RUN", "COPY", "ADD", "WORKDIR"];

/// Longest instruction that is shown, in characters.
const SHOWN: usize = 160;

/// An instruction as in the Dockerfile. Values of variables and build arguments, and commands that contain a
/// secret, are replaced by `...`.
fn instruction(created_by: &str) -> String {
    let text = created_by.trim_start_matches("/bin/sh -c #(nop) ").trim();
    let (keyword, rest) = text.split_once(' ').unwrap_or((text, ""));
    let secret = |text: &str| !secrets::in_history(&[text.to_owned()]).is_empty();
    if matches!(keyword, "ENV" | "ARG" | "LABEL") {
        let name = rest.split(['=', ' ']).next().filter(|name| !secret(&format!("RUN {name}")));
        return format!("{keyword} {}=...", name.unwrap_or_default());
    }
    let has_arguments = keyword.starts_with('|') || rest.starts_with('|');
    let text = if has_arguments || secret(created_by) {
        // The values of build arguments come first; only the shell shows where the last one ends.
        let command = rest.split_once("/bin/sh -c ").map(|(_, command)| command);
        let keyword = if KEYWORDS.contains(&keyword) { keyword } else { "RUN" };
        format!("{keyword} {}", command.filter(|command| !secret(command)).unwrap_or("..."))
    } else {
        let text = text.trim_start_matches("RUN ");
        match text.strip_prefix("/bin/sh -c ") {
            Some(command) => format!("RUN {command}"),
            None => text.to_owned(),
        }
    };
    let words: Vec<String> = text.split_whitespace().map(shortened).collect();
    let text = words.join(" ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Shortens the digests that builders write into COPY: `dir:72888883d6bb`.
fn shortened(word: &str) -> String {
    let digest = word.strip_prefix("file:").or(word.strip_prefix("dir:")).or(word.strip_prefix("multi:"));
    match digest.filter(|digest| digest.len() == 64 && digest.is_ascii()) {
        Some(digest) => word[..word.len() - digest.len() + 12].to_owned(),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_show_no_secrets() {
        let token = "ghp_Zq7XwV9tKmB2sLcR8nYdPfJh3GvT5aUeW1oQ";
        for line in [
            format!("RUN /bin/sh -c curl -H 'token {token}' https://host"),
            format!("curl -H 'token {token}' https://host -c #(nop) "),
            format!("RUN git clone https://user:{token}@host/x"),
            format!("RUN {} {token}", "x".repeat(SHOWN - 10)),
            "/bin/sh -c login --password hunter22".to_owned(),
            "RUN echo root:hunter22 | chpasswd".to_owned(),
        ] {
            let shown = instruction(&line);
            assert!(!shown.contains("Zq7X") && !shown.contains("hunter22"), "{shown}");
        }
    }

    #[test]
    fn common_directories() {
        for (a, b, length) in [("/a/b", "/a/b", 4), ("/a/b", "/a/c", 2), ("/a", "/ab", 0), ("", "/a", 0)] {
            assert_eq!(common(a, b), length, "{a} {b}");
        }
    }

    #[test]
    fn instructions_as_in_a_dockerfile() {
        let cases = [
            ("/bin/sh -c #(nop) COPY file:1234 in /wheels ", "COPY file:1234 in /wheels"),
            ("|1 TOKEN=hunter2 and more /bin/sh -c pip install torch", "RUN pip install torch"),
            ("|2 pw=one two=three /bin/bash -o pipefail -c ./x -p four", "RUN ..."),
            ("RUN /bin/sh -c make # buildkit", "RUN make # buildkit"),
            ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "RUN ..."),
            ("ENV ghp_abcdefghijklmnopqrstuvwxyz0123456789=x", "ENV =..."),
            ("ENV DB_PASSWORD=correct horse battery", "ENV DB_PASSWORD=..."),
            ("ENV PATH=/usr/bin", "ENV PATH=..."),
            (
                "COPY dir:72888883d6bb2146b9de2af2138cadc432a651c3d266f419e91f9280d062877d in /x",
                "COPY dir:72888883d6bb in /x",
            ),
        ];
        for (text, shown) in cases {
            assert_eq!(instruction(text), shown);
        }
    }
}
