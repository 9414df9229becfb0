//! The blobs of an archive by name, in a layout directory, a file or a stream.
//!
//! A seekable file is only indexed, and its layers are read when the manifest is known. A stream comes once,
//! before the manifest is known: a blob that looks like a layer is read as one, a blob that looks like a
//! manifest or configuration is kept, and the rest is skipped.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use super::coding::{self, Coding};
use super::documents;
use super::header::BLOCK;
use super::image::{Input, Visit};
use super::layer::{self, Contents, image_path};
use super::tar::{self, Inside, Part, Section, Source, Stream, Tar};

/// Limits of one document, and of all documents kept from a stream.
const DOCUMENT: u64 = 16 << 20;
const DOCUMENTS: u64 = 64 << 20;

/// Smaller documents are kept whatever they are.
const SMALL: u64 = 64 << 10;

/// Size of the buffer of a stream; larger reads bypass it.
const HEADERS: usize = 64 << 10;

/// Capacity of a pipe: the most that any user may request.
const PIPE: usize = 1 << 20;

/// Limit of links followed inside an archive.
const LINKS: u32 = 40;

pub struct Store<T> {
    place: Place,
    members: HashMap<String, Blob<T>>,
    links: HashMap<String, String>,
    /// Total size of the kept documents.
    kept: u64,
    /// Where the archive is damaged.
    pub damage: Option<String>,
}

enum Place {
    Directory(PathBuf),
    File(File),
    /// Consumed when it is read.
    Stream,
}

