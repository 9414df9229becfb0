//! Copies of driver libraries, and which of them the image brought.

use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::Event;
use image_audit::census::Copy;

pub fn driver_copies(facts: &Facts) -> impl Iterator<Item = &Copy> {
    let driver = |copy: &&Copy| matches!(copy.library.as_str(), "libcuda" | "libnvidia-ml");
    facts.census.copies.iter().filter(driver)
}

/// The driver library that was loaded is part of the image, and not mounted into the container.
pub fn is_driver_of_image(facts: &Facts) -> bool {
    let loaded = |event: &Event| match event {
        Event::Library { name, path, .. } if name == "libcuda" || name == "libnvidia-ml" => {
            Some(path.clone())
        }
        _ => None,
    };
    let paths: Vec<String> = facts.probes.iter().flat_map(|run| &run.events).filter_map(loaded).collect();
    let files: Vec<_> = facts.host.driver_files.iter().filter(|file| paths.contains(&file.real)).collect();
    // Outside a container the driver's libraries are at home, mounted or not.
    facts.host.platform.container.is_some() && !files.is_empty() && files.iter().all(|file| !file.mounted)
}

/// Elements of LD_LIBRARY_PATH that hold a libcuda and whose path says what it is.
pub fn elements(facts: &Facts, part: &str) -> Outcome {
    let Some(value) = &facts.census.library_path else { return Outcome::Pass };
    let of_part = |element: &&str| element.split('/').any(|name| name == part);
    let holds = |element: &&str| {
        let copies = facts.census.copies.iter().filter(|copy| copy.library == "libcuda");
        let mut names = copies.flat_map(|copy| copy.links.iter().chain([&copy.path]));
        names.any(|name| name.split('/').any(|name| name == part) || name.starts_with(&format!("{element}/")))
    };
    let found = value.split([':', ';']).find(|element| of_part(element) && holds(element));
    let problem = found.map(|element| {
        Problem::new(format!("{element} is on it, and holds a libcuda."))
            .evidence(format!("LD_LIBRARY_PATH={value}"))
    });
    problem.into()
}
