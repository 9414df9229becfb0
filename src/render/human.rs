//! The report for people: verdict, devices, libraries, findings; beautiful with and without colour.

mod audit;
mod predict;

use crate::model::{Fix, Level, Owner, Severity};
use crate::report::{
    Copy, CopyVerdict, Finding, Gpu, GpuState, Library, Report, StageOutcome, Status, Verdict,
};

#[derive(Clone, Copy)]
pub struct Style {
    pub colour: bool,
    pub width: usize,
}

#[derive(Clone, Copy)]
enum Ink {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
}

impl Style {
    fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Plain => return text.to_owned(),
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Good => "1;32",
            Ink::Bad => "1;31",
            Ink::Warn => "1;33",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

pub fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    verdict(&mut out, report, style);
    predict::render(&mut out, report, style);
    devices(&mut out, report, style);
    libraries(&mut out, report, style);
    if report.requested == Level::Image {
        audit::render(&mut out, report, style);
    }
    findings(&mut out, report, style);
    out
}

fn verdict(out: &mut String, report: &Report, style: Style) {
    let (mark, word, ink) = match report.verdict {
        Verdict::Verified => ("✔", "VERIFIED", Ink::Good),
        Verdict::Audited => ("✔", "AUDITED", Ink::Good),
        Verdict::Failed => ("✘", "FAILED", Ink::Bad),
        Verdict::Undecided => ("?", "UNDECIDED", Ink::Warn),
    };
    let level = report.requested;
    let reached = if report.level == level { String::new() } else { format!(", reached {}", report.level) };
    let head = format!("cudacheck {} · level {level}{reached} · {:.2} s", report.version, report.seconds);
    *out += &format!(
        "{} {}\n",
        style.paint(ink, &format!("{mark} {word}")),
        style.paint(Ink::Bold, &report.summary)
    );
    *out += &format!("  {}\n", style.paint(Ink::Dim, &head));
}

fn heading(out: &mut String, style: Style, title: &str, note: &str) {
    *out += &format!("\n{}", style.paint(Ink::Bold, title));
    if !note.is_empty() {
        *out += &format!("  {}", style.paint(Ink::Dim, note));
    }
    out.push('\n');
}

fn devices(out: &mut String, report: &Report, style: Style) {
    if report.requested == Level::Image {
        return;
    }
    let driver = report.driver.as_ref();
    let mut notes = Vec::new();
    notes
        .extend(driver.and_then(|driver| driver.version.as_ref()).map(|version| format!("driver {version}")));
    notes.extend(driver.and_then(|driver| driver.cuda.as_ref()).map(|cuda| format!("CUDA {cuda}")));
    notes.extend(driver.and_then(|driver| driver.module.as_ref()).map(|module| {
        let open = driver.and_then(|driver| driver.open_module) == Some(true);
        format!("kernel module {module}{}", if open { " (open)" } else { "" })
    }));
    heading(out, style, "Devices", &notes.join(" · "));
    if report.gpus.is_empty() {
        *out += "  none\n";
    }
    for gpu in &report.gpus {
        device(out, gpu, style);
    }
    let slow =
        report.stages.iter().filter(|stage| stage.outcome == StageOutcome::Passed && stage.seconds >= 0.001);
    let mut times: Vec<(String, f64)> = Vec::new();
    for stage in slow {
        let name = serde_json::to_string(&stage.name).unwrap_or_default().trim_matches('"').to_owned();
        // GPUs run side by side: the slowest of them is the time that a stage took.
        match times.iter_mut().find(|(known, _)| *known == name) {
            Some((_, seconds)) => *seconds = seconds.max(stage.seconds),
            None => times.push((name, stage.seconds)),
        }
    }
    if !times.is_empty() {
        let times: Vec<String> =
            times.iter().map(|(name, seconds)| format!("{name} {seconds:.3} s")).collect();
        wrap(out, &format!("time: {}", times.join(", ")), "  ", style, Ink::Dim);
    }
}

