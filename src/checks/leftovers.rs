//! What an image holds beside the libraries that run: tools for building, leftovers of package managers,
//! secrets, bytes that only layers have; and what its configuration lacks.

use super::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::census::Census;
use image_audit::contents::LeftoverFound;
use image_audit::image::{Hidden, Image};
use image_audit::leftovers::Kind;
use image_audit::packages::Manager;
use image_audit::secrets::{self, Secret};

pub const CHECKS: &[Check] = &[
    Check {
        id: "leftovers.toolkit",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Tools for building CUDA programs are in the image",
        why: "nvcc, headers, static libraries, profilers and samples are for building and analysing. A program that \
              only runs needs none of them, unless it compiles kernels while it runs.",
        remedy: "Build in a stage of its own (FROM nvidia/cuda:...-devel AS build) and COPY --from=build what runs",
        explains: &[],
        codes: &[],
        judge: toolkit,
    },
    Check {
        id: "leftovers.compilers",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Compilers are in the image",
        why: "They take space, and help whoever breaks in. torch.compile and Triton need a C compiler while they run.",
        remedy: "Install build-essential and the like in a build stage only",
        explains: &[],
        codes: &[],
        judge: compilers,
    },
    Check {
        id: "leftovers.caches",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Caches and leftovers of package managers are in the image",
        why: "pip, uv, conda and apt keep what they downloaded. Nothing reads it again in a finished image.",
        remedy: "RUN --mount=type=cache,target=/root/.cache pip install ... ; for apt, in the same RUN: && rm -rf \
                 /var/lib/apt/lists/* /var/cache/apt/archives/*.deb",
        explains: &[],
        codes: &[],
        judge: caches,
    },
    Check {
        id: "leftovers.wheels",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Wheels or installers lie in the image",
        why: "What they brought is installed; they themselves are never read again.",
        remedy: "RUN --mount=type=bind,from=build,source=/wheels,target=/wheels pip install --no-index \
                 --find-links=/wheels ...",
        explains: &[],
        codes: &[],
        judge: wheels,
    },
    Check {
        id: "leftovers.leftovers",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Files of building and testing are in the image",
        why: "A .git directory, build trees, debug symbols, temporary files and crash dumps have no use at run time, \
              and may tell more than they should.",
        remedy: "Name them in .dockerignore, and delete what a RUN makes in that same RUN",
        explains: &[],
        codes: &[],
        judge: leftovers,
    },
    Check {
        id: "leftovers.secret",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image holds a secret",
        why: "Whoever can pull the image can read it, also where a later layer deletes the file. The value is not shown.",
        remedy: "Revoke it, then pass it while building only: RUN --mount=type=secret,id=token ... ; at run time by the \
                 environment or a mounted file",
        explains: &[],
        codes: &[],
        judge: secret,
    },
    Check {
        id: "leftovers.hidden-bytes",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Layers ship files that later layers delete or overwrite",
        why: "A layer is never changed by those above it: a file that a later RUN deletes is still pulled and stored.",
        remedy: "Delete in the RUN that makes the file, or mount it: RUN --mount=type=bind or --mount=type=cache",
        explains: &[],
        codes: &[],
        judge: hidden_bytes,
    },
    Check {
        id: "leftovers.root-user",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image runs as root",
        why: "A GPU needs no root: the device nodes are open to all. A fault in the program is worth less to an \
              attacker when it runs as somebody else.",
        remedy: "USER 10001   (any number but 0; the files that it writes must be its own)",
        explains: &[],
        codes: &[],
        judge: root_user,
    },
    Check {
        id: "leftovers.no-healthcheck",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image has no health check",
        why: "Without one, Docker says that a container whose GPU has died is up.",
        remedy: "HEALTHCHECK CMD [\"/usr/local/bin/cudacheck\", \"health\"]",
        explains: &[],
        codes: &[],
        judge: no_healthcheck,
    },
];

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
const LEFTOVERS: &[Kind] =
    &[Kind::Git, Kind::BuildTrees, Kind::DebugSymbols, Kind::TemporaryFiles, Kind::CrashDumps];

