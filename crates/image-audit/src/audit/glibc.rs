//! The version of the image's glibc, and the libraries that a newer glibc refuses to load.

use crate::loader::Loader;
use crate::paths::site;
use crate::tree::Tree;
use crate::usage::Places;

/// Libraries of glibc; not every release adds a symbol to each of them.
const LIBRARIES: [&str; 2] = ["libc.so.6", "libm.so.6"];

/// The newest release whose symbols the glibc of the image defines, such as `2.41`.
pub fn version(loader: &Loader) -> Option<String> {
    let defined = LIBRARIES.iter().filter_map(|name| loader.object_by_default(name));
    newest(defined.flat_map(|elf| &elf.versions_defined))
}

/// Of `GLIBC_2.2.5`, `GLIBC_2.41` and `GLIBC_PRIVATE`, 2.41.
fn newest<'a>(versions: impl Iterator<Item = &'a String>) -> Option<String> {
    let release = |version: &String| -> Option<(u32, u32)> {
        let mut numbers = version.strip_prefix("GLIBC_")?.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    versions.filter_map(release).max().map(|(major, minor)| format!("{major}.{minor}"))
}

/// Libraries of Python packages that need an executable stack. Python opens them when the process runs already; for
/// what a program is linked to, the loader still provides such a stack. Each file once, at the name by which it is
/// opened.
pub fn executable_stacks(tree: &Tree, places: &Places, machine: u16) -> Vec<String> {
    let objects = tree.files.iter().filter(|(path, file)| {
        let refused = file.elf.as_ref().is_some_and(|elf| {
            elf.executable_stack && elf.dynamic && elf.interpreter.is_none() && elf.machine == machine
        });
        refused && places.first(path) == *path
    });
    objects
        .filter_map(|(path, _)| places.loaded(path).into_iter().find(|name| site(name).is_some()))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Elf;
    use crate::loader::Environment;
    use crate::tree::File;
    use std::iter;

    fn tree(files: &[(&str, Elf)]) -> Tree {
        let file = |(inode, (path, elf)): (usize, &(&str, Elf))| {
            let elf = Some(Box::new(elf.clone()));
            (path.to_string(), File { bytes: 1, elf, identity: (0, inode as u64) })
        };
        Tree::with(files.iter().enumerate().map(file), iter::empty())
    }

    fn defining(versions: &[&str]) -> Elf {
        let versions_defined = versions.iter().map(|version| version.to_string()).collect();
        Elf { machine: 62, dynamic: true, versions_defined, ..Elf::default() }
    }

    #[test]
    fn the_newest_symbols_of_libc_and_libm() {
        let of = |libc: &[&str], libm: &[&str]| {
            let loader = Elf { system_directories: vec!["/lib".into()], ..defining(&[]) };
            let tree = tree(&[
                ("/lib64/ld-linux-x86-64.so.2", loader),
                ("/lib/libc.so.6", defining(libc)),
                ("/lib/libm.so.6", defining(libm)),
            ]);
            version(&Loader::new(&tree, Environment::default()))
        };
        let libc = ["libc.so.6", "GLIBC_2.2.5", "GLIBC_2.41", "GLIBC_2.9", "GLIBC_PRIVATE"];
        assert_eq!(of(&libc, &["GLIBC_2.27"]).as_deref(), Some("2.41"));
        assert_eq!(of(&["GLIBC_2.39"], &["GLIBC_2.40"]).as_deref(), Some("2.40"));
        assert_eq!(of(&["GLIBC_PRIVATE"], &[]), None);
    }

    #[test]
    fn only_libraries_of_python_packages_are_opened_later() {
        let object = |machine, interpreter: Option<&str>, executable_stack| Elf {
            machine,
            dynamic: true,
            executable_stack,
            interpreter: interpreter.map(str::to_owned),
            ..Elf::default()
        };
        let site = "/usr/lib/python3/dist-packages/app";
        let below = |name: &str| format!("{site}/{name}");
        let [library, plain, program, foreign] = ["a.so", "b.so", "run", "arm.so"].map(below);
        let mut tree = tree(&[
            (&library, object(62, None, true)),
            (&plain, object(62, None, false)),
            (&program, object(62, Some("/lib64/ld-linux-x86-64.so.2"), true)),
            (&foreign, object(183, None, true)),
            ("/usr/lib/liblinked.so", object(62, None, true)),
        ]);
        // Another name of the same file.
        let cached = "/root/.cache/uv/archive-v0/x/app/a.so".to_owned();
        tree.files.insert(cached, tree.files[&library].clone());
        assert_eq!(executable_stacks(&tree, &Places::new(&tree), 62), [library]);
    }
}
