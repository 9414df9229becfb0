//! Packages that apk has installed.
//!
//! A package is a block of lines, each a letter, a colon and a value. Unknown letters are ignored. Packages
//! without a name are ignored, and so are those whose paths together are much longer than their text.

use super::package::Package;

/// The packages in a database.
pub fn packages(installed: &str) -> Vec<Package> {
    installed.split("\n\n").filter_map(package).collect()
}

/// Limit of the total length of paths, as a multiple of the text's length. Real paths are about as long as the
/// text, because it has a checksum for each file.
const EXPANSION: usize = 16;

fn package(stanza: &str) -> Option<Package> {
    let (mut name, mut version, mut files) = (None, "", Vec::new());
    let mut directory = None;
    let mut room = stanza.len().saturating_mul(EXPANSION);
    for (letter, value) in stanza.lines().filter_map(|line| line.split_once(':')) {
        match (letter, directory) {
            ("P", _) => name = Some(value),
            ("V", _) => version = value,
            // The name of the root is empty.
            ("F", _) => directory = Some(value.trim_matches('/')),
            ("R", Some("")) => files.push(format!("/{value}")),
            ("R", Some(directory)) => {
                room = room.checked_sub(directory.len())?;
                files.push(format!("/{directory}/{value}"));
            }
            _ => {}
        }
    }
    let name = name.filter(|name| !name.is_empty())?;
    Some(Package { name: name.to_owned(), version: version.to_owned(), files })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTALLED: &str = "\
C:Q1hVGjDvEtEdkbWJPhvqEfMgKsRTk=\nP:musl\nV:1.2.5-r0\nA:x86_64\nD:so:a cmd:b=1\nF:lib\nM:0:0:755\n\
R:ld-musl-x86_64.so.1\na:0:0:755\nZ:Q1vAXfEDgl8tJIIjKqcyqFyBqxzXM=\nR:libc.musl-x86_64.so.1\na:0:0:777\n\
F:usr\nF:usr/lib\nR:libx:y.so\n\nP:meta\nV:3.20.0-r0\n\nP:root\nV:1\nF:\nR:.dot\nF:/etc/\nR:x\n\n";

    fn shown(text: &str) -> Vec<String> {
        let found = packages(text).into_iter();
        found.map(|found| format!("{} {} {}", found.name, found.version, found.files.join(" "))).collect()
    }

    #[test]
    fn files_belong_to_the_preceding_directory() {
        let musl = "musl 1.2.5-r0 /lib/ld-musl-x86_64.so.1 /lib/libc.musl-x86_64.so.1 /usr/lib/libx:y.so";
        assert_eq!(shown(INSTALLED), [musl, "meta 3.20.0-r0 ", "root 1 /.dot /etc/x"]);
    }

    #[test]
    fn incomplete_packages() {
        let cases: [(&str, &[&str]); 5] = [
            ("", &[]),
            ("V:1\nF:lib\nR:a\n", &[]),
            ("P:\nF:lib\nR:a\n", &[]),
            ("P:a\nR:no directory\n", &["a  "]),
            ("\n\n\nP:a\nV:1\nnothing\nF:b\nR:c\n\n\n\nP:b", &["a 1 /b/c", "b  "]),
        ];
        for (text, want) in cases {
            assert_eq!(shown(text), want, "{text:?}");
        }
    }

    #[test]
    fn expansion_of_long_directories_is_bounded() {
        let text = format!("P:a\nF:{}\n{}\nP:b\n", "d".repeat(10_000), "R:\n".repeat(10_000));
        assert_eq!(shown(&text), ["b  "]);
    }
}
