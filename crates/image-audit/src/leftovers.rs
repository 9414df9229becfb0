//! Files that a production image rarely needs, and which of NVIDIA's base images an image resembles.
//!
//! Files are recognized by their paths alone.

pub(crate) mod collect;
mod flavor;
mod kind;
mod names;
mod places;
pub(crate) mod scan;

pub use flavor::{Base, Flavor};
pub use kind::{Group, Kind, LeftoverFound};

/// Whether a path is in a cache of a package manager (pip, uv, conda and the like), or may be.
pub(crate) fn is_cache(path: &str) -> bool {
    matches!(meaning(path), Some(places::Meaning::Packages)) || is_cached(path)
}

/// Whether a path is certainly in such a cache: a directory named `pkgs` may be something else.
pub(crate) fn is_cached(path: &str) -> bool {
    use Kind::{CondaPackages, PipCache, PoetryCache, UvCache};
    let kinds = [PipCache, UvCache, PoetryCache, CondaPackages];
    matches!(meaning(path), Some(places::Meaning::Leftover(kind)) if kinds.contains(&kind))
}

fn meaning(path: &str) -> Option<places::Meaning> {
    let slash = path.rfind('/')?;
    Some(places::of(path, slash, 0).meaning?.0)
}
