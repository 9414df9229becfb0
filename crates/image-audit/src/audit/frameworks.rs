//! Which installations have device code of their own, and which CUDA libraries they load.
//!
//! An installation is a Python package in one place, another package that owns the objects, or else a directory. Copies
//! of NVIDIA's libraries belong to none: they have code for every GPU that their CUDA supports, and so show nothing
//! about the programs that use them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::catalogue::{library_of, unhashed};
use crate::census::{CodeObject, Copy, Framework};
use crate::leftovers::is_cache;
use crate::packages::{Manager, PackageId};
use crate::paths::{self, site};
use crate::tree::{File, Tree};

/// Packages below `nvidia/` that are programs; all others there are libraries.
const PROGRAMS: [&str; 1] = ["dali"];

/// Directories of CUDA toolkits and profilers. `/usr/local/cuda-12.4` is one, too.
const TOOLKITS: [&str; 4] =
    ["/usr/local/cuda/", "/usr/local/cuda-1", "/opt/nvidia/nsight-", "/usr/lib/nvidia-cuda-toolkit/"];

/// The directory of NVIDIA's tools in Triton's package.
const TOOLS: &str = "/triton/backends/nvidia/";

/// File names of the driver's libraries, of profilers' and of optional parts that are not in the catalogue.
const OF_NVIDIA: [&str; 8] = [
    "libnvidia-",
    "libnvoptix.",
    "libcudadebugger.",
    "libaccinj64.",
    "libcuinj64.",
    "libcheckpoint.",
    "libpcsamplingutil.",
    "libcutensor",
];

/// Packages of distributions and of NVIDIA's repositories that contain tools.
const PACKAGES: [&str; 4] = ["nvidia-", "cuda-", "nsight-", "libcupti"];

/// Who an object belongs to: the place, then the name in it.
type Key = (String, String);

/// Files whose owners have to be known: objects with device code, and those that may be of the same installations.
pub fn wanted(tree: &Tree) -> Vec<String> {
    let mut places = BTreeSet::new();
    for (path, _) in tree.files.iter().filter(|(path, file)| has_own_code(path, file)) {
        places.insert(site(path).unwrap_or_else(|| directory(path)));
    }
    let near = |path: &str| places.contains(site(path).unwrap_or_else(|| directory(path)));
    let objects = tree.files.iter().filter(|(_, file)| file.elf.is_some());
    objects.map(|(path, _)| path.clone()).filter(|path| near(path)).collect()
}

/// The installations with device code, largest first.
pub fn frameworks(
    tree: &Tree,
    owners: &BTreeMap<String, PackageId>,
    copies: &[Copy],
    mounts: &[String],
) -> Vec<Framework> {
    let mut objects: Vec<(&String, &File)> = tree
        .files
        .iter()
        .filter(|(path, file)| has_own_code(path, file) && !is_below(path, mounts))
        .collect();
    // A cache adds nothing to the installations that are linked to it.
    objects.sort_by_key(|(path, _)| is_cache(path));
    let mut found: BTreeMap<Key, Vec<(&String, &File)>> = BTreeMap::new();
    let (mut seen, mut names) = (HashSet::new(), HashSet::new());
    let of_nvidia = |path: &String| {
        owners.get(path).is_some_and(|owner| {
            owner.manager != Manager::Pip && PACKAGES.iter().any(|prefix| owner.name.starts_with(prefix))
        })
    };
    for (path, file) in objects.into_iter().filter(|(path, _)| !of_nvidia(path)) {
        if !seen.insert(file.identity) && is_cache(path) {
            continue;
        }
        let key = key(path, owners.get(path));
        // Names of one file are one object.
        if names.insert((key.clone(), file.identity)) {
            found.entry(key).or_default().push((path, file));
        }
    }
    // Python sources have no owner here: they belong to whoever owns the objects of their package.
    let packages: BTreeMap<Key, Key> = owners
        .iter()
        .filter(|(path, _)| site(path).is_some())
        .map(|(path, owner)| (key(path, None), key(path, Some(owner))))
        .collect();
    let mut users: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for copy in copies {
        for user in &copy.users {
            let of = key(&user.path, owners.get(&user.path));
            let uses = users.entry(packages.get(&of).cloned().unwrap_or(of)).or_default();
            if uses.last() != Some(&copy.path) {
                uses.push(copy.path.clone());
            }
        }
    }
    let mut frameworks: Vec<Framework> = found
        .into_iter()
        .map(|(key, objects)| {
            let owner = objects.iter().find_map(|(path, _)| owners.get(*path));
            let mut objects: Vec<CodeObject> = objects
                .into_iter()
                .filter_map(|(path, file)| {
                    let device_code = file.elf.as_ref()?.device_code.clone();
                    Some(CodeObject { path: path.clone(), device_code })
                })
                .collect();
            objects.sort_by_key(|object| std::cmp::Reverse(object.bytes()));
            let uses = users.remove(&key).unwrap_or_default();
            Framework { name: key.1, version: owner.map(|owner| owner.version.clone()), objects, uses }
        })
        .collect();
    inherit(tree, &mut frameworks);
    frameworks.sort_by_key(|framework| {
        std::cmp::Reverse(framework.objects.iter().map(CodeObject::bytes).fold(0, u64::saturating_add))
    });
    frameworks
}

