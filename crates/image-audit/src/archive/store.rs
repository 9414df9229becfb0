//! The blobs of an archive by name, wherever they are: a layout directory, a file, a stream.
//!
//! A file that can be read anywhere is only indexed here, and its layers are read when the manifest is
//! known. A stream comes once, before anybody can say what its blobs are: what looks like a layer is
//! read as one, what looks like a known document is kept, the rest is passed over.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use super::coding::{self, Coding};
use super::layer::{self, Contents, image_path};
use super::tar::{self, BLOCK, Inside, Part, Section, Source, Stream, Tar};
use super::{Input, Look, documents};

/// The largest document, and the largest sum of those kept from a stream.
const DOCUMENT: u64 = 16 << 20;
const DOCUMENTS: u64 = 64 << 20;

/// Documents up to this size are kept whatever they are.
const SMALL: u64 = 64 << 10;

/// What goes through a buffer: larger reads of a stream do not.
const HEADERS: usize = 64 << 10;

/// What a pipe may hold: as much as anybody may ask for.
const PIPE: usize = 1 << 20;

/// Links of an archive to its own members, one after the other.
const LINKS: u32 = 40;

pub struct Store<T> {
    place: Place,
    members: HashMap<String, Held<T>>,
    links: HashMap<String, String>,
    /// Bytes of the documents that were kept.
    kept: u64,
    /// Where the archive broke off.
    pub damage: Option<String>,
}

enum Place {
    Directory(PathBuf),
    File(File),
    /// Gone, once it was read.
    Stream,
}

