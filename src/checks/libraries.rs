//! The image's libraries: which copy is used, which is too many, what is missing.
//!
//! A verdict *redundant* is a promise: nothing in the tree loads this copy, and another one of the same
//! soname is loaded by everything that asks for it. A copy that nothing is seen to load is
//! *unreferenced*; it may be a plug-in.

use super::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::catalogue::{LIBRARIES, TOOLS};
use crate::facts::census::{Census, Copy, Origin};
use crate::report::{self, CopyVerdict, Library, Severity, Status};

pub const CHECKS: &[Check] = &[
    Check {
        id: "library.missing",
        severity: Severity::Warning,
        title: "A program needs a CUDA library that is not in the image",
        why: "An object is linked to a library that the image's loader finds nowhere. It fails when it is loaded, \
              which may be at start or never.",
        remedy: "Install the package that brings it (pip: nvidia-*-cu12 wheels; apt: the CUDA runtime packages), of \
                 the CUDA release that the program was built for",
        explains: &[],
        judge: missing,
    },
    Check {
        id: "library.redundant",
        severity: Severity::Note,
        title: "Copies of CUDA libraries that nothing loads",
        why: "Another copy of the same soname is loaded by everything that asks for it. Deleting all redundant copies \
              together changes nothing, under these assumptions: all objects of the tree are possible programs, the \
              environment is the one shown, and names are found in read-only data and Python sources.",
        remedy: "Remove the package that brings them, or start from a smaller base image",
        explains: &[],
        judge: redundant,
    },
    Check {
        id: "library.unreadable",
        severity: Severity::Note,
        title: "Parts of the image could not be read",
        why: "The list of libraries is silent about them.",
        remedy: "Run cudacheck as root to see all.",
        explains: &[],
        judge: unreadable,
    },
];

fn missing(facts: &Facts) -> Outcome {
    let driver = |library: &str| LIBRARIES.iter().any(|known| known.name == library && known.driver);
    let problem = |missing: &crate::facts::census::Missing| {
        let mut problem = Problem::new(format!("{} needs {}.", missing.by[0], missing.soname));
        for by in missing.by.iter().take(5) {
            problem = problem.evidence(format!("needed by {by}"));
        }
        problem
    };
    // The driver's libraries come with the GPU; that they are absent is told elsewhere.
    let missing = facts.census.missing.iter().filter(|missing| !driver(&missing.library));
    missing.map(problem).collect::<Vec<_>>().into()
}

fn redundant(facts: &Facts) -> Outcome {
    let copies = facts.census.copies.iter();
    let redundant: Vec<&Copy> =
        copies.filter(|copy| verdict(&facts.census, copy) == CopyVerdict::Redundant).collect();
    if redundant.is_empty() {
        return Outcome::Pass;
    }
    let bytes: u64 = redundant.iter().map(|copy| copy.bytes).sum();
    let files = if redundant.len() == 1 { "1 file".to_owned() } else { format!("{} files", redundant.len()) };
    let cause = format!("{files} of {:.1} MB can go.", bytes as f64 / 1e6);
    let problem = redundant.iter().fold(Problem::new(cause), |problem, copy| {
        let owner =
            copy.owner.as_ref().map_or(String::new(), |owner| format!(" ({} {})", owner.name, owner.version));
        problem.evidence(format!("{}{owner}: {} bytes", copy.path, copy.bytes))
    });
    Some(problem).into()
}

fn unreadable(facts: &Facts) -> Outcome {
    let unreadable = &facts.census.unreadable;
    let Some(first) = unreadable.first() else { return Outcome::Pass };
    let cause = match unreadable.len() {
        1 => format!("{first}."),
        more => format!("{first}, and {} more.", more - 1),
    };
    let problem =
        unreadable.iter().take(10).fold(Problem::new(cause), |problem, line| problem.evidence(line.clone()));
    Some(problem).into()
}

fn verdict(census: &Census, copy: &Copy) -> CopyVerdict {
    if copy.origin == Origin::Stub {
        return CopyVerdict::Stub;
    }
    if copy.origin == Origin::Injected {
        return CopyVerdict::Injected;
    }
    if copy.reached {
        return CopyVerdict::Used;
    }
    let twin = |other: &&Copy| other.reached && other.soname.is_some() && other.soname == copy.soname;
    if census.copies.iter().any(|other| twin(&other)) {
        CopyVerdict::Redundant
    } else {
        CopyVerdict::Unreferenced
    }
}

/// The libraries of a tree with their copies, in the order of reports. Tools come last. In an image
/// `at_rest` nobody has injected the driver yet.
pub fn census(census: &Census, at_rest: bool) -> Vec<Library> {
    let library = |known: &crate::facts::catalogue::Library| {
        let copies = census.copies.iter().filter(|copy| copy.library == known.name);
        let copies: Vec<report::Copy> = copies.map(|copy| shown(copy, verdict(census, copy))).collect();
        let needs = census.missing.iter().filter(|missing| missing.library == known.name);
        let missing_for: Vec<String> = needs.flat_map(|missing| missing.by.iter().cloned()).collect();
        let wished = census.wished.iter().any(|wish| wish.library == known.name);
        let has = |wanted| copies.iter().any(|copy| copy.verdict == wanted);
        let nobody_has_it = known.driver && !has(CopyVerdict::Used) && (wished || !missing_for.is_empty());
        let status = if known.driver && has(CopyVerdict::Injected) || at_rest && nobody_has_it {
            Status::Injected
        } else if nobody_has_it || !missing_for.is_empty() {
            Status::Missing
        } else if has(CopyVerdict::Redundant) {
            Status::Redundant
        } else if has(CopyVerdict::Used) || has(CopyVerdict::Unreferenced) {
            Status::Present
        } else {
            Status::NotNeeded
        };
        Library { name: known.name.to_owned(), status, copies, missing_for }
    };
    let tool = |known: &crate::facts::catalogue::Tool| {
        let copies = census.tools.iter().filter(|found| found.tool == known.name);
        let copies: Vec<report::Copy> = copies
            .map(|found| report::Copy {
                path: found.path.clone(),
                soname: None,
                version: found.owner.as_ref().map(|owner| owner.version.clone()),
                bytes: found.bytes,
                origin: match &found.owner {
                    Some(owner) => match owner.manager {
                        crate::facts::packages::Manager::Dpkg => Origin::Package,
                        crate::facts::packages::Manager::Pip if owner.name.starts_with("nvidia-") => {
                            Origin::Wheel
                        }
                        crate::facts::packages::Manager::Pip => Origin::Vendored,
                    },
                    None => Origin::Other,
                },
                owner: found.owner.as_ref().map(owner_name),
                verdict: CopyVerdict::Present,
                used_by: Vec::new(),
            })
            .collect();
        let status = if copies.is_empty() { Status::NotNeeded } else { Status::Present };
        Library { name: known.name.to_owned(), status, copies, missing_for: Vec::new() }
    };
    LIBRARIES.iter().map(library).chain(TOOLS.iter().map(tool)).collect()
}

fn shown(copy: &Copy, verdict: CopyVerdict) -> report::Copy {
    report::Copy {
        path: copy.path.clone(),
        soname: copy.soname.clone(),
        version: copy.version.clone(),
        bytes: Some(copy.bytes),
        origin: copy.origin,
        owner: copy.owner.as_ref().map(owner_name),
        verdict,
        used_by: copy.users.clone(),
    }
}

fn owner_name(owner: &crate::facts::packages::Owner) -> String {
    format!("{} {}", owner.name, owner.version)
}
