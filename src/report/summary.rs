//! The verdict of a report in one sentence.

use super::{Foretold, GpuState, Report, Status};
use crate::model::{Level, Severity};

pub fn summary(report: &Report) -> String {
    let grave = report.findings.first().filter(|first| first.severity >= Severity::Unknown);
    if let (Some(first), true) = (grave, report.predictions.is_empty()) {
        return format!("{}.", first.title);
    }
    if !report.predictions.is_empty() {
        return prediction(report);
    }
    let count = |state| report.gpus.iter().filter(|gpu| gpu.state == state).count();
    let (verified, busy) = (count(GpuState::Verified), count(GpuState::Busy));
    let some = |number: usize| if number == 1 { "1 GPU".to_owned() } else { format!("{number} GPUs") };
    let verb =
        |number: usize, one: &str, more: &str| if number == 1 { one.to_owned() } else { more.to_owned() };
    match (verified, busy) {
        (0, 0) => {
            let of = |status| report.libraries.iter().filter(|library| library.status == status).count();
            let (present, redundant, missing) =
                (of(Status::Present), of(Status::Redundant), of(Status::Missing));
            format!(
                "CUDA libraries: {present} present, {redundant} with redundant copies, {missing} missing."
            )
        }
        (0, busy) => {
            format!("{} {} busy: verified to level {}.", some(busy), verb(busy, "is", "are"), report.level)
        }
        (verified, busy) => {
            // What all verified GPUs have passed; busy ones are counted separately.
            let levels =
                report.gpus.iter().filter(|gpu| gpu.state == GpuState::Verified).map(|gpu| gpu.level);
            let what = match levels.min().unwrap_or(Level::Gemm) {
                Level::Image | Level::Nvml => {
                    format!("{} reported healthy by NVML", verb(verified, "is", "are"))
                }
                Level::Driver => format!("{} listed by CUDA", verb(verified, "is", "are")),
                Level::Smoke => {
                    format!("{}: every SM computes correctly", verb(verified, "works", "work"))
                }
                Level::Gemm => format!(
                    "{}: every SM computes correctly, cuBLAS is exact",
                    verb(verified, "works", "work")
                ),
            };
            let busy = if busy > 0 { format!("; {busy} more busy") } else { String::new() };
            format!("{} {what}{busy}.", some(verified))
        }
    }
}

fn prediction(report: &Report) -> String {
    let on = |wanted: &[Foretold]| -> Vec<&str> {
        let of = report.predictions.iter().filter(|prediction| wanted.contains(&prediction.verdict));
        of.map(|prediction| prediction.machine.as_str()).collect()
    };
    let parts = [
        ("works on", on(&[Foretold::Works, Foretold::WorksWithNotes])),
        ("fails on", on(&[Foretold::Fails])),
        ("unknown for", on(&[Foretold::Unknown])),
    ];
    let phrase = |(verb, nodes): &(&str, Vec<&str>)| match nodes.as_slice() {
        [] => None,
        [node] => Some(format!("{verb} {node}")),
        nodes => Some(format!("{verb} {} machines", nodes.len())),
    };
    format!("Prediction: {}.", parts.iter().filter_map(phrase).collect::<Vec<_>>().join(", "))
}
