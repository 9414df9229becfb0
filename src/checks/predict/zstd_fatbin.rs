//! The driver is too old for zstd-compressed device code.

use crate::checks::predict::each;
use crate::checks::predict::questions::code::{self, Zstd};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.zstd-fatbin",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver is too old for zstd-compressed device code",
    why: "nvcc can compress device code with zstd (--compress-mode). The manual of nvcc says that drivers which were \
          released before CUDA 12.4 do not load it: kernels fail with error 200, device kernel image is invalid. \
          Every image of a fatbin is compressed for itself.",
    remedy: "Install driver 550.54.14 or newer on the machine, or use a build that is not compressed with zstd",
    explains: &[],
    codes: &[(Library::Driver, 200), (Library::Runtime, 200)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Code, |asked| {
        let code::Answer::Zstd(zstd) = code::ask(asked) else { return None };
        let gpu = asked.machine.gpu;
        let rest = match &zstd {
            Zstd { refused: false, .. } => return None,
            Zstd { images, of, .. } if images == of => {
                format!("has code for sm_{gpu} that the driver cannot decompress.")
            }
            Zstd { .. } => format!("has kernels for sm_{gpu} that the driver cannot decompress; others run."),
        };
        Some(zstd.problem(asked, &rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};
    use image_audit::fatbin::DeviceCode;

    const OLD: &str = "gpu=A100,driver=535.104.05";

    fn zstd(code: &[&str], compressed: impl Fn(&DeviceCode) -> u64) -> Facts {
        let mut facts = image(code, Some("12.4.127"));
        for code in &mut facts.census.frameworks[0].objects[0].device_code {
            code.zstd = compressed(code);
        }
        facts
    }

    #[test]
    fn an_older_driver_does_not_decompress_it() {
        let facts = zstd(&["sm_80", "sm_90"], |code| code.images);
        let (cause, evidence) = problem(judge, facts.clone(), OLD);
        assert_eq!(cause, "torch has code for sm_80 that the driver cannot decompress.");
        assert_eq!(evidence[1], "1 of 1 images for sm_80 are compressed with zstd");
        assert!(problems(judge, facts.clone(), "gpu=A100,driver=550.54.15").is_empty());
        assert!(problems(judge, facts, "gpu=A100,driver=390.10").is_empty(), "unknown is another finding");
    }

    #[test]
    fn what_the_driver_does_not_load_does_not_count() {
        let other =
            |arch: &'static str| zstd(&["sm_80", "compute_80/8.2"], move |code| u64::from(code.arch == arch));
        assert!(problems(judge, other("compute_80"), OLD).is_empty(), "there is machine code");
        assert_eq!(problems(judge, other("sm_80"), OLD).len(), 1);
        assert!(problems(judge, other("compute_80"), "gpu=sm_86,driver=535.104.05").is_empty());
        assert_eq!(problems(judge, other("compute_80"), "gpu=H100,driver=535.104.05").len(), 1);
    }

    #[test]
    fn a_part_of_the_kernels_is_called_so() {
        let mut facts = zstd(&["sm_80"], |_| 1);
        facts.census.frameworks[0].objects[0].device_code[0].images = 3;
        let (cause, _) = problem(judge, facts, OLD);
        assert_eq!(cause, "torch has kernels for sm_80 that the driver cannot decompress; others run.");
    }
}
