//! The CUDA libraries in the image: which are missing, mixed, shadowed or redundant.

family! {
    framework_broken
    missing
    not_found
    missing_by_name
    mixed
    shadowed
    two_releases
    working_directory
    version
    redundant
    over_budget
    unreadable
}

/// Whether such a finding means that the image does not work. An image over its budget still works.
pub fn breaks_image(id: &str) -> bool {
    id != over_budget::CHECK.id && CHECKS.iter().any(|check| check.id == id)
}

/// Compares as many parts as both have: 12.4.5 and 12.4.5.8 are the same.
fn same_release(a: &str, b: &str) -> bool {
    a.split('.').zip(b.split('.')).take(3).all(|(a, b)| a == b)
}
