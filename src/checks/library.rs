//! The image's libraries: which copy is used, which is too many, what is missing.
//!
//! A verdict *redundant* is a promise: nothing in the tree loads this copy, and another one of the same
//! soname is loaded by everything that asks for it. A copy that nothing is seen to load is
//! *unreferenced*; it may be a plug-in.

use super::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::catalogue::LIBRARIES;
use image_audit::census::{Copy, Mixed, Shadow};
use image_audit::verdict::Verdict;

pub const CHECKS: &[Check] = &[
    Check {
        id: "library.missing",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "A program needs a CUDA library that is not in the image",
        why: "An object is linked to a library that the image's loader finds nowhere. It fails when it is loaded, \
              which may be at start or never.",
        remedy: "Install the package that brings it (pip: nvidia-*-cu12 wheels; apt: the CUDA runtime packages), of \
                 the CUDA release that the program was built for",
        explains: &[],
        codes: &[],
        judge: missing,
    },
    Check {
        id: "library.mixed",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Libraries that belong together come from different releases",
        why: "cuBLAS and cuBLASLt call each other's private functions, and so do cuDNN's parts: of two releases they \
              fail with an undefined symbol, CUBLAS_STATUS_INVALID_VALUE or wrong results. The loader picks each by \
              itself: one by the program's own search path, the other by LD_LIBRARY_PATH or the system's.",
        remedy: "Keep one set: drop the system toolkit from the image (FROM a base without CUDA libraries), or take \
                 its directory out of LD_LIBRARY_PATH",
        explains: &["library.shadowed"],
        codes: &[],
        judge: mixed,
    },
    Check {
        id: "library.shadowed",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The environment puts another copy in the place of the one that is meant",
        why: "An object names by its RUNPATH the directory of the library that it was built for, but LD_LIBRARY_PATH \
              is searched before RUNPATH, and a directory in it has a library of the same name. What LD_PRELOAD names \
              goes before everything.",
        remedy: "Take that directory out of LD_LIBRARY_PATH (ENV LD_LIBRARY_PATH= in the Dockerfile), or the library \
                 out of LD_PRELOAD",
        explains: &[],
        codes: &[],
        judge: shadowed,
    },
    Check {
        id: "library.two-releases",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Programs of the image load different releases of one library",
        why: "Some libraries keep their soname over releases of CUDA (libcurand.so.10, libcusparse.so.12, libcudnn.so.9, \
              libnccl.so.2). Where two releases of one are in use, whichever a process loads first serves all of it.",
        remedy: "Install the parts of one CUDA release: the same -cu12 or -cu13 wheels for all frameworks",
        explains: &[],
        codes: &[],
        judge: two_releases,
    },
    Check {
        id: "library.working-directory",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "LD_LIBRARY_PATH makes the loader look into the working directory",
        why: "An empty element, as a colon at the end leaves it (ENV LD_LIBRARY_PATH=/x:$LD_LIBRARY_PATH with none \
              set before), means the directory in which a program is started: whoever can write there decides what \
              is loaded.",
        remedy: "ENV LD_LIBRARY_PATH=/x${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}",
        explains: &[],
        codes: &[],
        judge: working_directory,
    },
    Check {
        id: "library.version",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "A library is too old for what is linked to it",
        why: "An object needs a symbol version, such as GLIBC_2.38, that the library it gets does not define. It \
              fails when it is loaded: version not found.",
        remedy: "Take a base image at least as new as the one that the object was built on, or a build of it for an \
                 older one (for wheels: the manylinux tag says which glibc)",
        explains: &[],
        codes: &[],
        judge: version,
    },
    Check {
        id: "library.redundant",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Copies of CUDA libraries that nothing loads",
        why: "Another copy of the same soname is loaded by everything that asks for it. Deleting all redundant copies \
              together changes nothing, under these assumptions: all objects of the tree are possible programs, the \
              environment is the one shown, and names are found in read-only data and Python sources.",
        remedy: "Remove the package that brings them, or start from a smaller base image",
        explains: &[],
        codes: &[],
        judge: redundant,
    },
    Check {
        id: "library.over-budget",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Redundant copies take more than the budget allows",
        why: "--max-redundant, or max-redundant in the configuration, sets the bytes that redundant copies may take.",
        remedy: "Remove what library.redundant names, or raise the budget",
        explains: &[],
        codes: &[],
        judge: over_budget,
    },
    Check {
        id: "library.unreadable",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Parts of the image could not be read",
        why: "The list of libraries is silent about them. As long as programs may be among them, no copy is called \
              redundant.",
        remedy: "Run cudacheck as root to see all; a damaged archive or database has to be made anew",
        explains: &[],
        codes: &[],
        judge: unreadable,
    },
];

