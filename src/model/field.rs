//! Values that may be unavailable.

use serde::{Deserialize, Serialize};

/// A value, or the reason why it is unavailable. An unavailable number is never reported as zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Field<T> {
    Known(T),
    Unavailable { unavailable: String },
}

impl<T> Field<T> {
    /// In facts that an older version saved.
    pub fn not_recorded() -> Self {
        Field::Unavailable { unavailable: "not recorded".to_owned() }
    }

    pub fn known(&self) -> Option<&T> {
        match self {
            Field::Known(value) => Some(value),
            Field::Unavailable { .. } => None,
        }
    }
}
