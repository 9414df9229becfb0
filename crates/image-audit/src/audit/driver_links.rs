//! Links of a driver whose libraries are not there: what is left of a driver that was mounted while the image was built.

use crate::census::DanglingLink;
use crate::paths;
use crate::tree::Tree;

/// Of the container toolkit, which has versions of its own.
const TOOLKIT: &str = "libnvidia-container";

/// Links such as `libcuda.so.1`, to a file such as `libcuda.so.550.54.14` that does not exist.
pub fn dangling(tree: &Tree) -> Vec<DanglingLink> {
    let mut found = tree.dangling(|path| stem(paths::name(path)).is_some());
    found.retain(|(path, target)| {
        let of_driver = paths::name(target).split_once(".so.").filter(|(_, version)| version.contains('.'));
        of_driver.map(|(stem, _)| stem) == stem(paths::name(path))
    });
    found.sort();
    found.into_iter().map(|(path, target)| DanglingLink { path, target }).collect()
}

/// `libcuda` of `libcuda.so.1`: a library of the driver.
fn stem(name: &str) -> Option<&str> {
    let (stem, _) = name.split_once(".so.")?;
    let known = matches!(stem, "libcuda" | "libcudadebugger" | "libnvcuvid" | "libnvoptix")
        || stem.starts_with("libnvidia-") && !stem.starts_with(TOOLKIT);
    known.then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::File;

    #[test]
    fn links_to_files_of_a_driver_that_do_not_exist() {
        let lib = |name: &str| format!("/usr/lib/{name}");
        let link = |name: &str, target: &str| (lib(name), target.to_owned());
        let files = ["libnvidia-ptxjitcompiler.so.550.54.14"].map(lib);
        let links = [
            link("libcuda.so.1", "libcuda.so.550.54.14"),
            link("libnvidia-ml.so.1", "/usr/lib/libnvidia-ml.so.550.54.14"),
            // The runtime mounts what they lead to, or makes another link of it.
            link("libcuda.so", "libcuda.so.1"),
            link("libnvidia-ptxjitcompiler.so.1", "libnvidia-ptxjitcompiler.so.550.54.14"),
            link("libnvidia-container.so.1", "libnvidia-container.so.1.17.4"),
            link("libcublas.so.12", "libcublas.so.12.4.5.8"),
        ];
        let files = files.into_iter().map(|path| (path, File::default()));
        let found = dangling(&Tree::with(files, links.into_iter()));
        let found: Vec<_> = found.iter().map(|link| (link.path.as_str(), link.target.as_str())).collect();
        assert_eq!(
            found,
            [
                ("/usr/lib/libcuda.so.1", "/usr/lib/libcuda.so.550.54.14"),
                ("/usr/lib/libnvidia-ml.so.1", "/usr/lib/libnvidia-ml.so.550.54.14"),
            ]
        );
    }
}