enum Held<T> {
    At {
        offset: u64,
        bytes: u64,
    },
    Document(Vec<u8>),
    Layer(Contents<T>),
    /// Neither; why it was not kept.
    Nothing(&'static str),
}

/// Whether a directory is an OCI layout.
pub fn is_layout(path: &Path) -> bool {
    path.join("oci-layout").is_file() && path.join("index.json").is_file()
}

impl<T: Clone + Send + Sync> Store<T> {
    pub fn open<L: Look<Fact = T>>(input: Input, look: &L) -> Result<Self> {
        let file = match input {
            Input::Path(path) if path.is_dir() => {
                ensure!(is_layout(path), "{} is no OCI layout", path.display());
                return Ok(Store::new(Place::Directory(path.to_owned())));
            }
            Input::Path(path) => {
                File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?
            }
            Input::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned()?),
        };
        // A file may be given as standard input, and a pipe by its name.
        let seekable = file.metadata()?.is_file() && (&file).stream_position()? == 0;
        let mut head = [0; BLOCK];
        if seekable {
            let section = Section { file: &file, at: 0, end: file.metadata()?.len() };
            let filled = Source::Section(section).fill(&mut head)?;
            if filled > 0 && coding::sniff(&head[..filled]) == Coding::Tar {
                let mut store = Store::new(Place::Stream);
                store.read_members(Source::Section(section), look);
                store.place = Place::File(file);
                return Ok(store);
            }
        }
        // Fewer turns between the writer and this program. Refused for what is no pipe, and past a user's limit.
        let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE);
        Store::read(&mut BufReader::with_capacity(HEADERS, file), look)
    }

    /// Reads an archive that comes as a stream, compressed or not.
    pub fn read<L: Look<Fact = T>>(input: Stream, look: &L) -> Result<Self> {
        let mut store = Store::new(Place::Stream);
        let mut head = [0; BLOCK];
        let filled = tar::fill(input, &mut head)?;
        ensure!(filled > 0, "the archive is empty");
        let mut input = (&head[..filled]).chain(input);
        match coding::sniff(&head[..filled]) {
            coding @ (Coding::Tar | Coding::Gzip | Coding::Zstd) => {
                coding::decompressed(&mut input, coding, &mut |stream| {
                    store.read_members(Source::Stream(stream), look)
                })?
            }
            Coding::Json | Coding::Unknown => {
                bail!("this is no image archive: neither a tar nor one compressed with gzip or zstd")
            }
        }
        Ok(store)
    }

    fn new(place: Place) -> Self {
        Store { place, members: HashMap::new(), links: HashMap::new(), kept: 0, damage: None }
    }

    fn read_members<L: Look<Fact = T>>(&mut self, source: Source, look: &L) {
        let mut tar = Tar::new(source);
        let mut last = "its begin".to_owned();
        loop {
            let member = match tar.next() {
                Ok(Some(member)) => member,
                Ok(None) => return,
                Err(error) => return self.damage = Some(format!("is damaged after {last}: {error:#}")),
            };
            // Names that lead elsewhere are not those of blobs.
            let Ok(name) = image_path(&member.name) else { continue };
            match member.kind {
                b'0' => {
                    let held = self.hold(&name, tar.content(), member.bytes, look);
                    self.members.insert(name.clone(), held);
                }
                kind => {
                    let link = link_target(&name, kind, &member.link);
                    self.links.extend(link.map(|target| (name.clone(), target)));
                }
            }
            last = name;
        }
    }

    fn hold<L: Look<Fact = T>>(&mut self, name: &str, inside: Inside, bytes: u64, look: &L) -> Held<T> {
        match inside {
            Inside::Section(section) => Held::At { offset: section.at, bytes: section.end - section.at },
            Inside::Part(mut part) => self
                .keep(name, &mut part, bytes, look)
                .unwrap_or_else(|error| Held::Layer(Contents::broken(format!("cannot be read: {error}")))),
        }
    }

    fn keep<L: Look<Fact = T>>(
        &mut self,
        name: &str,
        part: &mut Part,
        bytes: u64,
        look: &L,
    ) -> io::Result<Held<T>> {
        let mut head = [0; BLOCK];
        let filled = tar::fill(part, &mut head)?;
        let mut whole = (&head[..filled]).chain(part);
        match coding::sniff(&head[..filled]) {
            Coding::Unknown => Ok(Held::Nothing("is neither a document nor a layer")),
            Coding::Json if bytes > DOCUMENT => Ok(Held::Nothing("is larger than a document may be")),
            Coding::Json => {
                let mut document = Vec::new();
                whole.read_to_end(&mut document)?;
                if bytes > SMALL && !documents::is_known(name, &document) {
                    return Ok(Held::Nothing("is a document of another kind"));
                }
                self.kept += document.len() as u64;
                let fits = self.kept <= DOCUMENTS;
                Ok(if fits { Held::Document(document) } else { Held::Nothing("is one document too many") })
            }
            coding => Ok(Held::Layer(layer::read_stream(&mut whole, bytes, coding, look))),
        }
    }

    /// The member behind the links of the archive to itself.
    fn real<'a>(&'a self, name: &'a str) -> &'a str {
        let mut name = name;
        for _ in 0..LINKS {
            match self.links.get(name) {
                Some(target) if !self.members.contains_key(name) => name = target,
                _ => break,
            }
        }
        name
    }

    pub fn has(&self, name: &str) -> bool {
        match &self.place {
            Place::Directory(root) => root.join(name.trim_start_matches('/')).is_file(),
            _ => self.members.contains_key(self.real(name)),
        }
    }

    /// A document; none where there is no such name.
    pub fn document(&self, name: &str) -> Result<Option<Vec<u8>>> {
        if !self.has(name) {
            return Ok(None);
        }
        if let Some(Held::Document(document)) = self.members.get(self.real(name)) {
            return Ok(Some(document.clone()));
        }
        let (mut document, mut opened) = (Vec::new(), None);
        let mut section = self.locate(name, &mut opened).with_context(|| format!("{name} cannot be read"))?;
        ensure!(section.end - section.at <= DOCUMENT, "{name} is larger than a document may be");
        section.read_to_end(&mut document).with_context(|| format!("{name} cannot be read"))?;
        Ok(Some(document))
    }

    /// The layers of these names: those of a stream were read as they came, others are read now, several
    /// at once.
    pub fn layers<L: Look<Fact = T>>(&mut self, names: &[&str], look: &L) -> Vec<Contents<T>> {
        if matches!(self.place, Place::Stream) {
            let names: Vec<String> = names.iter().map(|name| self.real(name).to_owned()).collect();
            let again = |index: usize| names[index + 1..].contains(&names[index]);
            return (0..names.len()).map(|index| self.take(&names[index], again(index))).collect();
        }
        let workers = crate::tree::workers().min(names.len());
        let next = AtomicUsize::new(0);
        let store = &*self;
        let work = || {
            let mut read = Vec::new();
            loop {
                let index = next.fetch_add(1, Relaxed);
                let Some(name) = names.get(index) else { break read };
                read.push((index, store.layer(name, look)));
            }
        };
        thread::scope(|scope| {
            // Where no more threads may be started, this one does all of it.
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
            let handles: Vec<_> = (1..workers).filter_map(spawn).collect();
            let mut read = work();
            for handle in handles {
                read.extend(handle.join().expect("reading a layer does not panic"));
            }
            let mut layers: Vec<_> = names.iter().map(|_| None).collect();
            read.into_iter().for_each(|(index, contents)| layers[index] = Some(contents));
            layers.into_iter().flatten().collect()
        })
    }

    fn take(&mut self, name: &str, again: bool) -> Contents<T> {
        let held = if again { None } else { self.members.remove(name) };
        match (held, self.members.get(name)) {
            (Some(Held::Layer(contents)), _) => contents,
            (None, Some(Held::Layer(contents))) => contents.clone(),
            _ => Contents::broken("is no tar, compressed with gzip, zstd or not at all".to_owned()),
        }
    }

    fn layer<L: Look<Fact = T>>(&self, name: &str, look: &L) -> Contents<T> {
        match self.locate(name, &mut None) {
            Ok(section) => layer::read_section(section, look),
            Err(error) => Contents::broken(format!("cannot be read: {error:#}")),
        }
    }

    /// Where a blob is that was not read yet. `opened` keeps its file where it has one of its own.
    fn locate<'a>(&'a self, name: &str, opened: &'a mut Option<File>) -> Result<Section<'a>> {
        match (&self.place, self.members.get(self.real(name))) {
            (Place::Directory(root), _) => {
                let file = opened.insert(File::open(root.join(name.trim_start_matches('/')))?);
                let end = file.metadata()?.len();
                Ok(Section { file, at: 0, end })
            }
            (Place::File(file), Some(Held::At { offset, bytes })) => {
                Ok(Section { file, at: *offset, end: offset.saturating_add(*bytes) })
            }
            (_, Some(Held::Nothing(why))) => bail!("it {why}"),
            _ => bail!("it is not there as what it should be"),
        }
    }
}

/// The member that a link of an archive names.
fn link_target(name: &str, kind: u8, target: &[u8]) -> Option<String> {
    let target = std::str::from_utf8(target).ok()?;
    let mut parts: Vec<&str> = match kind {
        b'2' if !target.starts_with('/') => name.split('/').collect(),
        b'1' | b'2' => Vec::new(),
        _ => return None,
    };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    image_path(parts.join("/").as_bytes()).ok()
}