/// Less than that is not worth a line in a report.
const WORTH_TELLING: u64 = 1_000_000;

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
fn sum(facts: &Facts, kinds: &[Kind]) -> Outcome {
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

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn toolkit(facts: &Facts) -> Outcome {
    sum(facts, TOOLKIT)
}

fn compilers(facts: &Facts) -> Outcome {
    sum(facts, &[Kind::Compilers])
}

fn caches(facts: &Facts) -> Outcome {
    let apt = |kind: Kind| matches!(kind, Kind::AptArchives | Kind::AptLists);
    let found = || leftovers_of(&facts.census, CACHES).filter(|leftover| leftover.bytes >= WORTH_TELLING);
    let (of_apt, others) =
        (found().any(|leftover| apt(leftover.kind)), found().any(|leftover| !apt(leftover.kind)));
    match sum(facts, CACHES) {
        Outcome::Fail(problems) if of_apt && !others => {
            let remedy = "In the RUN that installs: && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb \
                          /var/cache/apt/*.bin";
            Outcome::Fail(problems.into_iter().map(|problem| problem.remedy(remedy)).collect())
        }
        outcome => outcome,
    }
}

fn wheels(facts: &Facts) -> Outcome {
    sum(facts, WHEELS)
}

fn leftovers(facts: &Facts) -> Outcome {
    sum(facts, LEFTOVERS)
}

fn secret(facts: &Facts) -> Outcome {
    let of_image = facts.image.iter().flat_map(|image| &image.secrets);
    let what = |kind| match kind {
        secrets::Kind::PrivateKey => "a private key",
        secrets::Kind::CloudCredentials => "credentials of a cloud",
        secrets::Kind::RegistryCredentials => "credentials of a registry",
        secrets::Kind::Token => "a token",
        secrets::Kind::Password => "a password",
    };
    let line = |secret: &Secret| format!("{}: {}", secret.place, what(secret.kind));
    let mut lines = facts.census.secrets.iter().chain(of_image).map(line);
    let Some(first) = lines.next() else { return Outcome::Pass };
    let (place, kind) = first.split_once(": ").unwrap_or((&first, "a secret"));
    let problem = Problem::new(format!("{place} holds {kind}.")).evidence(&first);
    Some(lines.fold(problem, Problem::evidence)).into()
}

const AT_REST: &str = "only an image archive has a configuration and layers";

fn hidden_bytes(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip(AT_REST) };
    let bytes: u64 = image.hidden.iter().map(|hidden| hidden.bytes).sum();
    if bytes < WORTH_TELLING {
        return Outcome::Pass;
    }
    let line = |hidden: &Hidden| {
        let how = if hidden.deleted { "deleted" } else { "overwritten" };
        format!(
            "{}, {} such as {}: shipped by {}, {how} by {}",
            megabytes(hidden.bytes),
            files(hidden.files),
            hidden.largest,
            layer(image, hidden.layer),
            layer(image, hidden.by)
        )
    };
    let cause = format!("{} are shipped that no container sees.", megabytes(bytes));
    let problem =
        image.hidden.iter().fold(Problem::new(cause), |problem, hidden| problem.evidence(line(hidden)));
    Some(problem).into()
}

/// A layer by the instruction that made it.
pub fn layer(image: &Image, number: usize) -> String {
    match image.layers.get(number).and_then(|layer| layer.instruction.as_deref()) {
        Some(instruction) => format!("layer {number} ({instruction})"),
        None => format!("layer {number}"),
    }
}

fn root_user(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip(AT_REST) };
    let user = image.user.split(':').next().unwrap_or_default();
    let root = matches!(user, "" | "root" | "0");
    let cause = if user.is_empty() { "No USER is set.".to_owned() } else { format!("USER is {user}.") };
    root.then(|| Problem::new(cause)).into()
}

fn no_healthcheck(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip(AT_REST) };
    // An image that runs nothing is the base of others.
    let lacks = image.has_command && !image.has_healthcheck;
    lacks.then(|| Problem::new("No HEALTHCHECK is set.")).into()
}
