//! What an image contains besides the libraries that run: build tools, caches, secrets, hidden bytes.

use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::leftovers::{WORTH_A_LINE, of_groups};
use crate::model::words::size;
use image_audit::leftovers::Group;
use image_audit::leftovers::LeftoverFound;

family! {
    toolkit
    compilers
    caches
    wheels
    build_files
    secret
    hidden_bytes
    root_user
    no_healthcheck
}

/// Bytes below which it is not reported.
const WORTH_REPORTING: u64 = 1_000_000;

const NO_ARCHIVE: &str = "only an image archive has a configuration and layers";

/// One finding for all leftovers of some groups.
fn sum(facts: &Facts, groups: &[Group]) -> Outcome {
    if facts.request.running && facts.host.platform.container.is_none() {
        return Outcome::Skip("not in a container: this is not an image");
    }
    let mut found: Vec<&LeftoverFound> = of_groups(&facts.census, groups).collect();
    let bytes: u64 = found.iter().map(|leftover| leftover.bytes).sum();
    if bytes < WORTH_REPORTING {
        return Outcome::Pass;
    }
    found.sort_by_key(|leftover| std::cmp::Reverse(leftover.bytes));
    let place = &found[0].place;
    let most = if found.len() > 1 { ", most of it" } else { "" };
    let problem = Problem::new(format!("{}{most} in {place}.", size(bytes))).at(place);
    let worth_a_line = found.iter().filter(|leftover| leftover.bytes >= WORTH_A_LINE);
    let list = worth_a_line.fold(problem, |problem, leftover| {
        let package = leftover.package.as_ref();
        let package = package.map_or(String::new(), |package| format!(" ({})", package.name));
        problem.file(&leftover.place, &format!("{package}: {}", size(leftover.bytes)))
    });
    Some(list).into()
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::facts::sample::Sample;
    use image_audit::config::{Image, Layer};
    use image_audit::leftovers::Kind;
    use image_audit::packages::{Manager, PackageId};

    pub fn leftover(kind: Kind, place: &str, megabytes: u64) -> LeftoverFound {
        LeftoverFound { kind, place: place.into(), bytes: megabytes * 1_000_000, files: 3, package: None }
    }

    /// An image with these leftovers.
    pub fn with(leftovers: &[LeftoverFound]) -> Facts {
        Sample::image().with(|facts| facts.census.leftovers = leftovers.to_vec()).facts()
    }

    pub fn from_wheel(mut leftover: LeftoverFound) -> LeftoverFound {
        let (name, version) = ("nvidia-cuda-nvcc-cu12".to_owned(), "12.4.131".to_owned());
        leftover.package = Some(PackageId { manager: Manager::Pip, name, version });
        leftover
    }

    /// An archive with a layer for each instruction.
    pub fn archive(instructions: &[&str], change: impl FnOnce(&mut Image)) -> Facts {
        let layer = |instruction: &&str| Layer {
            digest: String::new(),
            instruction: Some(instruction.to_string()),
            stored_bytes: 0,
            bytes: 0,
            whole: true,
        };
        let mut image = Image { layers: instructions.iter().map(layer).collect(), ..Image::default() };
        change(&mut image);
        Sample::image().with(|facts| facts.image = Some(image)).facts()
    }

    /// The cause of the only problem.
    pub fn cause(outcome: Outcome) -> Option<String> {
        match outcome {
            Outcome::Fail(problems) => problems.into_iter().next().map(|problem| problem.cause),
            Outcome::Pass | Outcome::Skip(_) => None,
        }
    }

    #[test]
    fn what_is_worth_no_line_is_only_counted() {
        let lists = LeftoverFound { bytes: 20_000, ..leftover(Kind::AptLists, "/var/lib/apt/lists", 0) };
        let facts = with(&[leftover(Kind::PipCache, "/root/.cache/pip", 3), lists]);
        let found = crate::checks::testing::problem(sum(&facts, &[Group::Caches, Group::Apt]));
        assert_eq!(crate::checks::testing::lines(&found), ["/root/.cache/pip: 3.0 MB"]);
    }

    #[test]
    fn what_is_small_or_not_in_an_image_is_not_reported() {
        let nvcc = |megabytes| leftover(Kind::Nvcc, "/usr/local/cuda/bin", megabytes);
        assert!(matches!(sum(&with(&[nvcc(0)]), &[Group::Toolkit]), Outcome::Pass));
        let mut facts = with(&[nvcc(30)]);
        facts.request.running = true;
        assert!(matches!(sum(&facts, &[Group::Toolkit]), Outcome::Skip(_)));
    }
}
