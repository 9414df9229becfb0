//! Does the machine meet what the image requires (NVIDIA_REQUIRE_CUDA)?

use std::fmt;

use super::asked::Asked;
use super::require;
use crate::facts::Facts;
use image_audit::config::{DISABLE, is_requirement};

/// Variables of the image, as name and value.
pub type Variables<'a> = Vec<(&'a str, &'a str)>;

pub enum Answer<'a> {
    /// The image requires nothing, or the check is disabled.
    Nothing,
    Met,
    NotMet(Variables<'a>),
    Unknown(Variables<'a>),
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(match self {
            Answer::Nothing => "none",
            Answer::Met => "met",
            Answer::NotMet(_) => "not met",
            Answer::Unknown(_) => "?",
        })
    }
}

/// What the image requires, as nvidia-container-cli reads it; nothing if the check is disabled.
pub fn variables(facts: &Facts) -> Variables<'_> {
    let mut required: Variables = match &facts.image {
        Some(image) => {
            image.requirements.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
        }
        None => {
            let all = facts.host.environment.iter().filter(|(name, _)| is_requirement(name));
            all.map(|(name, value)| (name.as_str(), value.as_str())).collect()
        }
    };
    let disables = |value: &str| matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True");
    let disabled = required.iter().any(|(name, value)| *name == DISABLE && disables(value));
    // Only a Jetson reads NVIDIA_REQUIRE_JETPACK.
    required.retain(|(name, _)| *name != DISABLE && !name.starts_with("NVIDIA_REQUIRE_JETPACK"));
    if disabled {
        required.clear();
    }
    required
}

pub fn ask<'a>(asked: &Asked<'a>) -> Answer<'a> {
    let required = variables(asked.facts);
    if required.is_empty() {
        return Answer::Nothing;
    }
    let of = |met: Option<bool>| -> Variables<'a> {
        required.iter().filter(|(_, value)| require::met(value, asked.machine) == met).copied().collect()
    };
    match (of(Some(false)), of(None)) {
        (not_met, _) if !not_met.is_empty() => Answer::NotMet(not_met),
        (_, unknown) if !unknown.is_empty() => Answer::Unknown(unknown),
        _ => Answer::Met,
    }
}
