//! Prints what the loader of an image loads, without running anything: `ldd DIRECTORY|ARCHIVE OBJECT|all`.

use std::process::ExitCode;

use image_audit::{Audit, Level};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, object] = &arguments[..] else {
        eprintln!("usage: ldd DIRECTORY|ARCHIVE OBJECT|all");
        return ExitCode::from(2);
    };
    let source = match Audit::path(image).level(Level::Census).read() {
        Ok(source) => source,
        Err(error) => {
            eprintln!("cannot read {image}: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let Some(resolutions) = source.resolve(object) else {
        eprintln!("{object} is not a program or library in the image");
        return ExitCode::FAILURE;
    };
    for resolution in resolutions {
        println!("{}:", resolution.object);
        for (name, path) in resolution.loads {
            println!("\t{name} => {}", path.as_deref().unwrap_or("not found"));
        }
    }
    ExitCode::SUCCESS
}
