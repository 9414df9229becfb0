//! Archives of every kind, valid and damaged.

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;

use ::tar::{Builder, EntryType, Header};

use super::coding::Coding;
use super::*;

mod choice;

/// Keeps the content as the fact.
struct Text;

impl Visit for Text {
    type Fact = Vec<u8>;

    fn file(
        &self,
        _: &mut Vec<u8>,
        path: &str,
        _: u32,
        bytes: u64,
        content: Content,
    ) -> Result<Option<Vec<u8>>> {
        anyhow::ensure!(!path.ends_with("unlucky"), "cannot be inspected");
        let mut text = Vec::new();
        match content {
            Content::At { file, offset } => {
                text.resize(bytes.min(1 << 20) as usize, 0);
                file.read_exact_at(&mut text, offset)?;
            }
            Content::Stream(stream) => drop(stream.read_to_end(&mut text)?),
        }
        Ok((!path.ends_with("dull")).then_some(text))
    }
}

fn header(kind: EntryType, bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(7);
    header.set_size(bytes);
    header
}

fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, text) in files {
        tar.append_data(&mut header(EntryType::Regular, text.len() as u64), name, *text).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Two members or frames; zstd frames with skippable frames around them.
fn pieces(bytes: &[u8], coding: Coding) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() / 3);
    match coding {
        Coding::Gzip => [gzip(first), gzip(second)].concat(),
        Coding::Zstd => {
            let frame = |part| zstd::encode_all(part, 1).unwrap();
            let skipped = b"\x51\x2a\x4d\x18\x03\0\0\0abc";
            [skipped, &frame(first)[..], skipped, &frame(second), skipped].concat()
        }
        _ => bytes.to_vec(),
    }
}

/// A `docker save` archive with the layers before the manifest.
fn docker(layers: &[Vec<u8>], tags: &str) -> Vec<u8> {
    let names: Vec<String> = (0..layers.len()).map(|index| format!("{index}/layer.tar")).collect();
    let ids: Vec<String> = (0..layers.len()).map(|index| format!("sha256:{index}")).collect();
    let config = format!(
        r#"{{"os":"linux","architecture":"s390x","config":{{"Env":["A=b"],"User":"me","Cmd":null,"Healthcheck":{{"Test":["NONE"]}}}},
        "history":[{{"created_by":"first"}},{{"created_by":"ENV","empty_layer":true}},{{"created_by":"second"}}],"rootfs":{{"diff_ids":{ids:?}}}}}"#
    );
    let manifest = format!(r#"[{{"Config":"c.json","RepoTags":{tags},"Layers":{names:?}}}]"#);
    let mut files: Vec<(&str, &[u8])> =
        names.iter().zip(layers).map(|(name, layer)| (name.as_str(), &layer[..])).collect();
    files.extend([
        ("c.json", config.as_bytes()),
        ("manifest.json", manifest.as_bytes()),
        ("VERSION", b"1.0"),
    ]);
    pack(&files)
}

/// Reads an archive as a file and as a stream, which must agree.
fn read(archive: &[u8], wanted: Option<&str>) -> Result<Image<Vec<u8>>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(archive).unwrap();
    assert!(is_archive(file.path()));
    let seekable = open(Input::Path(file.path()), wanted, &Text);
    let mut input = archive;
    let stream = Store::read(&mut input, &Text).and_then(|store| compose(store, wanted, &Text));
    let shown = |image: &Result<Image<Vec<u8>>>| match image {
        Ok(image) => format!("{:?} {:?} {:?}", image.name, image.config, image.layers),
        Err(error) => format!("{error:#}"),
    };
    if seekable.as_ref().is_ok_and(|image| image.problems.is_empty()) {
        assert_eq!(shown(&seekable), shown(&stream));
    }
    seekable
}

fn error(archive: &[u8], wanted: Option<&str>) -> String {
    read(archive, wanted)
        .map(|image| image.layers.len())
        .unwrap_err()
        .chain()
        .map(|cause| format!("{cause}. "))
        .collect()
}

fn layer_of(tar: Vec<u8>) -> (Vec<Entry<Vec<u8>>>, Vec<String>) {
    let mut image = read(&docker(&[tar], "null"), None).unwrap();
    let problems = image.problems.iter().map(ToString::to_string).collect();
    (image.layers.remove(0).entries, problems)
}

