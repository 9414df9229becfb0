//! Which copies of libcudart, cuBLAS and CUPTI the application loads. libcuda and NVML are loaded by soname, as an
//! application finds them.
//!
//! If the image contains PyTorch, the image's loader resolves the dependencies of libtorch_cuda. Otherwise, the libraries
//! that process 1 has loaded, or the dependencies of its program. Otherwise, what the loader finds by soname.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use protocol::Libraries;

use image_audit::catalogue::library_of;
use image_audit::census::{Census, Copy, Origin};

/// The resolved dependencies of an object, by soname.
type Resolved = BTreeMap<String, String>;

/// The loader takes a fraction of a second, but may hang on a dead network file system.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The files to load, dependencies first.
pub fn libraries(census: &Census, loader: &str) -> Libraries {
    let resolved = match &census.torch {
        Some(torch) => list(loader, torch),
        None => of_first_process(loader),
    };
    let pick = |parts: &[&str]| -> Vec<String> {
        let file = |part: &&str| {
            resolved.iter().find(|(soname, _)| library_of(soname).is_some_and(|l| l.name == *part))
        };
        parts.iter().filter_map(file).map(|(_, path)| path.clone()).collect()
    };
    let blas = pick(&["libcublasLt", "libcublas"]);
    Libraries {
        // cuBLASLt may have been loaded without cuBLAS.
        blas: if blas.last().is_some_and(|last| is(last, "libcublas")) {
            blas
        } else {
            only_copies(census, &["libcublasLt", "libcublas"])
        },
        runtime: or_copies(pick(&["libcudart"]), census, "libcudart"),
        cupti: or_copies(pick(&["libcupti"]), census, "libcupti"),
    }
}

fn is(path: &str, library: &str) -> bool {
    library_of(path.rsplit('/').next().unwrap_or(path)).is_some_and(|known| known.name == library)
}

fn or_copies(picked: Vec<String>, census: &Census, library: &str) -> Vec<String> {
    if picked.is_empty() { only_copies(census, &[library]) } else { picked }
}

/// A copy outside of the loader's default directories, if there is none within. An empty list leaves it to the loader.
fn only_copies(census: &Census, libraries: &[&str]) -> Vec<String> {
    let usable = |copy: &&Copy| !matches!(copy.origin, Origin::Stub) && copy.bytes > 0;
    let main = libraries.last().copied().unwrap_or_default();
    let copies: Vec<&Copy> =
        census.copies.iter().filter(usable).filter(|copy| copy.library == main).collect();
    let found_by_loader = |copy: &&Copy| {
        copy.links.iter().chain([&copy.path]).any(|name| {
            let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
            matches!(directory, "/usr/lib" | "/usr/lib64" | "/lib" | "/lib64")
                || directory.ends_with("-linux-gnu")
        })
    };
    if copies.iter().any(found_by_loader) {
        return Vec::new();
    }
    let chosen = copies.into_iter().max_by_key(|copy| (copy.reached, &copy.soname));
    let Some(chosen) = chosen else { return Vec::new() };
    let directory = chosen.path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let beside = |library: &&str| {
        let prefix = format!("{directory}/");
        census
            .copies
            .iter()
            .find(|copy| copy.library == **library && copy.path.starts_with(&prefix))
            .map(|copy| copy.path.clone())
    };
    libraries.iter().filter_map(beside).collect()
}

/// What process 1 has loaded, if its memory map can be read, or else the dependencies of its program.
fn of_first_process(loader: &str) -> Resolved {
    if std::process::id() == 1 {
        return Resolved::new();
    }
    let maps = fs::read_to_string("/proc/1/maps").unwrap_or_default();
    let mut loaded = Resolved::new();
    for path in maps.lines().filter_map(|line| line.find('/').map(|start| &line[start..])) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if library_of(name).is_some() {
            loaded.insert(name.to_owned(), path.to_owned());
        }
    }
    if !loaded.is_empty() {
        return loaded;
    }
    fs::read_link("/proc/1/exe").map(|program| list(loader, &program.to_string_lossy())).unwrap_or_default()
}

/// Runs `ld.so --list`, which maps an object and its dependencies without running any of their code.
fn list(loader: &str, object: &str) -> Resolved {
    if !Path::new(loader).exists() {
        return Resolved::new();
    }
    let mut command = Command::new(loader);
    command.arg("--list").arg(object).stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else { return Resolved::new() };
    let Some(mut output) = child.stdout.take() else { return Resolved::new() };
    let text = read_until(&mut output, Instant::now() + TIMEOUT);
    if text.is_none() {
        let _ = child.kill();
        // On a dead file system it cannot be killed. Do not wait for it.
        std::thread::sleep(Duration::from_millis(10));
        let _ = child.try_wait();
        return Resolved::new();
    }
    let _ = child.wait();
    parse_list(&String::from_utf8_lossy(&text.unwrap_or_default()))
}

/// Reads until the other end is closed; `None` if that takes longer.
fn read_until(pipe: &mut ChildStdout, end: Instant) -> Option<Vec<u8>> {
    rustix::fs::fcntl_setfl(&*pipe, OFlags::NONBLOCK).ok()?;
    let mut text = Vec::new();
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        let time = Timespec::try_from(left).ok();
        let _ = poll(&mut [PollFd::new(&*pipe, PollFlags::IN)], time.as_ref());
        match pipe.read_to_end(&mut text) {
            Ok(_) => return Some(text),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
    None
}

/// Parses lines such as `\tlibcublas.so.12 => /usr/lib/libcublas.so.12 (0x00007f...)`.
fn parse_list(text: &str) -> Resolved {
    let pair = |line: &str| {
        let (soname, rest) = line.trim().split_once(" => ")?;
        let (path, _) = rest.rsplit_once(" (0x")?;
        path.starts_with('/').then(|| (soname.to_owned(), path.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolved_dependencies_are_parsed() {
        let text = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibcublas.so.12 => /a b/libcublas.so.12 (0x00007f)\n\
            \tlibx.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(
            parse_list(text),
            BTreeMap::from([("libcublas.so.12".into(), "/a b/libcublas.so.12".into())])
        );
    }
}
