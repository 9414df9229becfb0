//! The driver is too old for the image's zstd-compressed device code.

use crate::checks::code::own::Runs;
use crate::checks::code::{NO_CODE, NO_GPUS, gpus, own};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::words::cuda;
use crate::model::{Fix, Owner, Severity};
use image_audit::fatbin::CodeKind;

pub const CHECK: Check = Check {
    id: "code.zstd-fatbin",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver cannot decompress the image's device code",
    why: "nvcc can compress device code with zstd (--compress-mode). The manual of nvcc says that drivers which were \
          released before CUDA 12.4 do not load it: kernels fail with error 200, device kernel image is invalid.",
    remedy: "Install driver 550.54.14 or newer on the machine, or use a build that is not compressed with zstd",
    explains: &[],
    codes: &[(Library::Driver, 200), (Library::Runtime, 200)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(driver) = facts.probes.iter().flat_map(ProbeRun::driver).map(|driver| driver.cuda).next() else {
        return Outcome::Skip("no driver was loaded");
    };
    let gpus = gpus(facts);
    if gpus.is_empty() {
        return Outcome::Skip(NO_GPUS);
    }
    if facts.census.frameworks.is_empty() {
        return Outcome::Skip(NO_CODE);
    }
    let (major, minor) = own::ZSTD;
    if i64::from(driver) >= i64::from(major * 1000 + minor * 10) {
        return Outcome::Pass;
    }
    let mut problems = Vec::new();
    for framework in &facts.census.frameworks {
        let code = own::OwnCode::of(facts, framework);
        for gpu in &gpus {
            let kind = match code.on(*gpu) {
                Runs::Compiled { .. } => CodeKind::Cubin,
                Runs::Ptx { .. } => CodeKind::Ptx,
                Runs::Few { .. } | Runs::OnlyLto => continue,
            };
            let (images, of) = code.zstd(kind, *gpu);
            if images > 0 {
                let rest = format!("has code for sm_{gpu} that the driver cannot decompress.");
                let line = format!("{images} of {of} images for sm_{gpu} are compressed with zstd");
                let problem = code.problem(&rest).evidence(line);
                let driver = format!("the driver supports CUDA {}", cuda(driver));
                Problem::merge(&mut problems, problem.evidence(driver));
            }
        }
    }
    problems.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::code::samples::image;
    use crate::facts::event::Event;
    use crate::facts::sample::Sample;

    /// A GPU of sm_90, with a driver of that CUDA.
    fn machine(zstd: u64, cuda: i32) -> Facts {
        let mut facts = Sample::machine(1).facts();
        facts.census.frameworks = image(&["sm_90"], &[]).census.frameworks;
        facts.census.frameworks[0].objects[0].device_code[0].zstd = zstd;
        for event in facts.probes.iter_mut().flat_map(|run| &mut run.events) {
            if let Event::Driver(driver) = event {
                driver.cuda = cuda;
            }
        }
        facts
    }

    #[test]
    fn drivers_before_cuda_12_4_do_not_load_it() {
        let problem = judge(&machine(1, 12_020)).problems().remove(0);
        assert_eq!(problem.cause, "torch has code for sm_90 that the driver cannot decompress.");
        let lines: Vec<&str> = problem.evidence.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            lines[1..],
            ["1 of 1 images for sm_90 are compressed with zstd", "the driver supports CUDA 12.2"]
        );
        assert!(matches!(judge(&machine(0, 12_020)), Outcome::Pass));
        assert!(matches!(judge(&machine(1, 12_040)), Outcome::Pass));
        assert!(matches!(judge(&image(&["sm_90"], &[90])), Outcome::Skip(_)), "nothing was run");
    }
}
