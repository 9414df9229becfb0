//! What only an audit shows: layers, device code, and what can be removed.

use super::layout::{Ink, Style, fit, heading, wrap};
use crate::model::words::size;
use crate::report::{Base, Change, CodeKind, DeviceCode, Report};

pub fn render(out: &mut String, report: &Report, style: Style) {
    layers(out, report, style);
    device_code(out, report, style);
    savings(out, report, style);
}

fn layers(out: &mut String, report: &Report, style: Style) {
    let layers = &report.image.layers;
    if layers.is_empty() {
        return;
    }
    heading(out, style, "Layers", &format!("{}, lowest first", layers.len()));
    for (number, layer) in layers.iter().enumerate() {
        let instruction = layer.instruction.as_deref().unwrap_or(&layer.digest);
        let text: String = instruction.chars().take(style.width.saturating_sub(19)).collect();
        *out += &format!("  {number:>3} {:>9}  {text}\n", size(layer.bytes));
    }
}

fn device_code(out: &mut String, report: &Report, style: Style) {
    let code = &report.image.device_code;
    if code.is_empty() {
        return;
    }
    let total: u64 = code.iter().map(|code| code.bytes).sum();
    heading(out, style, "Device code", &format!("at least {}, by target architecture", size(total)));
    let of = |kind| code.iter().filter(move |code| code.kind == kind);
    let shown = |code: &DeviceCode| format!("{} {}", code.arch, size(code.bytes));
    for (name, kind) in [("compiled", CodeKind::Cubin), ("PTX", CodeKind::Ptx), ("LTO-IR", CodeKind::Lto)] {
        let list: Vec<String> = of(kind).map(shown).collect();
        if !list.is_empty() {
            wrap(out, &format!("{name}: {}", list.join(" · ")), "  ", style, Ink::Plain);
        }
    }
}

/// Changes that are shown; the JSON has all of them.
const SHOWN: usize = 3;

fn savings(out: &mut String, report: &Report, style: Style) {
    let savings = &report.savings;
    let image = &report.image;
    let mut base = match image.flavor.base {
        Base::None => "no CUDA base".to_owned(),
        Base::Base => "CUDA base".to_owned(),
        Base::Runtime => "CUDA runtime base".to_owned(),
        Base::Devel => "CUDA devel base".to_owned(),
    };
    if image.flavor.cudnn {
        base += " with cuDNN";
    }
    if let Some(version) = &image.flavor.cuda_version {
        base += &format!(", CUDA {version}");
    }
    let distribution = image.distribution.as_deref().unwrap_or("unknown distribution");
    let note = format!("{} now · {distribution} · {base}", size(savings.bytes));
    heading(out, style, "What can be removed", &note);
    if savings.proven + savings.review == 0 {
        *out += "  nothing found\n";
        return;
    }
    *out += &format!(
        "  {} safe to remove; {} more need review\n",
        style.paint(if savings.proven > 0 { Ink::Warn } else { Ink::Good }, &size(savings.proven)),
        size(savings.review)
    );
    for (number, change) in savings.changes.iter().take(SHOWN).enumerate() {
        one_change(out, number + 1, change, style);
    }
    if savings.proven > 0 {
        wrap(out, &format!("assuming that {}", image.assumptions.join("; ")), "  ", style, Ink::Dim);
    }
}

fn one_change(out: &mut String, number: usize, change: &Change, style: Style) {
    let proof = if change.proven { "" } else { "  (review)" };
    let what = fit(&change.what, style.width.saturating_sub(28));
    *out += &format!("  {number}. {:>9}  {what}{}\n", size(change.bytes), style.paint(Ink::Dim, proof));
    // Not wrapped, so that it can be pasted.
    *out += &format!("                {}\n", fit_end(&change.line, style.width * 3));
    wrap(out, &change.note, "                ", style, Ink::Dim);
}

/// At most this many characters; the JSON has the whole line.
fn fit_end(text: &str, room: usize) -> String {
    match text.char_indices().nth(room) {
        Some((end, _)) => format!("{}… (in full with --format json)", &text[..end]),
        None => text.to_owned(),
    }
}
