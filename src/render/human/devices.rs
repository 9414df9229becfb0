//! The GPUs of a report: one line each, then what was measured.

use super::layout::{Ink, Style, heading, wrap};
use crate::model::Level;
use crate::model::words::size;
use crate::report::{Gpu, GpuState, Report, StageOutcome};

pub fn devices(out: &mut String, report: &Report, style: Style) {
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
    let mut times: Vec<(&str, f64)> = Vec::new();
    for stage in slow {
        let name = stage.name.name();
        // GPUs run side by side, so a stage takes as long as the slowest.
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
    let number = match (gpu.id.ordinal, gpu.id.index) {
        (Some(ordinal), _) => ordinal.to_string(),
        (None, Some(index)) => format!("NVML {index}"),
        (None, None) => "-".to_owned(),
    };
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
            // Small devices need more digits.
            let digits = if speed.tflops < 1.0 { 3 } else { 1 };
            format!("{} {:.digits$}{share}", speed.format, speed.tflops)
        });
        let speeds: Vec<String> = speeds.collect();
        let mut line = format!("{} of {} GEMMs exact", right.count(), gpu.gemm.len());
        if !speeds.is_empty() {
            line += &format!("; TFLOP/s: {}", speeds.join(" · "));
        }
        wrap(out, &line, "      ", style, Ink::Plain);
    }
}
