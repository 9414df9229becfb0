//! Takes the census of a tree: libraries, who loads them, packages, leftovers and secrets.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::thread;

use super::driver_links;
use super::frameworks;
use super::glibc;
use super::kept_by_path::kept_by_path;
use super::source::Source;
use crate::catalogue::{LIBRARIES, TOOLS, library_of, tool_of, version_in_name};
use crate::census::{Census, Copy, Distribution, Mixed, Object, Origin, ToolFound, Unreadable, User};
use crate::fatbin::scanner;
use crate::leftovers;
use crate::loader::{Loader, glibc_loader};
use crate::packages::{Manager, PackageId, owners, pip};
use crate::paths;
use crate::secrets;
use crate::tree::Tree;
use crate::usage::{self, AllMissing, Places, Users};
use crate::verdict::Verdict;

/// Takes the census of an image that has been read.
pub fn take(source: &Source) -> Census {
    let tree = &source.tree;
    let library_path = source.environment.library_path.clone();
    let loader = Loader::new(tree, source.environment.clone());
    let places = Places::new(tree);
    let tool_files = tool_files(tree, &places);
    let of_tools = tool_files.iter().map(|found| found.file.to_owned());
    let (leftovers, flavor) = leftovers::scan::scan(tree);
    let of_leftovers = leftovers.iter().map(|leftover| leftover.largest.clone());
    let of_copies = usage::copies(tree, &places).into_iter();
    let listed: HashSet<String> = of_copies.chain(of_tools).chain(of_leftovers).collect();
    let stacks = glibc::executable_stacks(tree, &places, loader.machine());
    let of_objects = frameworks::wanted(tree).into_iter().chain(stacks.iter().cloned());
    let wanted: HashSet<String> = listed.iter().cloned().chain(of_objects).collect();
    let installed = pip::installed(tree);
    let mut users = Users::new(tree, &loader, &places, &installed);
    let owners = thread::scope(|scope| {
        // Neither needs the other.
        let read = || owners::owners(tree, &installed, &wanted);
        let owners = thread::Builder::new().spawn_scoped(scope, read);
        users.follow_needs();
        users.follow_names();
        users.keep_rest();
        // If no thread can be started, do one after the other.
        owners.map_or_else(|_| read(), |owners| owners.join().expect("reading packages does not panic"))
    });
    let AllMissing { linked, alternatives, opened, optional } = users.missing();
    let owners::Ownership { owners, mut packages, unreadable } = owners;
    let owning: BTreeSet<&PackageId> = listed.iter().filter_map(|path| owners.get(path)).collect();
    packages.retain(|package| owning.contains(&package.id));
    let copies = describe(tree, &users, &owners, &source.mounts);
    let unreadable = tree.unreadable.iter().cloned().chain(unreadable).chain(impostors(tree)).collect();
    let mixed = users
        .mixed
        .iter()
        .map(|(copies, program)| Mixed { program: program.clone(), copies: copies.clone() });
    let (mixed, shadows, version_gaps) = (mixed.collect(), users.shadows, users.version_gaps);
    let torch = tree.files.keys().find(|path| path.ends_with("/torch/lib/libtorch_cuda.so")).cloned();
    // One file under all its names.
    let elf_files = || {
        let firsts = tree.files.iter().filter(|(path, _)| places.first(path) == *path);
        firsts.filter_map(|(_, file)| file.elf.as_ref())
    };
    let executable_stacks =
        stacks.into_iter().map(|path| Object { package: owners.get(&path).cloned(), path }).collect();
    let mut census = Census {
        root: source.root.clone(),
        python_site: tree.is_python_site(),
        full: source.full,
        seconds: source.start.elapsed().as_secs_f64(),
        entries: tree.entries,
        elf_files: elf_files().count() as u64,
        bytes: tree.bytes(),
        library_path,
        frameworks: frameworks::frameworks(tree, &owners, &copies, &source.mounts),
        copies,
        tools: tools(tree, &tool_files, &owners),
        missing: linked,
        missing_alternatives: alternatives,
        missing_opened: opened,
        missing_optional: optional,
        shadows: shadows.into_iter().collect(),
        mixed,
        version_gaps: version_gaps.into_iter().collect(),
        device_code: scanner::merged(elf_files().map(|elf| elf.device_code.as_slice())),
        torch,
        leftovers: leftovers.into_iter().map(|leftover| leftovers::scan::owned(leftover, &owners)).collect(),
        flavor,
        secrets: secrets::scan::scan(tree),
        distribution: distribution(tree),
        glibc: glibc_loader(tree).is_some(),
        glibc_version: glibc::version(&loader),
        executable_stacks,
        dangling_driver_links: driver_links::dangling(tree),
        packages,
        coverage: tree.coverage,
        unreadable,
        skipped: tree.skipped.clone(),
        kept_by_path: None,
    };
    census.decide();
    census.kept_by_path = kept_by_path(source, &places, &installed, &owners, &census);
    census
}

