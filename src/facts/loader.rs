//! Which file a soname means, as glibc's loader decides it for one object and its dependencies.
//!
//! Searched are, in this order: what is loaded already; DT_RPATH of the requester and of those that
//! loaded it, unless it has DT_RUNPATH; LD_LIBRARY_PATH; its DT_RUNPATH; the cache; the default
//! directories. The tree answers, the machine at hand is not asked. What this first version leaves
//! out: hardware-specific directories (glibc-hwcaps), musl's rules, symbol versions.

use std::cell::RefCell;
use std::collections::HashMap;

use super::elf::Elf;
use super::tree::Tree;

pub struct Loader<'a> {
    tree: &'a Tree,
    /// LD_LIBRARY_PATH of the application.
    library_path: Vec<String>,
    /// `/etc/ld.so.cache`: the files of a soname, best first.
    cache: HashMap<String, Vec<String>>,
    common: RefCell<HashMap<(u16, String), Option<String>>>,
}

/// An object and all that is loaded with it.
pub struct Closure<'a> {
    pub objects: Vec<Loaded<'a>>,
    pub edges: Vec<Edge>,
    /// Needs that nothing satisfies, by number of the object.
    pub missing: Vec<(usize, String)>,
}

pub struct Loaded<'a> {
    /// Real path.
    pub path: String,
    pub elf: &'a Elf,
    /// The path by which it was found: `$ORIGIN` is its directory.
    found_as: String,
    loaded_by: Option<usize>,
    /// Names that mean this object from now on.
    names: Vec<String>,
}

/// The first object needs the second.
pub struct Edge {
    pub from: usize,
    pub to: usize,
}

#[cfg(target_arch = "x86_64")]
const DEFAULTS: [&str; 6] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
#[cfg(not(target_arch = "x86_64"))]
const DEFAULTS: [&str; 6] =
    ["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];

impl<'a> Loader<'a> {
    pub fn new(tree: &'a Tree, library_path: &str) -> Self {
        let cache = tree.read("/etc/ld.so.cache").map(|bytes| parse_cache(&bytes)).unwrap_or_default();
        let library_path =
            library_path.split([':', ';']).filter(|path| path.starts_with('/')).map(str::to_owned);
        Loader { tree, library_path: library_path.collect(), cache, common: RefCell::default() }
    }

    /// Everything that is loaded with the object at `path`, in the loader's order: breadth first.
    pub fn closure(&self, path: &str) -> Option<Closure<'a>> {
        let (real, file) = self.tree.file(path)?;
        let elf = file.elf.as_ref()?;
        let names = elf.soname.iter().cloned().collect();
        let first = Loaded { path: real, elf, found_as: path.to_owned(), loaded_by: None, names };
        let mut closure = Closure { objects: vec![first], edges: Vec::new(), missing: Vec::new() };
        let mut next = 0;
        while next < closure.objects.len() {
            for soname in &closure.objects[next].elf.needed {
                match self.load(&mut closure, next, soname) {
                    Some(to) => closure.edges.push(Edge { from: next, to }),
                    None => closure.missing.push((next, soname.clone())),
                }
            }
            next += 1;
        }
        Some(closure)
    }

    /// What a program finds that asks for a soname without being linked to anything.
    pub fn by_default(&self, soname: &str) -> Option<String> {
        let anyone = self.library_path.iter().map(String::as_str).chain(DEFAULTS);
        let in_path = |directory: &str| self.tree.file(&format!("{directory}/{soname}"));
        let cached = self.cache.get(soname).into_iter().flatten().find_map(|path| self.tree.file(path));
        let early = self.library_path.iter().find_map(|directory| in_path(directory));
        let file = early.or(cached).or_else(|| anyone.into_iter().find_map(in_path))?;
        file.1.elf.as_ref().map(|_| file.0)
    }

    /// The file that `requester` gets when it asks for a name at run time.
    pub fn dlopen(&self, requester: &str, name: &str) -> Option<String> {
        let (real, file) = self.tree.file(requester)?;
        let elf = file.elf.as_ref()?;
        let first =
            Loaded { path: real, elf, found_as: requester.to_owned(), loaded_by: None, names: Vec::new() };
        let mut closure = Closure { objects: vec![first], edges: Vec::new(), missing: Vec::new() };
        self.load(&mut closure, 0, name).map(|number| closure.objects[number].path.clone())
    }

    fn load(&self, closure: &mut Closure<'a>, by: usize, soname: &str) -> Option<usize> {
        if let Some(known) =
            closure.objects.iter().position(|object| object.names.iter().any(|name| name == soname))
        {
            return Some(known);
        }
        let found_as = self.find(closure, by, soname)?;
        let (path, file) = self.tree.file(&found_as)?;
        let elf = file.elf.as_ref()?;
        if let Some(known) = closure.objects.iter().position(|object| object.path == path) {
            closure.objects[known].names.push(soname.to_owned());
            return Some(known);
        }
        let names = elf.soname.iter().cloned().chain([soname.to_owned()]).collect();
        closure.objects.push(Loaded { path, elf, found_as, loaded_by: Some(by), names });
        Some(closure.objects.len() - 1)
    }

    fn find(&self, closure: &Closure, by: usize, soname: &str) -> Option<String> {
        let requester = &closure.objects[by];
        let fits = |path: &String| {
            let elf = self.tree.file(path).and_then(|(_, file)| file.elf.as_ref());
            elf.is_some_and(|elf| elf.machine == requester.elf.machine)
        };
        if soname.contains('/') {
            // A relative path depends on where the program is started.
            return Some(soname.to_owned()).filter(|path| path.starts_with('/')).filter(fits);
        }
        let within = |directories: Vec<String>| {
            directories.into_iter().map(|directory| format!("{directory}/{soname}")).find(fits)
        };
        let mut inherited = Vec::new();
        if requester.elf.runpath.is_empty() {
            let mut link = Some(by);
            while let Some(number) = link {
                let object = &closure.objects[number];
                if object.elf.runpath.is_empty() {
                    inherited.extend(object.expand(&object.elf.rpath));
                }
                link = object.loaded_by;
            }
        }
        within(inherited)
            .or_else(|| within(self.library_path.clone()))
            .or_else(|| within(requester.expand(&requester.elf.runpath)))
            .or_else(|| {
                (!requester.elf.no_default_directories).then(|| self.common(requester.elf.machine, soname))?
            })
    }

    /// What the cache and the default directories have: the same for every requester, and asked so
    /// often that it is remembered.
    fn common(&self, machine: u16, soname: &str) -> Option<String> {
        let key = (machine, soname.to_owned());
        if let Some(known) = self.common.borrow().get(&key) {
            return known.clone();
        }
        let fits = |path: &String| {
            let elf = self.tree.file(path).and_then(|(_, file)| file.elf.as_ref());
            elf.is_some_and(|elf| elf.machine == machine)
        };
        let cached = self.cache.get(soname).into_iter().flatten().find(|path| fits(path)).cloned();
        let found = cached
            .or_else(|| DEFAULTS.map(|directory| format!("{directory}/{soname}")).into_iter().find(fits));
        self.common.borrow_mut().insert(key, found.clone());
        found
    }
}

