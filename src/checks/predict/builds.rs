//! Which build of PyTorch works on a machine. The table is `torch_builds.tsv`.

use super::questions::asked::Asked;
use crate::facts::target_machine::known::DriverCuda;
use image_audit::fatbin::{CodeKind, DeviceCode, runs_on};

const TABLE: &str = include_str!("torch_builds.tsv");

struct Build {
    /// Of the package index, such as `cu128`.
    tag: &'static str,
    /// Major version of CUDA.
    cuda: u32,
    code: Vec<DeviceCode>,
}

/// `pip install` of the newest build that works on the machine, if the question is about PyTorch and there is one.
pub fn pip(asked: &Asked) -> Option<String> {
    let is_torch = asked.frameworks.iter().any(|framework| framework.name == "torch");
    let build = is_torch.then(|| newest(asked.machine.gpu, asked.driver)).flatten()?;
    Some(format!("`pip install torch --index-url https://download.pytorch.org/whl/{}`", build.tag))
}

fn newest(gpu: u32, driver: DriverCuda) -> Option<Build> {
    let works = |build: &Build| {
        driver.reaches((build.cuda, 0)) == Some(true) && build.code.iter().any(|code| runs_on(code, gpu))
    };
    builds().filter(works).last()
}

/// Oldest first.
fn builds() -> impl Iterator<Item = Build> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.split('\t');
        let (tag, cuda, archs) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?);
        let code = archs.split(' ').map(|arch| DeviceCode {
            arch: format!("sm_{arch}"),
            kind: CodeKind::Cubin,
            bytes: 0,
            images: 1,
            ptx_version: None,
            zstd: 0,
        });
        Some(Build { tag, cuda, code: code.collect() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let rows: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(builds().count(), rows.len());
        assert!(rows.iter().all(|row| row.split('\t').count() == 4), "each has a source: {rows:?}");
        assert!(
            builds()
                .all(|build| build.code.iter().all(|code| runs_on(code, code.arch[3..].parse().unwrap())))
        );
    }

    #[test]
    fn the_newest_build_for_driver_and_gpu() {
        let tag = |gpu, branch| newest(gpu, DriverCuda::of_branch(branch)).map(|build| build.tag);
        assert_eq!(tag(90, 595), Some("cu132"));
        assert_eq!(tag(90, 535), Some("cu128"));
        assert_eq!(tag(61, 535), Some("cu126"));
        assert_eq!(tag(80, 470), Some("cu118"));
        assert_eq!(tag(70, 580), Some("cu128"), "CUDA 13 has dropped it");
        assert_eq!(tag(121, 580), Some("cu132"));
        assert_eq!(tag(120, 470), None);
        assert_eq!(tag(110, 580), None, "Thor");
        assert_eq!(tag(90, 390), None);
    }
}