fn missing(facts: &Facts) -> Outcome {
    let driver = |library: &str| LIBRARIES.iter().any(|known| known.name == library && known.driver);
    let problem = |missing: &image_audit::census::Missing| {
        let mut problem = Problem::new(format!("{} needs {}.", missing.by[0], missing.soname));
        for by in missing.by.iter().skip(1).take(5) {
            problem = problem.evidence(format!("needed by {by} as well"));
        }
        problem
    };
    // The driver's libraries come with the GPU; that they are absent is told elsewhere.
    let missing = facts.census.missing.iter().filter(|missing| !driver(&missing.library));
    // NVRTC asks for its builtins by name and compiles nothing without them.
    let builtins = facts.census.wished.iter().filter(|wish| wish.soname.starts_with("libnvrtc-builtins.so."));
    let missing = missing.chain(builtins);
    // One object that lacks several is told once.
    let mut problems: Vec<(&str, Problem)> = Vec::new();
    for missing in missing {
        let by = missing.by[0].as_str();
        match problems.iter_mut().find(|(known, _)| *known == by) {
            Some((_, known)) => known.evidence.push(format!("and {}", missing.soname).into()),
            None => problems.push((by, problem(missing))),
        }
    }
    problems.into_iter().map(|(_, problem)| problem).collect::<Vec<_>>().into()
}

fn mixed(facts: &Facts) -> Outcome {
    let copy = |path: &String| facts.census.copies.iter().find(|copy| copy.path == *path);
    let problem = |mixed: &Mixed| {
        let copies: Vec<&Copy> = mixed.copies.iter().filter_map(copy).collect();
        let releases: Vec<&str> = copies.iter().filter_map(|copy| copy.version.as_deref()).collect();
        // Without a version on either side nothing is known.
        if releases.iter().all(|release| same_release(release, releases[0])) {
            return None;
        }
        let problem = Problem::new(format!("{} loads copies of different releases.", mixed.program));
        Some(copies.iter().fold(problem, |problem, copy| {
            problem.evidence(format!(
                "{} ({})",
                copy.path,
                copy.version.as_deref().unwrap_or("version unknown")
            ))
        }))
    };
    facts.census.mixed.iter().filter_map(problem).collect::<Vec<_>>().into()
}

fn two_releases(facts: &Facts) -> Outcome {
    let used = || facts.census.copies.iter().filter(|copy| copy.reached && copy.version.is_some());
    let mut told: Vec<&str> = Vec::new();
    let mut problems = Vec::new();
    for copy in used() {
        let (Some(soname), Some(version)) = (copy.soname.as_deref(), copy.version.as_deref()) else {
            continue;
        };
        let namesakes: Vec<&Copy> = used().filter(|other| other.soname.as_deref() == Some(soname)).collect();
        let same = |other: &&Copy| other.version.as_deref().is_some_and(|other| same_release(other, version));
        if told.contains(&soname) || namesakes.iter().all(same) {
            continue;
        }
        told.push(soname);
        let problem =
            Problem::new(format!("{soname} is in use in {} copies of different releases.", namesakes.len()));
        problems.push(namesakes.iter().fold(problem, |problem, copy| {
            let version = copy.version.as_deref().unwrap_or_default();
            problem.evidence(format!("{} ({version}), {} users", copy.path, copy.users.len()))
        }));
    }
    problems.into()
}

/// As far as both are written: 12.4.5 and 12.4.5.8 are the same.
fn same_release(a: &str, b: &str) -> bool {
    a.split('.').zip(b.split('.')).take(3).all(|(a, b)| a == b)
}

fn shadowed(facts: &Facts) -> Outcome {
    let census = &facts.census;
    let mut problems: Vec<Problem> = Vec::new();
    let mut told: Vec<(&str, &str)> = Vec::new();
    for shadow in &census.shadows {
        if told.contains(&(&shadow.meant, &shadow.winner)) {
            continue;
        }
        told.push((&shadow.meant, &shadow.winner));
        let same = |other: &&Shadow| (&other.meant, &other.winner) == (&shadow.meant, &shadow.winner);
        let cause = format!("{} is loaded in place of {}.", shadow.winner, shadow.meant);
        let problem = census
            .shadows
            .iter()
            .filter(same)
            .fold(Problem::new(cause), |problem, other| problem.evidence(format!("by {}", other.by)));
        problems.push(match &census.library_path {
            Some(value) => problem.evidence(format!("LD_LIBRARY_PATH={value}")),
            None => problem,
        });
    }
    problems.into()
}