impl Loaded<'_> {
    /// Search paths with `$ORIGIN` and `$LIB` put in.
    fn expand(&self, paths: &[String]) -> Vec<String> {
        let origin = self.found_as.rsplit_once('/').map_or("", |(directory, _)| directory);
        let put = |path: &String, name: &str, value: &str| {
            path.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
        };
        paths.iter().map(|path| put(&put(path, "ORIGIN", origin), "LIB", "lib64")).collect()
    }
}

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";

/// Sonames and files of `ld.so.cache`, both layouts. A damaged cache is an empty one, as it is to
/// the loader. Entries for special hardware are left out.
fn parse_cache(bytes: &[u8]) -> HashMap<String, Vec<String>> {
    let mut cache: HashMap<String, Vec<String>> = HashMap::new();
    let number = |at: usize| -> Option<usize> {
        Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize)
    };
    let start = if bytes.starts_with(OLD_MAGIC) {
        // The old table of 12-byte entries, then the new one at the next multiple of eight.
        let entries = number(12).unwrap_or(0);
        entries
            .checked_mul(12)
            .and_then(|size| size.checked_add(16 + 7))
            .map_or(usize::MAX, |end| end / 8 * 8)
    } else {
        0
    };
    let Some(table) = bytes.get(start..).filter(|table| table.starts_with(MAGIC)) else { return cache };
    let string = |offset: usize| -> Option<String> {
        let text = table.get(offset..)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&text[..end]).into_owned())
    };
    let count = number(start + MAGIC.len()).unwrap_or(0);
    for entry in table.get(48..).unwrap_or_default().chunks_exact(24).take(count) {
        let word = |at: usize| u32::from_le_bytes(entry[at..at + 4].try_into().expect("four bytes"));
        let hardware = u64::from_le_bytes(entry[16..24].try_into().expect("eight bytes"));
        if hardware != 0 {
            continue;
        }
        if let (Some(soname), Some(path)) = (string(word(4) as usize), string(word(8) as usize)) {
            cache.entry(soname).or_default().push(path);
        }
    }
    cache
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(&str, &str, u64)]) -> Vec<u8> {
        let mut strings = Vec::new();
        let mut table = Vec::new();
        let base = 48 + 24 * entries.len();
        for (soname, path, hardware) in entries {
            let mut put = |text: &str| {
                let at = (base + strings.len()) as u32;
                strings.extend(text.as_bytes());
                strings.push(0);
                at
            };
            let (key, value) = (put(soname), put(path));
            table.extend(0x303u32.to_le_bytes());
            table.extend(key.to_le_bytes());
            table.extend(value.to_le_bytes());
            table.extend(0u32.to_le_bytes());
            table.extend(hardware.to_le_bytes());
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend((entries.len() as u32).to_le_bytes());
        bytes.extend((strings.len() as u32).to_le_bytes());
        bytes.extend([2, 0, 0, 0]);
        bytes.extend([0; 16]);
        bytes.extend(table);
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn the_cache_in_both_layouts() {
        let new =
            cache(&[("libx.so.1", "/lib/libx.so.1", 0), ("libx.so.1", "/lib/hwcaps/libx.so.1", 1 << 62)]);
        let expected = HashMap::from([("libx.so.1".to_owned(), vec!["/lib/libx.so.1".to_owned()])]);
        assert_eq!(parse_cache(&new), expected);
        let mut old = OLD_MAGIC.to_vec();
        old.push(0);
        old.extend(1u32.to_le_bytes());
        old.extend([0; 12 + 4]);
        old.extend(&new);
        assert_eq!(parse_cache(&old), expected);
    }

    #[test]
    fn a_damaged_cache_is_empty_and_never_fatal() {
        let whole = cache(&[("liby.so", "/lib/liby.so", 0)]);
        for end in 0..whole.len() {
            parse_cache(&whole[..end]);
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xFF;
            parse_cache(&damaged);
        }
    }
}
