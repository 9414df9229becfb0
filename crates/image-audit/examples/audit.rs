//! Prints the CUDA libraries of a directory or image archive: `audit DIRECTORY|ARCHIVE`.

use std::process::ExitCode;

use image_audit::{Audit, Error};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: audit DIRECTORY|ARCHIVE");
        return ExitCode::from(2);
    };
    match report(Audit::path(path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot read the image: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn report(audit: Audit) -> Result<(), Error> {
    let census = audit.run()?;
    for copy in &census.copies {
        println!("{:?}: {} ({:.1} MB)", copy.verdict, copy.path, copy.bytes as f64 / 1e6);
    }
    for missing in &census.missing {
        println!("Missing: {} (needed by {})", missing.soname, missing.by[0]);
    }
    for unreadable in &census.unreadable {
        println!("Unreadable: {unreadable}");
    }
    Ok(())
}
