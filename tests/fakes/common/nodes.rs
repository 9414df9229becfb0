//! The driver's device nodes, for scripts with `opens_nodes`: as in the real libraries, the result depends on
//! whether they can be opened.

use std::fs::OpenOptions;
use std::io::Result;

use super::script;

/// Opens a node for reading and writing, if the script has `opens_nodes`.
pub fn open(path: &str) -> Result<()> {
    if script::number(None, "opens_nodes") == 0 {
        return Ok(());
    }
    OpenOptions::new().read(true).write(true).open(path).map(|_| ())
}