fn working_directory(facts: &Facts) -> Outcome {
    let Some(value) = &facts.census.library_path else { return Outcome::Pass };
    let relative = |element: &&str| !element.starts_with('/') && !element.starts_with('$');
    let found = value.split([':', ';']).find(relative).filter(|_| !value.is_empty());
    // To musl, an empty element means nothing.
    let musl = facts.census.distribution.as_deref().is_some_and(|name| name.starts_with("alpine"));
    let found = found.filter(|element| !element.is_empty() || !musl);
    let problem = found.map(|element| {
        let what = if element.is_empty() {
            "an empty element".to_owned()
        } else {
            format!("the relative path {element}")
        };
        Problem::new(format!("LD_LIBRARY_PATH has {what}.")).evidence(format!("LD_LIBRARY_PATH={value}"))
    });
    problem.into()
}

fn version(facts: &Facts) -> Outcome {
    let mut problems: Vec<(&str, Problem)> = Vec::new();
    for gap in &facts.census.version_gaps {
        let line = format!("{} needs {}", gap.by, gap.version);
        match problems.iter_mut().find(|(provider, _)| *provider == gap.provider) {
            Some((_, problem)) => problem.evidence.push(line.into()),
            None => {
                let cause =
                    format!("{} does not define {}, which {} needs.", gap.provider, gap.version, gap.by);
                problems.push((&gap.provider, Problem::new(cause).evidence(line)));
            }
        }
    }
    problems.into_iter().map(|(_, problem)| problem).collect::<Vec<_>>().into()
}

fn over_budget(facts: &Facts) -> Outcome {
    let Some(budget) = facts.request.max_redundant else { return Outcome::Skip("there is no budget") };
    if !facts.census.full || facts.census.incomplete {
        let why = "Not all was read that may load a copy, so that none is called redundant.";
        return Some(Problem::new(why).remedy("Run as root, with --level full, on a whole archive")).into();
    }
    let bytes: u64 = facts.census.copies_with(Verdict::Redundant).map(|copy| copy.bytes).sum();
    let cause = format!(
        "Redundant copies take {:.1} MB; the budget is {:.1} MB.",
        bytes as f64 / 1e6,
        budget as f64 / 1e6
    );
    (bytes > budget).then(|| Problem::new(cause)).into()
}

fn redundant(facts: &Facts) -> Outcome {
    let redundant: Vec<&Copy> = facts.census.copies_with(Verdict::Redundant).collect();
    if redundant.is_empty() {
        return Outcome::Pass;
    }
    let bytes: u64 = redundant.iter().map(|copy| copy.bytes).sum();
    let files = if redundant.len() == 1 { "1 file".to_owned() } else { format!("{} files", redundant.len()) };
    let cause = format!("{files} of {:.1} MB can go.", bytes as f64 / 1e6);
    let problem = redundant.iter().fold(Problem::new(cause), |problem, copy| {
        let owner = copy
            .package
            .as_ref()
            .map_or(String::new(), |owner| format!(" ({} {})", owner.name, owner.version));
        problem.evidence(format!("{}{owner}: {:.1} MB", copy.path, copy.bytes as f64 / 1e6))
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

#[cfg(test)]
mod tests {
    use super::*;
    use image_audit::census::Origin;

    fn copy(path: &str, version: Option<&str>, reached: bool) -> Copy {
        Copy {
            library: "curand".into(),
            path: path.into(),
            links: Vec::new(),
            soname: Some("libcurand.so.10".into()),
            version: version.map(str::to_owned),
            bytes: 1,
            origin: Origin::Wheel,
            package: None,
            users: Vec::new(),
            reached,
            kept: false,
            verdict: Verdict::default(),
            device_code: Vec::new(),
            forward: None,
        }
    }

    #[test]
    fn one_soname_in_two_releases() {
        let found = |copies: Vec<Copy>| {
            let mut facts = Facts::default();
            facts.census.copies = copies;
            matches!(two_releases(&facts), Outcome::Fail(problems) if problems.len() == 1)
        };
        assert!(found(vec![copy("/a", Some("10.3.5.147"), true), copy("/b", Some("10.4.0.35"), true)]));
        assert!(!found(vec![copy("/a", Some("10.3.5.147"), true), copy("/b", Some("10.4.0.35"), false)]));
        assert!(!found(vec![copy("/a", Some("10.3.5.147"), true), copy("/b", Some("10.3.5"), true)]));
        assert!(!found(vec![copy("/a", Some("10.3.5.147"), true), copy("/b", None, true)]));
    }
}