enum Blob<T> {
    At {
        offset: u64,
        bytes: u64,
    },
    Document(Vec<u8>),
    Layer(Contents<T>),
    /// Not kept, and why.
    Skipped(&'static str),
}

/// Whether a directory is an OCI layout.
pub fn is_layout(path: &Path) -> bool {
    path.join("oci-layout").is_file() && path.join("index.json").is_file()
}

impl<T: Clone + Send + Sync> Store<T> {
    pub fn open<L: Visit<Fact = T>>(input: Input, visit: &L) -> Result<Self> {
        let file = match input {
            Input::Path(path) if path.is_dir() => {
                ensure!(is_layout(path), "{} is not an OCI layout", path.display());
                return Ok(Store::new(Place::Directory(path.to_owned())));
            }
            Input::Path(path) => {
                File::open(path).with_context(|| format!("cannot open {}", path.display()))?
            }
            Input::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned()?),
        };
        // Standard input may be a file, and a path may name a pipe.
        let seekable = file.metadata()?.is_file() && (&file).stream_position()? == 0;
        let mut head = [0; BLOCK];
        if seekable {
            let section = Section { file: &file, at: 0, end: file.metadata()?.len() };
            let filled = Source::Section(section).fill(&mut head)?;
            if filled > 0 && coding::sniff(&head[..filled]) == Coding::Tar {
                let mut store = Store::new(Place::Stream);
                store.read_members(Source::Section(section), visit);
                store.place = Place::File(file);
                return Ok(store);
            }
        }
        // Saves context switches. Fails, harmlessly, if it is not a pipe or exceeds the user's limit.
        let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE);
        Store::read(&mut BufReader::with_capacity(HEADERS, file), visit)
    }

    /// Reads an archive that comes as a stream, compressed or not.
    pub fn read<L: Visit<Fact = T>>(input: Stream, visit: &L) -> Result<Self> {
        let mut store = Store::new(Place::Stream);
        let mut head = [0; BLOCK];
        let filled = tar::fill(input, &mut head)?;
        ensure!(filled > 0, "the archive is empty");
        let mut input = (&head[..filled]).chain(input);
        match coding::sniff(&head[..filled]) {
            coding @ (Coding::Tar | Coding::Gzip | Coding::Zstd) => {
                coding::decompressed(&mut input, coding, &mut |stream| {
                    store.read_members(Source::Stream(stream), visit)
                })?
            }
            Coding::Json | Coding::Unknown => {
                bail!("not an image archive: it is not a tar archive (plain, gzip or zstd)")
            }
        }
        Ok(store)
    }

    fn new(place: Place) -> Self {
        Store { place, members: HashMap::new(), links: HashMap::new(), kept: 0, damage: None }
    }

    fn read_members<L: Visit<Fact = T>>(&mut self, source: Source, visit: &L) {
        let mut tar = Tar::new(source);
        let mut last = "the start".to_owned();
        loop {
            let member = match tar.next() {
                Ok(Some(member)) => member,
                Ok(None) => return,
                Err(error) => return self.damage = Some(format!("is damaged after {last}: {error:#}")),
            };
            // A name that leads out of the archive is not a blob.
            let Ok(name) = image_path(&member.name) else { continue };
            match member.kind {
                b'0' => {
                    let blob = self.blob(&name, tar.content(), member.bytes, visit);
                    self.members.insert(name.clone(), blob);
                }
                kind => {
                    let link = link_target(&name, kind, &member.link);
                    self.links.extend(link.map(|target| (name.clone(), target)));
                }
            }
            last = name;
        }
    }

    fn blob<L: Visit<Fact = T>>(&mut self, name: &str, inside: Inside, bytes: u64, visit: &L) -> Blob<T> {
        match inside {
            Inside::Section(section) => Blob::At { offset: section.at, bytes: section.end - section.at },
            Inside::Part(mut part) => self
                .keep(name, &mut part, bytes, visit)
                .unwrap_or_else(|error| Blob::Layer(Contents::broken(format!("cannot be read: {error}")))),
        }
    }

    fn keep<L: Visit<Fact = T>>(
        &mut self,
        name: &str,
        part: &mut Part,
        bytes: u64,
        visit: &L,
    ) -> io::Result<Blob<T>> {
        let mut head = [0; BLOCK];
        let filled = tar::fill(part, &mut head)?;
        let mut whole = (&head[..filled]).chain(part);
        match coding::sniff(&head[..filled]) {
            Coding::Unknown => Ok(Blob::Skipped("is neither a document nor a layer")),
            Coding::Json if bytes > DOCUMENT => Ok(Blob::Skipped("is too large for a document")),
            Coding::Json => {
                let mut document = Vec::new();
                whole.read_to_end(&mut document)?;
                if bytes > SMALL && !documents::is_known(name, &document) {
                    return Ok(Blob::Skipped("is a document of an unknown kind"));
                }
                self.kept += document.len() as u64;
                let fits = self.kept <= DOCUMENTS;
                Ok(if fits {
                    Blob::Document(document)
                } else {
                    Blob::Skipped("exceeds the limit of all documents")
                })
            }
            coding => Ok(Blob::Layer(layer::read_stream(&mut whole, bytes, coding, visit))),
        }
    }

    /// Follows links inside the archive.
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

    /// A document; None if the archive does not have it.
    pub fn document(&self, name: &str) -> Result<Option<Vec<u8>>> {
        if !self.has(name) {
            return Ok(None);
        }
        if let Some(Blob::Document(document)) = self.members.get(self.real(name)) {
            return Ok(Some(document.clone()));
        }
        let (mut document, mut opened) = (Vec::new(), None);
        let mut section = self.locate(name, &mut opened).with_context(|| format!("cannot read {name}"))?;
        ensure!(section.end - section.at <= DOCUMENT, "{name} is too large for a document");
        section.read_to_end(&mut document).with_context(|| format!("cannot read {name}"))?;
        Ok(Some(document))
    }

    /// Layers by name. Those of a stream are already read; others are read now, in several threads.
    pub fn layers<L: Visit<Fact = T>>(&mut self, names: &[&str], visit: &L) -> Vec<Contents<T>> {
        if matches!(self.place, Place::Stream) {
            let names: Vec<String> = names.iter().map(|name| self.real(name).to_owned()).collect();
            let again = |index: usize| names[index + 1..].contains(&names[index]);
            return (0..names.len()).map(|index| self.take(&names[index], again(index))).collect();
        }
        let workers = crate::threads::workers().min(names.len());
        let next = AtomicUsize::new(0);
        let store = &*self;
        let work = || {
            let mut read = Vec::new();
            loop {
                let index = next.fetch_add(1, Relaxed);
                let Some(name) = names.get(index) else { break read };
                read.push((index, store.layer(name, visit)));
            }
        };
        thread::scope(|scope| {
            // If no thread can be started, this one does all the work.
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
        let blob = if again { None } else { self.members.remove(name) };
        match (blob, self.members.get(name)) {
            (Some(Blob::Layer(contents)), _) => contents,
            (None, Some(Blob::Layer(contents))) => contents.clone(),
            _ => Contents::broken("is not a tar archive (plain, gzip or zstd)".to_owned()),
        }
    }

    fn layer<L: Visit<Fact = T>>(&self, name: &str, visit: &L) -> Contents<T> {
        match self.locate(name, &mut None) {
            Ok(section) => layer::read_section(section, visit),
            Err(error) => Contents::broken(format!("cannot be read: {error:#}")),
        }
    }

    /// Locates a blob that was not read yet. `opened` keeps its file open if it has one of its own.
    fn locate<'a>(&'a self, name: &str, opened: &'a mut Option<File>) -> Result<Section<'a>> {
        match (&self.place, self.members.get(self.real(name))) {
            (Place::Directory(root), _) => {
                let file = opened.insert(File::open(root.join(name.trim_start_matches('/')))?);
                let end = file.metadata()?.len();
                Ok(Section { file, at: 0, end })
            }
            (Place::File(file), Some(Blob::At { offset, bytes })) => {
                Ok(Section { file, at: *offset, end: offset.saturating_add(*bytes) })
            }
            (_, Some(Blob::Skipped(why))) => bail!("it {why}"),
            _ => bail!("it is not the expected kind of blob"),
        }
    }
}

/// The member that a link of an archive points to.
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
