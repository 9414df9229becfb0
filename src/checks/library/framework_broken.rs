//! A framework lacks a CUDA library that it is linked to.

use crate::checks::code::own::named;
use crate::checks::predict::questions::runtime;
use crate::checks::shared::lacking::{Lacking, of_frameworks};
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.framework-broken",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A framework lacks a CUDA library that it is linked to",
    why: "An object with device code of a framework is linked to a library, and the image has no copy of it. The loader \
          refuses the object on every machine: importing the framework fails, or it goes on without what is in the object.",
    remedy: "Install the package that contains the library, from the CUDA release that the framework was built for",
    explains: &["predict.missing-library"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let problem = |(framework, lacking): (_, Lacking)| {
        let rest =
            format!(", which the image does not have: this part of {} does not load.", named(framework));
        let cuda = runtime::of(facts, Some(framework)).map(|runtime| runtime.major);
        lacking.remedied(facts, &framework.name, cuda, lacking.problem("needs", &rest))
    };
    of_frameworks(facts).map(problem).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::library::missing;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, copy};
    use image_audit::census::{CodeObject, Copy, Framework, Missing};

    const TORCH: &str = "/site/torch/lib/libtorch_cuda.so";

    fn lacking(by: &str, copies: &[&str]) -> Facts {
        let object = CodeObject { path: TORCH.into(), device_code: Vec::new() };
        let (name, version) = ("torch".into(), Some("2.11.0".into()));
        let framework = Framework { name, version, objects: vec![object], uses: Vec::new() };
        let missing = Missing {
            library: "libcudnn".into(),
            soname: "libcudnn.so.9".into(),
            by: vec![by.into(), "/site/torch/lib/libtorch_python.so".into()],
            copies: copies.iter().map(|copy| copy.to_string()).collect(),
            requirement: Some("nvidia-cudnn-cu13==9.19.0.56".into()),
            ..Missing::default()
        };
        let change = |facts: &mut Facts| {
            facts.census.frameworks = vec![framework];
            facts.census.missing = vec![missing];
        };
        Sample::image().with(change).facts()
    }

    #[test]
    fn its_import_fails() {
        let facts = lacking(TORCH, &[]);
        assert!(matches!((missing::CHECK.judge)(&facts), Outcome::Pass), "one finding for one fault");
        let found = problem(judge(&facts));
        assert_eq!(
            found.cause,
            format!(
                "{TORCH} needs libcudnn.so.9, which the image does not have: this part of torch 2.11.0 does not load."
            )
        );
        assert_eq!(
            found.remedy.as_deref(),
            Some(
                "Install what contains it: `pip install nvidia-cudnn-cu13==9.19.0.56` (apt: the CUDA runtime packages)"
            ),
            "as its own metadata has it"
        );
    }

    #[test]
    fn each_library_is_told_of_the_object_that_lacks_it() {
        let mut facts = lacking(TORCH, &[]);
        let linalg = "/site/torch/lib/libtorch_cuda_linalg.so";
        let object = CodeObject { path: linalg.into(), device_code: Vec::new() };
        facts.census.frameworks[0].objects.push(object);
        let missing = |library: &str, soname: &str, by: &[&str]| Missing {
            library: library.into(),
            soname: soname.into(),
            by: by.iter().map(|by| by.to_string()).collect(),
            ..Missing::default()
        };
        facts.census.missing.push(missing("libcusolver", "libcusolver.so.11", &[linalg]));
        facts.census.missing.push(missing("libnccl", "libnccl.so.2", &["/app/train", TORCH]));
        let evidence: Vec<String> =
            problem(judge(&facts)).evidence.iter().map(|line| line.text.clone()).collect();
        assert_eq!(
            evidence,
            [
                "/site/torch/lib/libtorch_python.so needs it too".to_owned(),
                format!("{linalg} needs libcusolver.so.11"),
                "it also needs libnccl.so.2".to_owned(),
                "/app/train needs libnccl.so.2".to_owned(),
            ]
        );
    }

    #[test]
    fn a_build_for_another_cuda_is_the_first_advice() {
        let mut facts = lacking(TORCH, &[]);
        let missing = &mut facts.census.missing[0];
        (missing.library, missing.soname) = ("libcudart".into(), "libcudart.so.13".into());
        missing.requirement = None;
        facts.census.copies.push(copy("libcudart", "/site/nvidia/libcudart.so.12", "12.8.90"));
        assert_eq!(
            problem(judge(&facts)).remedy.as_deref(),
            Some(
                "Install a build of torch for the CUDA release of libcudart.so.12, or add what it needs: `pip install \
                 nvidia-cuda-runtime`"
            )
        );
    }

    #[test]
    fn a_copy_with_the_soname_and_another_file_name_is_there() {
        let mut facts = lacking(TORCH, &[]);
        facts.census.copies.push(Copy {
            soname: Some("libcudnn.so.9".into()),
            ..copy("libcudnn", "/opt/libcudnn.so.9.1.0", "9.1.0")
        });
        assert!(matches!(judge(&facts), Outcome::Pass), "a program may load it first");
        assert!(matches!((missing::CHECK.judge)(&facts), Outcome::Fail(_)));
    }

    #[test]
    fn a_plug_in_or_a_copy_elsewhere_is_another_finding() {
        for facts in [lacking("/site/torch/plugin.so", &[]), lacking(TORCH, &["/opt/libcudnn.so.9"])] {
            assert!(matches!(judge(&facts), Outcome::Pass));
        }
        let plug_in = (missing::CHECK.judge)(&lacking("/site/torch/plugin.so", &[]));
        assert!(matches!(plug_in, Outcome::Fail(_)));
    }
}
