//! The CUDA libraries of the image: which are missing, mixed, shadowed or redundant.

family! {
    missing
    mixed
    shadowed
    two_releases
    working_directory
    version
    redundant
    over_budget
    unreadable
}

/// As far as both are written: 12.4.5 and 12.4.5.8 are the same.
pub fn same_release(a: &str, b: &str) -> bool {
    a.split('.').zip(b.split('.')).take(3).all(|(a, b)| a == b)
}
