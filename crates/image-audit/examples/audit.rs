//! Lists the CUDA libraries of an image: `audit [DIRECTORY|ARCHIVE]`. The default is the running root.

use image_audit::{Audit, Error};

fn main() -> Result<(), Error> {
    let image = std::env::args_os().nth(1).unwrap_or_else(|| "/".into());
    for copy in Audit::path(image).run()?.copies {
        println!("{}: {} ({:.1} MB)", copy.verdict, copy.path, copy.bytes as f64 / 1e6);
    }
    Ok(())
}
