//! The secrets in the files of a whole tree.

use super::files::{LIMIT, in_file, wants};
use super::kind::Secret;
use crate::tree::Tree;

/// Reads the files that may hold a secret.
pub fn scan(tree: &Tree) -> Vec<Secret> {
    let candidates = tree.files.iter().filter(|(path, file)| file.bytes > 0 && wants(path));
    let inspect = |path: &String| in_file(path, &tree.read_start(path, LIMIT as u64).ok()?);
    candidates.filter_map(|(path, _)| inspect(path)).collect()
}
