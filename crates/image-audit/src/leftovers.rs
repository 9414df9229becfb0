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