/// Files named like a CUDA library that are not ELF files, such as Git LFS pointers and saved error pages.
/// Empty files have a finding of their own, and linker scripts have no version in their names.
fn impostors(tree: &Tree) -> impl Iterator<Item = Unreadable> {
    let named = tree.files.iter().filter(|(path, file)| {
        let name = paths::name(path);
        file.elf.is_none()
            && file.bytes > 0
            && name.contains(".so.")
            && library_of(name).is_some()
            // A file that could not be opened may well be a library.
            && !tree.unreadable.iter().any(|unreadable| unreadable.path.as_deref() == Some(path.as_str()))
    });
    named.map(|(path, _)| Unreadable::new(path, "named like a library but not an ELF file"))
}

pub fn describe(
    tree: &Tree,
    users: &Users,
    owners: &BTreeMap<String, PackageId>,
    mounts: &[String],
) -> Vec<Copy> {
    let mut copies: Vec<Copy> = users
        .copies
        .iter()
        .map(|path| {
            let file = &tree.files[path];
            let name = paths::name(path);
            let owner = owners.get(path).cloned();
            let origin = origin(path, owner.as_ref(), mounts);
            Copy {
                library: library_of(name).map_or("", |library| library.name).to_owned(),
                links: users.places.links(path).to_vec(),
                hard_links: users.places.hard_links(path).to_vec(),
                soname: file.elf.as_ref().and_then(|elf| elf.soname.clone()),
                version: version(name, owner.as_ref(), origin),
                bytes: file.bytes,
                origin,
                package: owner,
                users: strongest(users.edges.get(path)),
                reached: users.reached.contains(path),
                required: users.required.contains(path),
                kept: users.kept.contains_key(path),
                held: users.kept.get(path).cloned(),
                verdict: Verdict::default(),
                device_code: file.elf.as_ref().map(|elf| elf.device_code.clone()).unwrap_or_default(),
                forward: file.elf.as_ref().and_then(|elf| elf.forward.clone()),
                path: path.clone(),
            }
        })
        .collect();
    let place = |copy: &Copy| LIBRARIES.iter().position(|library| library.name == copy.library);
    copies.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.path.cmp(&b.path)));
    copies
}

/// Each user once, with its most certain way of loading; the most certain users first.
fn strongest(users: Option<&BTreeSet<User>>) -> Vec<User> {
    let mut list: Vec<User> = users.into_iter().flatten().cloned().collect();
    // Sorted by path, then by how.
    list.dedup_by(|later, first| later.path == first.path);
    list.sort_by(|a, b| a.how.cmp(&b.how).then_with(|| a.path.cmp(&b.path)));
    list
}

