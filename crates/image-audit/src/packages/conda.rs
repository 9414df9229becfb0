//! Packages of a conda environment: one file `conda-meta/NAME-VERSION-BUILD.json` each.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::package::Package;

/// Parses the record of a package. Its version is `VERSION-BUILD`; its files are relative to the directory
/// that contains `conda-meta`.
pub fn package(json: &str) -> Result<Package> {
    let record: Record = serde_json::from_slice(json.as_bytes()).context("not a conda package record")?;
    let Record { name, version, build, mut files, paths_data } = record;
    if files.is_empty() {
        files = paths_data.paths.into_iter().map(|path| path.path).collect();
    }
    Ok(Package { name, version: format!("{version}-{build}"), files })
}

#[derive(Deserialize)]
struct Record {
    name: String,
    version: String,
    build: String,
    #[serde(default)]
    files: Vec<String>,
    /// The same files with details. Some tools write only these.
    #[serde(default)]
    paths_data: Paths,
}

#[derive(Default, Deserialize)]
struct Paths {
    #[serde(default)]
    paths: Vec<Path>,
}

#[derive(Deserialize)]
struct Path {
    #[serde(rename = "_path")]
    path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{
        "arch": "x86_64", "build": "h5888daf_2", "build_number": 2, "depends": ["libgcc >=13"],
        "files": ["lib/libnccl.so", "lib/libnccl.so.2", "share/doc/a \"b\".txt"],
        "link": {"source": "/opt/conda/pkgs/nccl-2.27.3.1-h5888daf_2", "type": 1},
        "name": "nccl", "version": "2.27.3.1",
        "paths_data": {"paths": [{"_path": "lib/libnccl.so", "path_type": "softlink"}], "paths_version": 1}
    }"#;

    #[test]
    fn records_list_their_files() {
        let cases: [(&str, &str, &[&str]); 5] = [
            (RECORD, "2.27.3.1-h5888daf_2", &["lib/libnccl.so", "lib/libnccl.so.2", "share/doc/a \"b\".txt"]),
            (r#"{"name":"nccl","version":"1","build":"0","files":[]}"#, "1-0", &[]),
            (r#"{"name":"nccl","version":"1","build":"0"}"#, "1-0", &[]),
            (
                r#"{"name":"nccl","version":"1","build":"0","files":[],"paths_data":{"paths":[{"_path":"a"}]}}"#,
                "1-0",
                &["a"],
            ),
            (r#"{"name":"nccl","version":"1","build":"0","paths_data":{}}"#, "1-0", &[]),
        ];
        for (json, version, files) in cases {
            let found = package(json).unwrap();
            assert_eq!((found.name.as_str(), found.version.as_str()), ("nccl", version));
            assert_eq!(found.files, files, "{json}");
        }
    }

    #[test]
    fn incomplete_records_are_errors() {
        for length in 0..RECORD.len() {
            assert!(package(&RECORD[..length]).is_err(), "the first {length} bytes");
        }
        let deep = format!(r#"{{"name":"a","version":"1","build":"0","x":{}"#, "[".repeat(100_000));
        for json in ["[]", r#"{"name":"a","version":"1"}"#, r#"{"name":1,"version":"1","build":"0"}"#, &deep]
        {
            let error = package(json).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some("not a conda package record"));
        }
    }
}
