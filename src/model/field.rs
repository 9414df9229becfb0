//! A value that may not be had.

use serde::{Deserialize, Serialize};

/// A value, or the reason why there is none. A refusal is never a zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Field<T> {
    Known(T),
    Unavailable { unavailable: String },
}

impl<T> Field<T> {
    pub fn known(&self) -> Option<&T> {
        match self {
            Field::Known(value) => Some(value),
            Field::Unavailable { .. } => None,
        }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Field::Known(value) => Field::Known(change(value)),
            Field::Unavailable { unavailable } => Field::Unavailable { unavailable },
        }
    }
}