fn origin(path: &str, owner: Option<&PackageId>, mounts: &[String]) -> Origin {
    if frameworks::is_below(path, mounts) {
        return Origin::Injected;
    }
    if path.contains("/stubs/") {
        return Origin::Stub;
    }
    match owner {
        Some(PackageId { manager: Manager::Dpkg | Manager::Apk | Manager::Rpm, .. }) => Origin::Package,
        Some(PackageId { manager: Manager::Conda, .. }) => Origin::Conda,
        // NVIDIA has packages of programs, too, whose version is not that of the libraries in them.
        Some(PackageId { manager: Manager::Pip, name, .. })
            if name.starts_with("nvidia-") && frameworks::of_library_wheel(path) =>
        {
            Origin::Wheel
        }
        Some(PackageId { manager: Manager::Pip, .. }) => Origin::Vendored,
        None if path.contains("/cuda") => Origin::Toolkit,
        None => Origin::Other,
    }
}

/// From the file name, except in NVIDIA's wheels, whose file names have no version.
fn version(name: &str, owner: Option<&PackageId>, origin: Origin) -> Option<String> {
    let owned = owner.map(|owner| owner.version.clone());
    // A single number, as in libcusparseLt.so.0, is an interface and not a version.
    let in_name = version_in_name(name).filter(|version| version.contains('.')).map(str::to_owned);
    match origin {
        Origin::Wheel => owned,
        // The package that bundles a library has a version of its own.
        Origin::Vendored => in_name,
        _ => in_name.or(owned),
    }
}

struct ToolFile<'a> {
    tool: &'static str,
    /// The file, or the directory of headers.
    place: &'a str,
    /// The file whose owner owns the tool.
    file: &'a str,
}

fn tool_files<'a>(tree: &'a Tree, places: &Places) -> Vec<ToolFile<'a>> {
    let mut found: Vec<ToolFile> = Vec::new();
    for file in tree.files.keys() {
        let Some(tool) = tool_of(file).filter(|_| places.first(file) == file) else { continue };
        // Report a directory of headers once.
        let place = if file.ends_with(".h") { paths::directory(file) } else { file };
        if !found.iter().any(|known| (known.tool, known.place) == (tool.name, place)) {
            found.push(ToolFile { tool: tool.name, place, file });
        }
    }
    let row = |file: &ToolFile| TOOLS.iter().position(|tool| tool.name == file.tool);
    found.sort_by_key(row);
    found
}

fn tools(tree: &Tree, files: &[ToolFile], owners: &BTreeMap<String, PackageId>) -> Vec<ToolFound> {
    let found = |file: &ToolFile| ToolFound {
        tool: file.tool.to_owned(),
        path: file.place.to_owned(),
        bytes: tree.files.get(file.place).map(|found| found.bytes),
        origin: origin(file.file, owners.get(file.file), &[]),
        package: owners.get(file.file).cloned(),
    };
    files.iter().map(found).collect()
}

/// `debian 12` of os-release.
fn distribution(tree: &Tree) -> Option<Distribution> {
    let text = tree.read_text("/etc/os-release")?;
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim_matches(['"', '\'']).to_owned())
    };
    Some(Distribution { id: field("ID")?, version: field("VERSION_ID") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_program_is_not_that_of_its_libraries() {
        let of = |package: &str, path: &str| {
            let (name, version) = package.split_once(' ').unwrap();
            let owner =
                PackageId { manager: Manager::Pip, name: name.to_owned(), version: version.to_owned() };
            let file = path.rsplit('/').next().unwrap();
            super::version(file, Some(&owner), origin(path, Some(&owner), &[]))
        };
        let site = "/usr/lib/python3/dist-packages";
        let wheel = of(
            "nvidia-cuda-runtime-cu12 12.4.127",
            &format!("{site}/nvidia/cuda_runtime/lib/libcudart.so.12"),
        );
        assert_eq!(wheel.as_deref(), Some("12.4.127"));
        let triton = |path: &str| of("nvidia-pytriton 0.7.0", &format!("{site}/{path}"));
        assert_eq!(triton("nvidia_pytriton.libs/libcudart-09529672.so.12.6.77").as_deref(), Some("12.6.77"));
        assert_eq!(triton("pytriton/external_libs/libcublas.so.12"), None);
    }
}
