//! Secrets in the environment variables of an image.

use super::kind::Secret;
use super::patterns;

/// Checks the variables of an image, each `NAME=value`.
pub fn in_environment(env: &[String]) -> Vec<Secret> {
    let secret = |variable: &String| {
        let (name, value) = variable.split_once('=')?;
        let kind = patterns::variable(name, value).or_else(|| patterns::value(value))?;
        Some(Secret { place: format!("ENV {}", patterns::shown(name)), kind })
    };
    env.iter().filter_map(secret).collect()
}