/// An installation that loads no copy itself, and is linked to an object of another one, uses what that one does.
fn inherit(tree: &Tree, frameworks: &mut [Framework]) {
    let elf = |object: &CodeObject| tree.files.get(&object.path).and_then(|file| file.elf.as_ref());
    let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for framework in frameworks.iter() {
        for soname in framework.objects.iter().filter_map(elf).filter_map(|elf| elf.soname.clone()) {
            uses.entry(soname).or_insert_with(|| framework.uses.clone());
        }
    }
    for framework in frameworks.iter_mut().filter(|framework| framework.uses.is_empty()) {
        let needed = framework.objects.iter().filter_map(elf).flat_map(|elf| &elf.needed);
        framework.uses = needed
            .filter_map(|soname| uses.get(soname))
            .find(|uses| !uses.is_empty())
            .cloned()
            .unwrap_or_default();
    }
}

/// Whether it is an object with device code that is not one of NVIDIA's libraries.
fn has_own_code(path: &str, file: &File) -> bool {
    let Some(elf) = &file.elf else { return false };
    let name = paths::name(path);
    let soname = elf.soname.as_deref().map(unhashed);
    !elf.device_code.is_empty()
        && library_of(name).is_none()
        && soname.is_none_or(|soname| library_of(&soname).is_none())
        && !OF_NVIDIA.iter().any(|prefix| name.starts_with(prefix))
        && !TOOLKITS.iter().any(|toolkit| path.starts_with(toolkit))
        && !path.contains(TOOLS)
        && !of_library_wheel(path)
}

/// Whether it is in the directory of one of NVIDIA's libraries in a Python site.
pub fn of_library_wheel(path: &str) -> bool {
    let below = site(path).and_then(|site| path[site.len()..].strip_prefix("nvidia/"));
    below.and_then(|below| below.split('/').next()).is_some_and(|package| !PROGRAMS.contains(&package))
}

/// By the package that owns it; else by the directory of the Python package; else by its directory.
fn key(path: &str, owner: Option<&PackageId>) -> Key {
    match (site(path), owner) {
        (Some(site), Some(owner)) => (site.to_owned(), owner.name.clone()),
        (Some(site), None) => (site.to_owned(), package(&path[site.len()..])),
        (None, Some(owner)) => (String::new(), owner.name.clone()),
        (None, None) => (directory(path).to_owned(), directory(path).trim_end_matches('/').to_owned()),
    }
}

/// `torch` of `torch/lib/libtorch_cuda.so`; auditwheel puts libraries beside the package, in `torch.libs`.
fn package(below: &str) -> String {
    let parts: Vec<&str> = below.split('/').collect();
    let name = match parts.as_slice() {
        ["nvidia", package, _, ..] => return format!("nvidia/{package}"),
        [package, _, ..] => package.strip_suffix(".libs").unwrap_or(package),
        [module] => module.split('.').next().unwrap_or(module),
        [] => "",
    };
    name.to_owned()
}

/// With a trailing slash.
fn directory(path: &str) -> &str {
    &path[..=path.rfind('/').unwrap_or(0)]
}

