//! The table of libraries: name, status, version, verdict, and where each copy comes from.

use super::layout::{Ink, Style, fit, heading, wrap};
use crate::model::words::size;
use crate::report::{Copy, CopyVerdict, Library, Report, Status, Why};

/// Width of the first column: the longest name, libcusparseLt.
const NAME: usize = 13;

pub fn libraries(out: &mut String, report: &Report, style: Style) {
    let of = |status| report.libraries.iter().filter(|library| library.status == status).count();
    let root = match &report.image {
        image if image.host => " (this host, not an image)",
        image if image.python_site => " (Python packages, shown as /site-packages)",
        _ => "",
    };
    let note = format!(
        "{}{} · {} present · {} redundant · {} missing · {} entries read in {:.2} s",
        report.image.root,
        root,
        of(Status::Present),
        of(Status::Redundant),
        of(Status::Missing),
        report.image.entries,
        report.image.seconds
    );
    heading(out, style, "Libraries", &note);
    let shown = |library: &&Library| library.status != Status::NotNeeded;
    for library in report.libraries.iter().filter(shown) {
        library_lines(out, library, style);
    }
    let rest: Vec<&str> = report
        .libraries
        .iter()
        .filter(|library| !shown(library))
        .map(|library| library.name.as_str())
        .collect();
    if !rest.is_empty() {
        wrap(out, &format!("not needed: {}", rest.join(", ")), "  ", style, Ink::Dim);
    }
    // Nobody looks for libraries in those of the kernel.
    let of_kernel = |path: &str| ["/proc", "/sys", "/dev"].iter().any(|top| path.starts_with(top));
    let left_out: Vec<&str> =
        report.image.skipped.iter().map(String::as_str).filter(|path| !of_kernel(path)).collect();
    if !left_out.is_empty() {
        wrap(out, &format!("left out: {}", left_out.join(", ")), "  ", style, Ink::Dim);
    }
    held(out, report, style);
}

/// Copies listed with what holds them back.
const MOST_HELD: usize = 5;

/// Copies that another one replaces and that have to stay all the same.
fn held(out: &mut String, report: &Report, style: Style) {
    let copies = report.libraries.iter().flat_map(|library| &library.copies);
    let lines: Vec<String> = copies.filter_map(held_by).collect();
    for line in lines.iter().take(MOST_HELD) {
        wrap(out, line, "  ", style, Ink::Dim);
    }
    if lines.len() > MOST_HELD {
        let rest = format!("and {} more are held (in full with --format json)", lines.len() - MOST_HELD);
        wrap(out, &rest, "  ", style, Ink::Dim);
    }
}

fn held_by(copy: &Copy) -> Option<String> {
    let held = copy.held.as_ref()?;
    let by = held.by.as_deref().unwrap_or("something");
    let why = match held.why {
        Why::NotReplaced | Why::Driver | Why::OtherMachine | Why::PlugIn => return None,
        Why::Unmet => "its soname is asked for elsewhere and not found".to_owned(),
        Why::Required => format!("{by} requires its package"),
        Why::Finder => "cuda.pathfinder finds it by name".to_owned(),
        Why::Variant => "it is a variant for other processors".to_owned(),
        Why::Mentioned => format!("{by} mentions its name"),
        Why::SearchPath => format!("a search path of {by} leads to it"),
        Why::Needed => format!("{by} would load it"),
    };
    Some(format!("not called redundant: {}: {why}", copy.path))
}

fn library_lines(out: &mut String, library: &Library, style: Style) {
    let (status, ink) = match library.status {
        Status::Present => ("present", Ink::Good),
        Status::Missing => ("missing", Ink::Bad),
        Status::Redundant => ("redundant", Ink::Warn),
        Status::NotNeeded => ("not needed", Ink::Dim),
        Status::Injected => ("injected", Ink::Good),
    };
    let mut name = library.name.as_str();
    let mut status = style.paint(ink, &format!("{status:<11}"));
    if library.copies.is_empty() {
        let why = match library.status {
            Status::Injected => "provided by the container runtime".to_owned(),
            _ if library.missing_for.is_empty() => "not provided by the container runtime".to_owned(),
            _ => format!("for {}", library.missing_for.join(", ")),
        };
        *out += &format!("  {name:<NAME$} {status} {}\n", fit(&why, style.width.saturating_sub(NAME + 15)));
    }
    for group in grouped(&library.copies) {
        let copy = group[0];
        let bytes: Option<u64> = group.iter().map(|copy| copy.bytes).sum();
        let version = copy.version.as_deref().unwrap_or("-");
        let verdict = match copy.verdict {
            CopyVerdict::Used => match users(&group) {
                1 => "1 user".to_owned(),
                users => format!("{users} users"),
            },
            CopyVerdict::Redundant => "redundant".to_owned(),
            CopyVerdict::Unreferenced => "unreferenced".to_owned(),
            CopyVerdict::Shadowed => "shadowed".to_owned(),
            CopyVerdict::Stub => "stub".to_owned(),
            CopyVerdict::Injected => "injected".to_owned(),
            CopyVerdict::Present => String::new(),
        };
        let ink = if copy.verdict == CopyVerdict::Redundant { Ink::Warn } else { Ink::Dim };
        let from = match (&copy.package, group.len()) {
            (Some(package), 1) => package.name.clone(),
            (Some(package), files) => format!("{}, {files} files", package.name),
            (None, _) => copy.path.clone(),
        };
        let from = fit(&from, style.width.saturating_sub(NAME + 56).max(12));
        *out += &format!(
            "  {name:<NAME$} {status} {:<18} {:>9}  {} {from}\n",
            version.chars().take(18).collect::<String>(),
            bytes.map(size).unwrap_or_default(),
            style.paint(ink, &format!("{verdict:<13}"))
        );
        (name, status) = ("", " ".repeat(11));
    }
}

/// Copies that one line can show: of one package, version and verdict.
fn grouped(copies: &[Copy]) -> Vec<Vec<&Copy>> {
    let mut groups: Vec<Vec<&Copy>> = Vec::new();
    for copy in copies {
        let alike = |group: &&mut Vec<&Copy>| {
            let first = group[0];
            first.package.is_some()
                && (&first.package, first.verdict, &first.version)
                    == (&copy.package, copy.verdict, &copy.version)
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(copy),
            None => groups.push(vec![copy]),
        }
    }
    groups
}

fn users(group: &[&Copy]) -> usize {
    let mut users: Vec<&str> =
        group.iter().flat_map(|copy| &copy.used_by).map(|user| user.path.as_str()).collect();
    users.sort();
    users.dedup();
    users.len()
}
