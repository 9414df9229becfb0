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

/// Whether a path is in a cache of a package manager: pip, uv, conda and the like.
pub(crate) fn is_cache(path: &str) -> bool {
    let Some(slash) = path.rfind('/') else { return false };
    let meaning = places::of(path, slash, 0).meaning;
    matches!(
        meaning,
        Some((places::Meaning::Packages, _))
            | Some((
                places::Meaning::Leftover(
                    Kind::PipCache | Kind::UvCache | Kind::PoetryCache | Kind::CondaPackages
                ),
                _
            ))
    )
}