#[test]
fn an_image_is_read_from_every_coding() {
    let lower = pack(&[("a", b"alpha"), ("empty", b""), ("dull", &[7; 5000])]);
    let upper = pack(&[("b", b"beta")]);
    for coding in [Coding::Tar, Coding::Gzip, Coding::Zstd] {
        let archive = docker(&[pieces(&lower, coding), pieces(&upper, coding)], r#"["x:1"]"#);
        for whole in [Coding::Tar, Coding::Gzip, Coding::Zstd] {
            let image = read(&pieces(&archive, whole), None).unwrap();
            assert_eq!(image.problems, [], "{coding:?} in {whole:?}");
            assert_eq!((image.name.as_deref(), image.platform.as_str()), (Some("x:1"), "linux/s390x"));
            assert_eq!((image.config.env, image.config.user), (vec!["A=b".to_owned()], "me".to_owned()));
            assert_eq!(image.config.healthcheck, Some(vec!["NONE".to_owned()]));
            let made: Vec<_> = image.layers.iter().map(|layer| layer.created_by.as_deref()).collect();
            assert_eq!(made, [Some("first"), Some("second")]);
            let stored = pieces(&lower, coding).len() as u64;
            assert_eq!((image.layers[0].stored_bytes, image.layers[0].whole), (stored, true));
            let file = |bytes, fact: Option<&[u8]>| Kind::File { bytes, fact: fact.map(<[u8]>::to_vec) };
            let kinds: Vec<_> =
                image.layers.iter().flat_map(|layer| &layer.entries).map(|entry| &entry.kind).collect();
            let expected =
                [file(5, Some(b"alpha")), file(0, Some(b"")), file(5000, None), file(4, Some(b"beta"))];
            assert_eq!(kinds, expected.iter().collect::<Vec<_>>(), "{coding:?} in {whole:?}");
        }
    }
}

#[test]
fn every_kind_of_member_becomes_an_entry() {
    let mut tar = Builder::new(Vec::new());
    let long = format!("{}/x", vec!["d".repeat(90); 3].join("/"));
    tar.append_data(&mut header(EntryType::Regular, 2), &long, &b"ab"[..]).unwrap();
    tar.append_link(&mut header(EntryType::Symlink, 0), "l", "t".repeat(300)).unwrap();
    // Members without content may claim a size.
    tar.append_link(&mut header(EntryType::Link, 0), "h", "./a/../a").unwrap();
    tar.append_link(&mut header(EntryType::Link, 99), "hard", format!("/{long}")).unwrap();
    tar.append_data(&mut header(EntryType::Directory, 0), "dir/", &b""[..]).unwrap();
    tar.append_data(&mut header(EntryType::Char, 0), "dev/null", &b""[..]).unwrap();
    tar.append_data(&mut header(EntryType::Fifo, 0), "pipe", &b""[..]).unwrap();
    tar.append_pax_extensions([("size", &b"3"[..]), ("path", b"pax\nname"), ("uid", b"4000000")]).unwrap();
    tar.append_data(&mut header(EntryType::Regular, 0), "short", &b""[..]).unwrap();
    tar.get_mut().extend(b"abc".iter().chain(&[0; 509]));
    tar.append_data(&mut header(EntryType::Regular, 1), "dir/.wh.gone", &b"x"[..]).unwrap();
    tar.append_data(&mut header(EntryType::Regular, 1), "unlucky", &b"x"[..]).unwrap();
    tar.append_data(&mut header(EntryType::new(b'V'), 0), "label", &b""[..]).unwrap();
    let (entries, problems) = layer_of(tar.into_inner().unwrap());
    let file = |bytes, fact: Option<&[u8]>| Kind::File { bytes, fact: fact.map(<[u8]>::to_vec) };
    let expected = [
        (format!("/{long}"), file(2, Some(b"ab"))),
        ("/l".to_owned(), Kind::Link("t".repeat(300))),
        ("/hard".to_owned(), Kind::HardLink(format!("/{long}"))),
        ("/dir".to_owned(), Kind::Directory),
        ("/dev/null".to_owned(), Kind::Other),
        ("/pipe".to_owned(), Kind::Other),
        ("/pax\nname".to_owned(), file(3, Some(b"abc"))),
        ("/dir/gone".to_owned(), Kind::Whiteout),
        ("/unlucky".to_owned(), file(1, None)),
    ];
    assert_eq!(
        entries.iter().map(|entry| (entry.path.clone(), entry.kind.clone())).collect::<Vec<_>>(),
        expected
    );
    assert_eq!((entries[0].mode, entries[0].uid, entries[6].uid), (0o644, 7, 4_000_000));
    assert_eq!(
        problems,
        [
            "layer 0 (0) h: ./a/../a leads out of the image",
            "layer 0 (0) /unlucky: cannot be inspected",
            "layer 0 (0) label: unknown entry type 'V'",
        ]
    );
}

/// A header with a name and a size that no builder would write.
fn raw(name: &[u8], kind: u8, bytes: u64) -> Vec<u8> {
    let mut header = header(EntryType::new(kind), 0);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_size(bytes);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// An old GNU sparse file that is one hole.
fn hole(bytes: u64) -> Vec<u8> {
    let mut header = header(EntryType::GNUSparse, 0);
    header.as_mut_bytes()[483] = 0x80;
    header.as_mut_bytes()[487..495].copy_from_slice(&bytes.to_be_bytes());
    header.set_cksum();
    header.as_bytes().to_vec()
}

#[test]
fn hostile_members_are_problems() {
    let good = pack(&[("good", b"1")]);
    let cases: [(Vec<u8>, bool, &str); 11] = [
        (raw(b"../up", b'0', 0), true, "../up: ../up leads out of the image"),
        (raw(b"n\xff", b'0', 0), true, "/n\\xff: the name is not UTF-8"),
        (raw(b"huge", b'0', 1 << 40), false, "is truncated"),
        (raw(b"endless", b'0', (1 << 40) + 1), false, "claims an impossibly large size"),
        (raw(b"endless", b'0', u64::MAX), false, "claims an impossibly large size"),
        (raw(b"", b'L', 1 << 40), false, "an extension header claims 1099511627776 bytes"),
        (raw(b"", b'x', 1 << 19), false, "ends inside an extension header"),
        (raw(b"sparse", b'S', 0), true, "/sparse: not inspected because it is stored as a sparse file"),
        (hole((1 << 40) + 1), false, "claims an impossibly large size"),
        (vec![b'x'; 512], false, "has an invalid header"),
        (vec![0; 512], false, "continues after its end marker"),
    ];
    for (bytes, goes_on, expected) in cases {
        let tar = [&good[..1024], &bytes, &good].concat();
        let (entries, problems) = layer_of(tar);
        assert!(problems.len() == 1 && problems[0].contains(expected), "{expected}: {problems:?}");
        assert_eq!(entries.first().map(|entry| entry.path.as_str()), Some("/good"), "{expected}");
        assert_eq!(
            entries.last().map(|entry| entry.path.as_str()) == Some("/good") && entries.len() > 1,
            goes_on,
            "{expected}"
        );
    }
}

#[test]
fn a_truncated_layer_is_never_whole() {
    let tar = pack(&[("a", b"alpha"), ("b", &[1; 700]), ("c", b"gamma")]);
    for coding in [Coding::Tar, Coding::Gzip, Coding::Zstd] {
        let layer = pieces(&tar, coding);
        // A layer of zero bytes is empty, and padding after the end marker does not matter.
        let end = if coding == Coding::Tar { tar.len() - 512 } else { layer.len() - 20 };
        for length in (1..end).step_by(7) {
            let image = read(&docker(&[layer[..length].to_vec()], "null"), None).unwrap();
            let reported =
                image.problems.iter().any(|problem| problem.layer.as_deref() == Some("layer 0 (0)"));
            assert!(reported && !image.layers[0].whole, "{coding:?} cut at {length}: {:?}", image.problems);
        }
    }
}

/// The same archive with its members in the opposite order, so that the manifest precedes the layers.
fn reversed(archive: &[u8]) -> Vec<u8> {
    let mut members = Vec::new();
    for member in ::tar::Archive::new(archive).entries().unwrap() {
        let mut member = member.unwrap();
        let name = member.path().unwrap().to_string_lossy().into_owned();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        members.push((name, content));
    }
    let files: Vec<(&str, &[u8])> =
        members.iter().rev().map(|(name, content)| (name.as_str(), &content[..])).collect();
    pack(&files)
}

/// Two layers with two files each, the second one compressed.
fn two_layers() -> Vec<u8> {
    let layer = pack(&[("a", b"alpha"), ("b", &[1; 700])]);
    docker(&[layer.clone(), gzip(&layer)], r#"["x:1"]"#)
}

/// What is left of a truncated archive is complete, or the loss is reported.
#[test]
fn truncation_is_reported() {
    let plain = reversed(&two_layers());
    let complete = |image: &Image<Vec<u8>>| image.layers.iter().all(|layer| layer.entries.len() == 2);
    for coding in [Coding::Tar, Coding::Gzip, Coding::Zstd] {
        let archive = pieces(&plain, coding);
        assert!(read(&archive, None).is_ok_and(|image| image.problems.is_empty() && complete(&image)));
        let mut incomplete = 0;
        for length in (0..archive.len()).step_by(archive.len() / 100) {
            if let Ok(image) = read(&archive[..length], None) {
                assert!(!image.problems.is_empty() || complete(&image), "{coding:?} cut at {length}");
                incomplete += u32::from(!complete(&image));
            }
        }
        // A zstd frame of this size is a single block, which is read completely or not at all.
        assert!(incomplete > 0 || coding == Coding::Zstd, "{coding:?}");
    }
}

/// A changed byte adds no entry, and gzip's checksum reports it.
#[test]
fn changed_bytes_are_bounded() {
    let plain = two_layers();
    let entries = |image: &Image<Vec<u8>>| -> Vec<String> {
        image.layers.iter().map(|layer| format!("{:?}", layer.entries)).collect()
    };
    let original = entries(&read(&plain, None).unwrap());
    for coding in [Coding::Tar, Coding::Gzip, Coding::Zstd] {
        let archive = pieces(&plain, coding);
        let mut changed = 0;
        for at in (0..archive.len()).step_by(archive.len() / 200) {
            let mut damaged = archive.clone();
            damaged[at] ^= 0x81;
            let mut input = &damaged[..];
            let image = Store::read(&mut input, &Text).and_then(|store| compose(store, None, &Text));
            let Ok(image) = image else { continue };
            assert!(image.layers.len() == 2 && image.layers.iter().all(|layer| layer.entries.len() <= 2));
            let found = entries(&image);
            changed += u32::from(found != original);
            if coding == Coding::Gzip {
                assert!(found == original || !image.problems.is_empty(), "changed at {at}");
            }
            assert!(found[1] == original[1] || !image.problems.is_empty(), "{coding:?} changed at {at}");
        }
        assert!(changed > 0, "{coding:?}");
    }
}

#[test]
fn layers_may_be_links_to_others() {
    let layer = pack(&[("a", b"alpha")]);
    let mut tar = Builder::new(Vec::new());
    let config = r#"{"os":"linux","architecture":"s390x","rootfs":{"diff_ids":["a","b","c"]}}"#;
    let manifest =
        r#"[{"Config":"c.json","RepoTags":null,"Layers":["1/layer.tar","2/layer.tar","3/layer.tar"]}]"#;
    tar.append_link(&mut header(EntryType::Symlink, 0), "2/layer.tar", "../1/layer.tar").unwrap();
    for (name, text) in
        [("1/layer.tar", &layer[..]), ("c.json", config.as_bytes()), ("manifest.json", manifest.as_bytes())]
    {
        tar.append_data(&mut header(EntryType::Regular, text.len() as u64), name, text).unwrap();
    }
    tar.append_link(&mut header(EntryType::Link, 0), "3/layer.tar", "1/layer.tar").unwrap();
    let image = read(&tar.into_inner().unwrap(), None).unwrap();
    assert!(image.layers.iter().all(|layer| layer.entries.len() == 1 && layer.whole), "{:?}", image.problems);
}

#[test]
fn other_files_are_errors() {
    let cases: [(&[u8], &str); 4] = [
        (b"", "the archive is empty"),
        (b"hello", "not an image archive"),
        (&pack(&[("a", b"alpha")]), "no image found"),
        (&gzip(b"hello"), "ends inside a header"),
    ];
    for (bytes, expected) in cases {
        assert!(error(bytes, None).contains(expected), "{}", error(bytes, None));
    }
    assert!(!is_archive(Path::new("/nonexistent")));
}
