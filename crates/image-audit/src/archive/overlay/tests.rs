//! Merging layers.

use super::*;

/// Entries of a layer, one word each: `/dir/`, `/file=BYTES`, `/link>TARGET`, `/hard&TARGET`, `-/gone`,
/// `!/opaque`.
fn layer(text: &str) -> Layer<()> {
    let entry = |word: &str| {
        let kind_at = |mark: char| word.split_once(mark);
        let (path, kind) = if let Some((path, bytes)) = kind_at('=') {
            (path, Kind::File { bytes: bytes.parse().unwrap(), fact: None })
        } else if let Some((path, target)) = kind_at('>') {
            (path, Kind::Link(target.to_owned()))
        } else if let Some((path, target)) = kind_at('&') {
            (path, Kind::HardLink(target.to_owned()))
        } else if let Some(path) = word.strip_prefix('-') {
            (path, Kind::Whiteout)
        } else if let Some(path) = word.strip_prefix('!') {
            (path, Kind::Opaque)
        } else {
            (word.trim_end_matches('/'), Kind::Directory)
        };
        Entry { path: path.to_owned(), kind, mode: 0o755, uid: 0 }
    };
    let entries = text.split_whitespace().map(entry).collect();
    Layer { digest: String::new(), created_by: None, stored_bytes: 0, entries, whole: true }
}

fn merged(layers: &[&str]) -> Merged<()> {
    merge(&mut layers.iter().map(|text| layer(text)).collect::<Vec<_>>())
}

/// The tree in the same notation, without directories.
fn tree(merged: &Merged<()>) -> String {
    let word = |(path, node): (&String, &Node<()>)| match &node.kind {
        Kind::File { bytes, .. } => Some(format!("{path}={bytes}")),
        Kind::Link(target) => Some(format!("{path}>{target}")),
        Kind::HardLink(target) => Some(format!("{path}&{target}")),
        _ => None,
    };
    merged.nodes.iter().filter_map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn layers_are_merged() {
    let cases: [(&str, &[&str], &str); 15] = [
        ("files add up", &["/a/x=1", "/a/y=2"], "/a/x=1 /a/y=2"),
        ("a file replaces another", &["/a=1", "/a=2"], "/a=2"),
        ("a removal", &["/a/x=1 /a/y=1", "-/a/x"], "/a/y=1"),
        ("a removal of a directory", &["/a/x=1 /a-b=1 /a0=1", "-/a"], "/a-b=1 /a0=1"),
        ("not of the same layer, whatever the order", &["/a/x=1", "/a/y=2 -/a -/b /b=3"], "/a/y=2 /b=3"),
        ("opaque, whatever the order", &["/a/x=1 /b=1", "/a/ /a/y=2 !/a"], "/a/y=2 /b=1"),
        ("an opaque root", &["/a/x=1 /b=1", "!/ /c=2"], "/c=2"),
        ("a file over a directory", &["/a/x=1", "/a=2"], "/a=2"),
        ("a directory over a file", &["/a=1", "/a/ /a/x=2"], "/a/x=2"),
        ("a directory over a link", &["/l>d /d/x=1", "/l/ /l/y=2"], "/d/x=1 /l/y=2"),
        (
            "a path through a link of its own layer",
            &["/l>usr/l /l/x=1 /m>/usr/l/../m /m/y=2"],
            "/l>usr/l /m>/usr/l/../m /usr/l/x=1 /usr/m/y=2",
        ),
        ("a path through a link of a lower layer", &["/l>usr/l /usr/l/x=1", "/l/y=2"], "/l/y=2 /usr/l/x=1"),
        ("links out of the root stay in it", &["/l>../../../etc /l/x=1"], "/etc/x=1 /l>../../../etc"),
        ("a hard link to a link", &["/l>x /h&/l"], "/h>x /l>x"),
        ("removed and recreated", &["/a/x=1", "-/a", "/a/y=1"], "/a/y=1"),
    ];
    for (what, layers, expected) in cases {
        let merged = merged(layers);
        assert_eq!(tree(&merged), expected, "{what}");
        assert_eq!(merged.problems, [], "{what}");
    }
}

#[test]
fn unlisted_directories_exist() {
    let merged = merged(&["/a/b/c=1"]);
    let kinds: Vec<_> = merged.nodes.iter().map(|(path, node)| (path.as_str(), &node.kind)).collect();
    let file = Kind::File { bytes: 1, fact: None };
    assert_eq!(kinds, [("/a", &Kind::Directory), ("/a/b", &Kind::Directory), ("/a/b/c", &file)]);
}

#[test]
fn hidden_files_are_counted_once() {
    let cases: [(&[&str], &str, &str); 7] = [
        (&["/a=7", "-/a"], "/a 7 0 1 Deleted", ""),
        (&["/a=7", "/a=7", "-/a"], "/a 7 0 1 Overwritten, /a 7 1 2 Deleted", ""),
        (&["/a/x=1 /a/y=2", "!/a"], "/a/x 1 0 1 Deleted, /a/y 2 0 1 Deleted", ""),
        (&["/a=1 /a=2"], "/a 1 0 0 Overwritten", "/a=2"),
        (&["/a=7 /b&/a /c&/b", "-/a"], "", "/b=7 /c&/b"),
        (&["/a=7 /b&/a /c&/b", "-/a", "/b=1 -/c"], "/b 7 0 2 Overwritten", "/b=1"),
        (&["/a=7 /b&/a", "/b=1"], "", "/a=7 /b=1"),
    ];
    for (layers, expected, left) in cases {
        let merged = merged(layers);
        let hidden = merged.hidden.iter();
        let hidden =
            hidden.map(|one| format!("{} {} {} {} {:?}", one.path, one.bytes, one.layer, one.by, one.how));
        assert_eq!(hidden.collect::<Vec<_>>().join(", "), expected, "{layers:?}");
        assert_eq!(tree(&merged), left, "{layers:?}");
    }
}

#[test]
fn impossible_entries_are_problems() {
    let deep = format!("{}/x=1", "/d".repeat(300));
    let cases = [
        ("/a>b /b>a /a/x=1", "layer 0 /a/x: its directory is nested too deeply, or its links form a loop"),
        ("/h&/absent", "layer 0 /h: hard link to /absent, which does not exist"),
        ("/a=1 /a&/a", "layer 0 /a: hard link to itself"),
        ("/d/x=1 /d&/d/x", "layer 0 /d: hard link to /d/x, which does not exist"),
        (&deep, "its directory is nested too deeply, or its links form a loop"),
    ];
    for (text, expected) in cases {
        let problems = merged(&[text]).problems;
        assert!(
            problems.len() == 1 && problems[0].to_string().contains(expected),
            "{text:.40}: {problems:?}"
        );
    }
}

#[test]
fn the_cost_of_a_wide_directory_is_linear() {
    let wide: String = (0..50_000).map(|number| format!("/d/{number}=1 ")).collect();
    let linked: String = (0..50_000).map(|number| format!("/l/{number}&/l/first ")).collect();
    let removed: String = (0..50_000).map(|number| format!("-/l/{number} ")).collect();
    let start = std::time::Instant::now();
    let merged = merged(&[&wide, &format!("/l/first=9 {linked}"), "-/d", &format!("-/l/first {removed}")]);
    assert_eq!(tree(&merged), "");
    assert_eq!(merged.hidden.len(), 50_001);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
