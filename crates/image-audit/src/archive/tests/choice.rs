//! OCI layouts, and which of their images is read.

use std::fs;

use super::*;

/// An OCI layout from its blobs: `@name` in a document is the digest of another.
fn layout(index: &str, documents: &[(&str, String)]) -> Vec<u8> {
    let digest = |name: &str| name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let resolved = |text: &str| {
        let mut parts = text.split('@');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            let end = part.find('"').unwrap();
            format!("{text}sha256:{}{}", digest(&part[..end]), &part[end..])
        })
    };
    let layer = pack(&[("a", b"alpha")]);
    let blobs = documents
        .iter()
        .map(|(name, text)| (format!("blobs/sha256/{}", digest(name)), resolved(text).into_bytes()));
    let mut files: Vec<(String, Vec<u8>)> = blobs.collect();
    files.push((format!("blobs/sha256/{}", digest("layer")), layer));
    files.push(("index.json".to_owned(), resolved(index).into_bytes()));
    files.push(("oci-layout".to_owned(), b"{}".to_vec()));
    pack(&files.iter().map(|(name, text)| (name.as_str(), &text[..])).collect::<Vec<_>>())
}

fn config(platform: &str) -> String {
    let (os, architecture) = platform.split_once('/').unwrap();
    format!(r#"{{"os":"{os}","architecture":"{architecture}","rootfs":{{"diff_ids":["sha256:id"]}}}}"#)
}

fn manifest(config: &str) -> String {
    format!(
        r#"{{"config":{{"mediaType":"image.config","digest":"@{config}"}},"layers":[{{"digest":"@layer"}}]}}"#
    )
}

#[test]
fn one_image_is_chosen_or_all_are_listed() {
    let own = format!("linux/{}", choose::architecture());
    let documents = [
        ("own-config", config(&own)),
        ("own", manifest("own-config")),
        ("z-config", config("linux/s390x")),
        ("z", manifest("z-config")),
        ("p-config", config("linux/ppc64le")),
        ("p", manifest("p-config")),
        ("attested", manifest("own-config")),
        ("helm-config", "{}".to_owned()),
        ("helm", manifest("helm-config")),
        ("nested", r#"{"manifests":[{"digest":"@z"},{"digest":"@absent"},{"digest":"@own"}]}"#.to_owned()),
        ("loop", r#"{"manifests":[{"digest":"@loop"},{"digest":"@loop"},{"digest":"@loop"}]}"#.to_owned()),
        ("foreign", manifest("own-config").replace(r#""@layer""#, r#""@windows","urls":["https://host/x"]"#)),
    ];
    let listed = |name: &str, tag: &str| {
        format!(
            r#"{{"digest":"@{name}","annotations":{{"io.containerd.image.name":"docker.io/library/{tag}"}}}}"#
        )
    };
    let named = |digests: &[(&str, &str)]| {
        let all: Vec<String> = digests.iter().map(|(name, tag)| listed(name, tag)).collect();
        format!(r#"{{"manifests":[{}]}}"#, all.join(","))
    };
    let attestation = r#"{"manifests":[{"digest":"@attested","platform":{"os":"unknown"}},{"digest":"@helm"},{"digest":"@own"}]}"#;
    let cases: [(String, Option<&str>, Result<&str, &str>); 12] = [
        (named(&[("own", "a:1")]), None, Ok(&own)),
        (named(&[("z", "a:1")]), None, Ok("linux/s390x")),
        (named(&[("own", "a:1"), ("own", "a:2")]), None, Ok(&own)),
        (named(&[("nested", "a:1")]), None, Ok(&own)),
        (named(&[("own", "a:1"), ("z", "b:latest")]), Some("b"), Ok("linux/s390x")),
        (attestation.to_owned(), None, Ok(&own)),
        (
            named(&[("own", "a:1"), ("z", "b:latest")]),
            None,
            Err("several images; name one of: a:1, b:latest"),
        ),
        (named(&[("own", "a:1")]), Some("c"), Err("image c not found; the archive has a:1")),
        (named(&[("z", "a:1"), ("p", "a:1")]), None, Err("is for linux/s390x, linux/ppc64le, not for")),
        (named(&[("foreign", "a:1")]), None, Err("is a foreign layer, available at https://host/x")),
        (named(&[("loop", "a:1")]), None, Err("is nested too deeply")),
        (named(&[("helm", "a:1")]), None, Err("no image found in")),
    ];
    for (index, wanted, expected) in cases {
        let archive = layout(&index, &documents);
        match expected {
            Ok(platform) => assert_eq!(read(&archive, wanted).unwrap().platform, platform, "{index}"),
            Err(text) => {
                assert!(error(&archive, wanted).contains(text), "{index}: {}", error(&archive, wanted))
            }
        }
    }
}

#[test]
fn layout_directories_are_read_and_never_left() {
    let index = r#"{"manifests":[{"digest":"@own"}]}"#;
    let archive = layout(index, &[("own-config", config("linux/s390x")), ("own", manifest("own-config"))]);
    let directory = tempfile::tempdir().unwrap();
    assert!(!is_archive(directory.path()));
    ::tar::Archive::new(&archive[..]).unpack(directory.path()).unwrap();
    assert!(is_archive(directory.path()));
    let image = open(Input::Path(directory.path()), None, &Text).unwrap();
    assert_eq!((image.problems.len(), image.layers[0].entries.len()), (0, 1));
    for digest in ["sha256:../../secret", "../x:y", "sha256:", "none"] {
        let index = format!(r#"{{"manifests":[{{"digest":"{digest}"}}]}}"#);
        fs::write(directory.path().join("index.json"), index).unwrap();
        let error = open(Input::Path(directory.path()), None, &Text).unwrap_err();
        assert!(format!("{error:#}").contains("is not a digest"), "{digest}: {error:#}");
    }
}
