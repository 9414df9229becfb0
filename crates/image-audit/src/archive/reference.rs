//! Names of images, with and without what Docker adds to them.

/// Without the default registry.
pub fn familiar(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

/// With the default tag.
pub fn full_name(name: &str) -> String {
    let name = familiar(name);
    let last = crate::paths::name(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}