/// Whether it is one of these paths or below one.
pub fn is_below(path: &str, mounts: &[String]) -> bool {
    mounts.iter().any(|mount| {
        path.strip_prefix(mount.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{How, Origin, User};
    use crate::elf::Elf;
    use crate::fatbin::{CodeKind, DeviceCode};
    use crate::verdict::Verdict;

    const SITE: &str = "/usr/lib/python3/dist-packages";

    /// Files with code for one architecture and this many bytes; equal inodes are one file.
    fn tree(files: &[(&str, u64, &str, u64)]) -> Tree {
        let file = |(path, inode, arch, bytes): &(&str, u64, &str, u64)| {
            let code = DeviceCode {
                arch: arch.to_string(),
                kind: CodeKind::Cubin,
                bytes: *bytes,
                images: 1,
                ptx_version: None,
                zstd: 0,
            };
            let device_code = if *bytes > 0 { vec![code] } else { Vec::new() };
            let elf = Elf { device_code, ..Elf::default() };
            (path.to_string(), File { bytes: 1, identity: (1, *inode), elf: Some(Box::new(elf)) })
        };
        let mut tree = Tree::default();
        tree.files.extend(files.iter().map(file));
        tree
    }

    fn owned(files: &[(&str, &str, &str)]) -> BTreeMap<String, PackageId> {
        let owner = |name: &str, version: &str| PackageId {
            manager: Manager::Pip,
            name: name.to_owned(),
            version: version.to_owned(),
        };
        files.iter().map(|(path, name, version)| (path.to_string(), owner(name, version))).collect()
    }

    /// Name, version and objects of each installation.
    fn found(
        tree: &Tree,
        owners: &BTreeMap<String, PackageId>,
    ) -> Vec<(String, Option<String>, Vec<String>)> {
        let of = |framework: Framework| {
            let objects = framework.objects.into_iter().map(|object| object.path).collect();
            (framework.name, framework.version, objects)
        };
        frameworks(tree, owners, &[], &[]).into_iter().map(of).collect()
    }

    fn only_names(tree: &Tree) -> Vec<String> {
        found(tree, &BTreeMap::new()).into_iter().map(|(name, ..)| name).collect()
    }

    #[test]
    fn packages_of_each_site_are_installations() {
        let torch = format!("{SITE}/torch/lib/libtorch_cuda.so");
        let linalg = format!("{SITE}/torch/lib/libtorch_cuda_linalg.so");
        let faiss = format!("{SITE}/faiss_gpu_cu12.libs/libfaiss-6b43fd57.so");
        let venv = "/opt/venv/lib/python3.11/site-packages/torch/lib/libtorch_cuda.so";
        let tree = tree(&[
            (&torch, 1, "sm_90", 900),
            (&linalg, 2, "sm_90", 90),
            (&faiss, 3, "sm_80", 500),
            (venv, 1, "sm_90", 900),
        ]);
        let owners = owned(&[(&faiss, "faiss-gpu-cu12", "1.14.1")]);
        let expected = [
            ("torch".to_owned(), None, vec![torch, linalg]),
            ("torch".to_owned(), None, vec![venv.to_owned()]),
            ("faiss-gpu-cu12".to_owned(), Some("1.14.1".to_owned()), vec![faiss]),
        ];
        assert_eq!(found(&tree, &owners), expected);
    }

    #[test]
    fn libraries_of_nvidia_are_no_installation() {
        let below = |path: &str| format!("{SITE}/{path}");
        let paths = [
            "torch/lib/libcudnn_ops.so.9",
            "torchvision.libs/libnvjpeg.8dd2b5e6.so.12",
            "nvidia/libnvcomp/lib64/libnvcomp.so.5",
            "nvidia/cublas/lib/libcublasLt.so.12",
            "triton/backends/nvidia/lib/cupti/libcheckpoint.so",
        ];
        let of_nvidia: Vec<String> = paths.map(below).to_vec();
        let others = [
            "/usr/local/cuda-12.4/lib64/libown.so",
            "/usr/lib/libnvidia-rtcore.so.550.54.15",
            "/opt/nvidia/nsight-compute/2025.1/target/x64/libcuda-injection.so",
        ];
        let own = below("nvidia/dali/libdali.so");
        let all = of_nvidia.iter().map(String::as_str).chain(others).chain([own.as_str()]);
        let files: Vec<_> = all.enumerate().map(|(inode, path)| (path, inode as u64, "sm_90", 9)).collect();
        assert_eq!(only_names(&tree(&files)), ["nvidia/dali"]);
        let deepstream = "/opt/nvidia/deepstream/lib/libnvds_inferutils.so";
        assert_eq!(only_names(&tree(&[(deepstream, 1, "sm_90", 9)])), ["/opt/nvidia/deepstream/lib"]);
    }

    #[test]
    fn packages_of_nvidias_tools_are_no_installation() {
        let tree = tree(&[("/usr/lib/cuda/libprof.so", 1, "sm_90", 9)]);
        let by = |manager, name: &str| {
            let owner = PackageId { manager, name: name.to_owned(), version: "1".to_owned() };
            found(&tree, &[("/usr/lib/cuda/libprof.so".to_owned(), owner)].into()).len()
        };
        assert_eq!(by(Manager::Dpkg, "nvidia-cuda-toolkit"), 0);
        assert_eq!(by(Manager::Dpkg, "hashcat"), 1);
        assert_eq!(by(Manager::Pip, "nvidia-pytriton"), 1);
    }

    #[test]
    fn libraries_are_known_by_their_soname() {
        let mut tree = tree(&[("/opt/app/libblas.so", 1, "sm_90", 9)]);
        assert_eq!(only_names(&tree), ["/opt/app"]);
        let file = tree.files.get_mut("/opt/app/libblas.so").unwrap();
        file.elf.as_mut().unwrap().soname = Some("libcublas.so.12".into());
        assert_eq!(only_names(&tree), [""; 0]);
    }

    #[test]
    fn a_cache_of_links_is_no_second_installation() {
        let installed = "/opt/venv/lib/python3.11/site-packages/torch/lib/libtorch_cuda.so";
        let cached = "/root/.cache/uv/archive-v0/YJSFZ87/torch/lib/libtorch_cuda.so";
        let both = |inode| tree(&[(installed, 1, "sm_90", 9), (cached, inode, "sm_90", 9)]);
        assert_eq!(found(&both(1), &BTreeMap::new())[0].2, [installed]);
        assert_eq!(only_names(&both(1)), ["torch"]);
        assert_eq!(only_names(&both(2)), ["torch", "torch"]);
        assert_eq!(only_names(&tree(&[(cached, 1, "sm_90", 9)])), ["torch"], "linked by symbolic links");
    }

    #[test]
    fn one_file_with_two_names_is_one_object() {
        let tree = tree(&[("/opt/app/a.so", 1, "sm_90", 9), ("/opt/app/b.so", 1, "sm_90", 9)]);
        assert_eq!(found(&tree, &BTreeMap::new())[0].2, ["/opt/app/a.so"]);
    }

    #[test]
    fn mounted_objects_are_not_in_the_image() {
        let tree = tree(&[("/usr/lib/libgpu.so", 1, "sm_90", 9)]);
        assert_eq!(frameworks(&tree, &BTreeMap::new(), &[], &["/usr/lib/libgpu.so".to_owned()]), []);
    }

    fn copy(path: &str, by: &[&str]) -> Copy {
        Copy {
            hard_links: Vec::new(),
            held: None,
            required: false,
            library: crate::catalogue::library_of(paths::name(path)).unwrap().name.to_owned(),
            path: path.into(),
            links: Vec::new(),
            soname: None,
            version: None,
            bytes: 1,
            origin: Origin::Wheel,
            package: None,
            users: by.iter().map(|by| User { path: by.to_string(), how: How::Needed }).collect(),
            reached: true,
            kept: false,
            verdict: Verdict::Used,
            device_code: Vec::new(),
            forward: None,
        }
    }

    #[test]
    fn all_objects_of_an_installation_use_copies_for_it() {
        let module = format!("{SITE}/faiss/_swigfaiss.so");
        let library = format!("{SITE}/faiss_gpu_cu12.libs/libfaiss-6b43fd57.so");
        let tree = tree(&[(&module, 1, "", 0), (&library, 2, "sm_80", 9)]);
        assert_eq!(wanted(&tree), [module.clone(), library.clone()]);
        let name = "faiss-gpu-cu12";
        let source = format!("{SITE}/faiss/loader.py");
        let copies = [
            copy("/a/libcudart.so.12", &[&module]),
            copy("/b/libcudart.so.13", &["/usr/bin/other"]),
            copy("/c/libcublas.so.12", &[&source]),
        ];
        let owners = owned(&[(&module, name, "1"), (&library, name, "1")]);
        assert_eq!(
            frameworks(&tree, &owners, &copies, &[])[0].uses,
            ["/a/libcudart.so.12", "/c/libcublas.so.12"]
        );
    }

    #[test]
    fn an_object_of_another_package_shows_what_its_users_use() {
        let library = format!("{SITE}/libcudf/lib64/libcudf.so");
        let module = format!("{SITE}/cudf/_lib/libcudf_strings_udf.so");
        let mut tree = tree(&[(&library, 1, "sm_80", 9), (&module, 2, "sm_80", 1)]);
        let mut elf = |path: &str| tree.files.get_mut(path).unwrap().elf.take().unwrap();
        let (mut of_library, mut of_module) = (elf(&library), elf(&module));
        of_library.soname = Some("libcudf.so".into());
        of_module.needed = vec!["libc.so.6".into(), "libcudf.so".into()];
        tree.files.get_mut(&library).unwrap().elf = Some(of_library);
        tree.files.get_mut(&module).unwrap().elf = Some(of_module);
        let copies = [copy("/a/libnvrtc.so.12", &[&library])];
        let found = frameworks(&tree, &BTreeMap::new(), &copies, &[]);
        assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["libcudf", "cudf"]);
        assert!(found.iter().all(|one| one.uses == ["/a/libnvrtc.so.12"]), "{found:?}");
    }
}
