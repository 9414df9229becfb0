//! What an image holds besides the libraries that run: build tools, caches, secrets, hidden bytes.

use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use image_audit::census::Census;
use image_audit::leftovers::LeftoverFound;
use image_audit::config::Image;
use image_audit::leftovers::Kind;
use image_audit::packages::Manager;

family! {
    toolkit
    compilers
    caches
    wheels
    leftovers
    secret
    hidden_bytes
    root_user
    no_healthcheck
}

pub const CACHES: &[Kind] = &[
    Kind::PipCache,
    Kind::UvCache,
    Kind::PoetryCache,
    Kind::CondaPackages,
    Kind::AptArchives,
    Kind::AptLists,
    Kind::YumCache,
    Kind::ApkCache,
    Kind::Ccache,
    Kind::BazelCache,
    Kind::CargoRegistry,
    Kind::GoCache,
    Kind::NpmCache,
];

pub const TOOLKIT: &[Kind] =
    &[Kind::CudaHeaders, Kind::StaticLibraries, Kind::Nvcc, Kind::Nsight, Kind::CudaSamplesDocs];

pub const WHEELS: &[Kind] = &[Kind::Wheels, Kind::Installers];

/// Less than that is not worth a line in a report.
pub const WORTH_TELLING: u64 = 1_000_000;

pub const AT_REST: &str = "only an image archive has a configuration and layers";

/// Leftovers of some kinds. Tools that a wheel or conda's package brought are what frameworks compile
/// kernels with.
pub fn leftovers_of<'a>(census: &'a Census, kinds: &'a [Kind]) -> impl Iterator<Item = &'a LeftoverFound> {
    let for_running = |leftover: &LeftoverFound| {
        let manager = leftover.package.as_ref().map(|owner| owner.manager);
        TOOLKIT.contains(&leftover.kind) && matches!(manager, Some(Manager::Pip | Manager::Conda))
    };
    census.leftovers.iter().filter(move |leftover| kinds.contains(&leftover.kind) && !for_running(leftover))
}

/// One finding for all leftovers of some kinds.
pub fn sum(facts: &Facts, kinds: &[Kind]) -> Outcome {
    if facts.request.running && facts.host.platform.container.is_none() {
        return Outcome::Skip("no container: what is installed here is no image");
    }
    let mut found: Vec<&LeftoverFound> = leftovers_of(&facts.census, kinds).collect();
    let bytes: u64 = found.iter().map(|leftover| leftover.bytes).sum();
    if bytes < WORTH_TELLING {
        return Outcome::Pass;
    }
    found.sort_by_key(|leftover| std::cmp::Reverse(leftover.bytes));
    let most = if found.len() > 1 { ", most of it" } else { "" };
    let cause = format!("{}{most} in {}.", megabytes(bytes), found[0].place);
    let problem = found.iter().fold(Problem::new(cause), |problem, leftover| {
        let owner = leftover.package.as_ref().map_or(String::new(), |owner| format!(" ({})", owner.name));
        problem.evidence(format!("{}{owner}: {}", leftover.place, megabytes(leftover.bytes)))
    });
    Some(problem).into()
}

/// `1 file`, `2 files`.
pub fn files(number: u64) -> String {
    if number == 1 { "1 file".to_owned() } else { format!("{number} files") }
}

pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A layer by the instruction that made it.
pub fn layer(image: &Image, number: usize) -> String {
    match image.layers.get(number).and_then(|layer| layer.instruction.as_deref()) {
        Some(instruction) => format!("layer {number} ({instruction})"),
        None => format!("layer {number}"),
    }
}