fn device(out: &mut String, gpu: &Gpu, style: Style) {
    let (word, ink) = match gpu.state {
        GpuState::Verified => ("✔", Ink::Good),
        GpuState::Busy => ("busy", Ink::Warn),
        GpuState::Failed => ("✘", Ink::Bad),
        GpuState::Undecided => ("?", Ink::Warn),
        GpuState::Seen => ("seen", Ink::Dim),
    };
    let number = gpu.id.ordinal.map_or("-".to_owned(), |ordinal| ordinal.to_string());
    let mut facts = Vec::new();
    facts.extend(gpu.capability.as_ref().map(|capability| format!("sm_{}", capability.replace('.', ""))));
    match (&gpu.smoke, gpu.sms) {
        (Some(smoke), _) => facts.push(format!("{}/{} SMs", smoke.sms_covered, smoke.sms_present)),
        (None, Some(sms)) => facts.push(format!("{sms} SMs")),
        (None, None) => {}
    }
    let free = gpu.health.as_ref().and_then(|health| health.memory_free.known());
    facts.extend(gpu.memory.map(|total| match free {
        Some(free) => format!("{} of {} free", size(*free), size(total)),
        None => size(total),
    }));
    facts.push(format!("level {}", gpu.level));
    *out += &format!(
        "  {number:>2}  {} {}  {}\n",
        style.paint(ink, word),
        style.paint(Ink::Bold, &gpu.name),
        facts.join(" · ")
    );
    if !gpu.gemm.is_empty() {
        let right = gpu.gemm.iter().filter(|case| case.verdict.is_exact());
        let speeds = gpu.speed.iter().map(|speed| {
            let share = speed.peak_share.map_or(String::new(), |share| format!(" ({:.0} %)", 100.0 * share));
            // Small devices have their figures behind the point.
            let digits = if speed.tflops < 1.0 { 3 } else { 1 };
            format!("{} {:.digits$}{share}", speed.format, speed.tflops)
        });
        let speeds: Vec<String> = speeds.collect();
        let mut line = format!("{} of {} products exact", right.count(), gpu.gemm.len());
        if !speeds.is_empty() {
            line += &format!("; TFLOP/s: {}", speeds.join(" · "));
        }
        wrap(out, &line, "      ", style, Ink::Plain);
    }
}

/// Columns of the table: name, status, version, size.
fn libraries(out: &mut String, report: &Report, style: Style) {
    let of = |status| report.libraries.iter().filter(|library| library.status == status).count();
    let note = format!(
        "{} · {} present · {} redundant · {} missing · {} files looked at in {:.2} s",
        report.image.root,
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
            Status::Injected => "the container runtime brings it".to_owned(),
            _ if library.missing_for.is_empty() => "the container runtime did not bring it".to_owned(),
            _ => format!("for {}", library.missing_for.join(", ")),
        };
        *out += &format!("  {name:<10} {status} {}\n", fit(&why, style.width.saturating_sub(25)));
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
            (Some(owner), 1) => owner.split(' ').next().unwrap_or(owner).to_owned(),
            (Some(owner), files) => format!("{}, {files} files", owner.split(' ').next().unwrap_or(owner)),
            (None, _) => copy.path.clone(),
        };
        let from = fit(&from, style.width.saturating_sub(66).max(12));
        *out += &format!(
            "  {name:<10} {status} {:<18} {:>9}  {} {from}\n",
            version.chars().take(18).collect::<String>(),
            bytes.map(size).unwrap_or_default(),
            style.paint(ink, &format!("{verdict:<13}"))
        );
        (name, status) = ("", " ".repeat(11));
    }
}

/// Copies that one line can show: of one owner, version and verdict.
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

fn findings(out: &mut String, report: &Report, style: Style) {
    let accepted = match report.accepted.len() {
        0 => String::new(),
        number => format!("{number} accepted · "),
    };
    if report.findings.is_empty() {
        heading(out, style, "Findings", &format!("{accepted}none"));
        return;
    }
    heading(out, style, "Findings", &format!("{accepted}cudacheck explain ID says more"));
    for finding in &report.findings {
        one_finding(out, finding, style);
    }
}

