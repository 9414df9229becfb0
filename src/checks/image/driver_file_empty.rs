//! Finds images with empty files in place of driver libraries.

use image_audit::census::Copy;

use crate::checks::image::driver_copies;
use crate::checks::shared::access::cuda_works;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.driver-file-empty",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Driver libraries in the image are empty files",
    why: "The container runtime mounts the driver's libraries over empty files. An image that was built or committed \
          while they were mounted keeps those files, and the loader fails on them with 'file too short'.",
    remedy: "Delete the empty files in the Dockerfile and build the image without the NVIDIA runtime",
    explains: &["driver.load", "driver.nvml", "driver.nvml-failed", "probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // With a working driver, an empty file does no harm.
    if facts.request.running && cuda_works(facts) {
        return Outcome::Pass;
    }
    let empty: Vec<&Copy> = driver_copies(facts).filter(|copy| copy.bytes == 0).collect();
    let Some(first) = empty.first() else { return Outcome::Pass };
    let files: Vec<&str> = empty.iter().map(|copy| copy.path.as_str()).collect();
    let problem = Problem::new(format!("{} is empty.", first.path))
        .at(&first.path)
        .remedy(format!("`RUN rm {}`, and build without the NVIDIA runtime", files.join(" ")));
    Some(files.iter().fold(problem, |problem, file| problem.file(file, ": 0 bytes"))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, copy, not_loaded};
    use crate::model::Stage;

    const LIBCUDA: &str = "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15";

    fn with_libcuda(sample: Sample, bytes: u64) -> Sample {
        sample.copy(Copy { bytes, ..copy("libcuda", LIBCUDA, "") })
    }

    #[test]
    fn an_empty_libcuda() {
        let problems = judge(&with_libcuda(Sample::image(), 0).facts()).problems();
        assert_eq!(problems[0].cause, format!("{LIBCUDA} is empty."));
        assert_eq!(problems[0].evidence[0].path.as_deref(), Some(LIBCUDA));
        let remedy = problems[0].remedy.as_deref().unwrap_or_default();
        assert!(remedy.starts_with(&format!("`RUN rm {LIBCUDA}`")), "{remedy}");
        assert!(judge(&with_libcuda(Sample::image(), 1).facts()).causes().is_empty());
    }

    #[test]
    fn an_empty_file_next_to_a_working_driver_does_no_harm() {
        assert!(judge(&with_libcuda(Sample::machine(1), 0).facts()).causes().is_empty());
        let broken = Sample::machine(1).fault(None, Stage::LoadDriver, not_loaded("file too short"));
        assert_eq!(judge(&with_libcuda(broken, 0).facts()).causes().len(), 1);
    }
}
