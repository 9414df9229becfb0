//! Which build of PyTorch works on a machine.

use super::questions::asked::Asked;
use crate::facts::target_machine::Build;
use crate::facts::target_machine::known::{DriverCuda, torch_builds};
use image_audit::fatbin::{CodeKind, DeviceCode, runs_on};

/// `pip install` of the newest build that works on the machine, if the question is about PyTorch and there is one.
pub fn pip(asked: &Asked) -> Option<String> {
    let is_torch = asked.frameworks.iter().any(|framework| framework.name == "torch");
    let build = is_torch.then(|| newest(asked.machine.gpu, asked.driver)).flatten()?;
    Some(format!("`pip install torch --index-url https://download.pytorch.org/whl/{}`", build.tag))
}

fn newest(gpu: u32, driver: DriverCuda) -> Option<&'static Build> {
    let works = |build: &&Build| {
        driver.reaches((build.cuda, 0)) == Some(true)
            && build.archs.iter().any(|arch| runs_on(&cubin(*arch), gpu))
    };
    torch_builds().rfind(works)
}

fn cubin(arch: u32) -> DeviceCode {
    let arch = format!("sm_{arch}");
    DeviceCode { arch, kind: CodeKind::Cubin, bytes: 0, images: 1, ptx_version: None, zstd: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_every_build_runs_somewhere() {
        let runs = |arch: &u32| runs_on(&cubin(*arch), *arch);
        assert!(torch_builds().all(|build| !build.archs.is_empty() && build.archs.iter().all(runs)));
    }

    #[test]
    fn the_newest_build_for_driver_and_gpu() {
        let tag = |gpu, branch| newest(gpu, DriverCuda::of_branch(branch)).map(|build| build.tag.as_str());
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