/// Owner matter a finding is, and what cures it.
fn belongs(finding: &Finding) -> String {
    let whose = match finding.owner {
        Owner::Launch => "launch",
        Owner::Image => "image",
        Owner::Node => "node",
        Owner::Nobody => "busy",
        Owner::Application => "application",
    };
    let cure = match finding.fix {
        Fix::Restart => "restart the container",
        Fix::RecreateSame | Fix::Recreate => "recreate the container",
        Fix::Rebuild => "rebuild the image",
        Fix::Host => "on the host",
        Fix::Wait => "wait",
    };
    format!("  ({whose}: {cure})")
}

/// Lines of evidence that are shown; JSON has them all.
const EVIDENCE: usize = 6;

fn one_finding(out: &mut String, finding: &Finding, style: Style) {
    let (word, ink) = match finding.severity {
        Severity::Error => ("✘ error", Ink::Bad),
        Severity::Unknown => ("? unknown", Ink::Warn),
        Severity::Warning => ("! warning", Ink::Warn),
        Severity::Note => ("· note", Ink::Dim),
    };
    // What is wrong is somebody's to cure; a warning or a note is advice.
    let whose = if finding.severity >= Severity::Unknown { belongs(finding) } else { String::new() };
    let about = style.paint(Ink::Dim, &format!("{}{whose}", finding.id));
    *out += &format!("  {}  {about}\n", style.paint(ink, word));
    wrap(out, &finding.title, "    ", style, Ink::Bold);
    wrap(out, &finding.cause, "    ", style, Ink::Plain);
    for line in finding.evidence.iter().take(EVIDENCE) {
        wrap(out, &format!("- {}", line.text), "      ", style, Ink::Dim);
    }
    if finding.evidence.len() > EVIDENCE {
        *out += &style.paint(Ink::Dim, &format!("      - and {} more\n", finding.evidence.len() - EVIDENCE));
    }
    // What can be pasted is never broken by an indent that is not its own.
    wrap(out, &format!("→ {}", finding.remedy), "    ", style, Ink::Plain);
    if !finding.explains.is_empty() {
        wrap(out, &format!("explains: {}", finding.explains.join(", ")), "    ", style, Ink::Dim);
    }
}

/// Text in lines of the width, each behind the indent; a word that is longer stands alone.
fn wrap(out: &mut String, text: &str, indent: &str, style: Style, ink: Ink) {
    let room = style.width.saturating_sub(indent.len()).max(20);
    let mut line = String::new();
    let mut flush = |line: &mut String| {
        if !line.is_empty() {
            *out += &format!("{indent}{}\n", style.paint(ink, line));
            line.clear();
        }
    };
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            flush(&mut line);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    flush(&mut line);
}

/// At most so many characters; what is cut is the beginning, for the end of a path tells more.
fn fit(text: &str, room: usize) -> String {
    let count = text.chars().count();
    if count <= room {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(count - room.saturating_sub(1)).collect();
    format!("…{tail}")
}

/// Bytes in decimal units, as disks and registries count.
fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (99_900, "99.9 kB"),
            (123_456, "123 kB"),
            (999_600, "1.0 MB"),
            (5_000_000_000, "5.0 GB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn lines_keep_to_the_width() {
        let mut out = String::new();
        wrap(
            &mut out,
            "some words that do not fit on one line of forty characters, do they",
            "  ",
            Style { colour: false, width: 40 },
            Ink::Plain,
        );
        assert!(out.lines().count() == 2 && out.lines().all(|line| line.chars().count() <= 40), "{out}");
    }

    #[test]
    fn what_is_cut_is_the_beginning() {
        assert_eq!(fit("/usr/lib/libcuda.so", 10), "…ibcuda.so");
        assert_eq!(fit("short", 10), "short");
    }
}
