//! A program needs a CUDA library that is missing.

use crate::checks::shared::lacking::{Lacking, builtins, by_program, of_frameworks};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::census::Missing;

pub const CHECK: Check = Check {
    id: "library.missing",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A program needs a CUDA library that is missing",
    why: "A program or library is linked to a library that is not in the image. It fails when it is loaded, which may be \
          at start, later or never.",
    remedy: "Install the package that contains it (pip: NVIDIA's wheels; apt: the CUDA runtime packages), from the CUDA \
             release that the program was built for",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let asked = facts.census.missing.iter().chain(builtins(facts));
    let of_frameworks: Vec<&Missing> =
        of_frameworks(facts).flat_map(|(_, lacking)| lacking.libraries).collect();
    // What a framework lacks is `library.framework-broken`.
    let known = |missing: &Missing| of_frameworks.iter().any(|known| std::ptr::eq(*known, missing));
    let absent = asked.filter(|missing| missing.copies.is_empty() && !known(missing));
    by_program(absent).iter().map(|lacking| problem(facts, lacking)).collect::<Vec<_>>().into()
}

fn problem(facts: &Facts, lacking: &Lacking) -> Problem {
    let program = lacking.libraries[0].package.as_deref().unwrap_or("the program");
    lacking.remedied(facts, program, None, lacking.problem("needs", "."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, copy};

    fn missing(library: &str, soname: &str, by: &[&str]) -> Missing {
        let by = by.iter().map(|path| path.to_string()).collect();
        Missing { library: library.into(), soname: soname.into(), by, ..Missing::default() }
    }

    #[test]
    fn one_finding_for_each_program() {
        let facts = Sample::image().with(|facts| {
            facts.census.missing = vec![
                missing("libcudnn", "libcudnn.so.9", &["/app/train.so", "/app/b.so"]),
                missing("libnccl", "libnccl.so.2", &["/app/train.so"]),
                missing("libcuda", "libcuda.so.1", &["/app/c.so"]),
            ];
        });
        let found = crate::checks::testing::problem(judge(&facts.facts()));
        assert_eq!(found.cause, "/app/train.so needs libcudnn.so.9.");
        assert_eq!(found.path.as_deref(), Some("/app/train.so"));
        let evidence: Vec<&str> = found.evidence.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(evidence, ["/app/b.so needs it too", "it also needs libnccl.so.2"]);
    }

    #[test]
    fn a_library_that_is_somewhere_in_the_image_is_another_finding() {
        let mut there = missing("libcublas", "libcublas.so.12", &["/app/train.so"]);
        there.copies = vec!["/opt/libcublas.so.12".into()];
        let facts = Sample::image().with(|facts| facts.census.missing = vec![there]).facts();
        assert!(matches!(judge(&facts), Outcome::Pass));
    }

    #[test]
    fn of_optional_names_only_nvrtc_counts() {
        let with = |soname: &str| {
            let wish = missing("libnvrtc", soname, &["/usr/lib/libnvrtc.so.12"]);
            judge(&Sample::image().with(|facts| facts.census.missing_optional = vec![wish]).facts())
        };
        assert!(matches!(with("libnvrtc-builtins.so.12.4"), Outcome::Fail(_)));
        assert!(matches!(with("libnvrtc.alt.so.12"), Outcome::Pass));
    }

    #[test]
    fn the_remedy_names_the_wheel_of_the_right_cuda() {
        let remedy = |missing: Missing, runtime: &str| {
            let runtime = copy("libcudart", &format!("/site/{runtime}"), "");
            let sample = Sample::image().copy(runtime).with(|facts| facts.census.missing = vec![missing]);
            judge(&sample.facts()).problems().remove(0).remedy
        };
        let mut extension = missing("libcudart", "libcudart.so.13", &["/site/xformers/_C.so"]);
        extension.package = Some("xformers".into());
        assert_eq!(
            remedy(extension, "libcudart.so.12").unwrap(),
            "Install a build of xformers for the CUDA release of libcudart.so.12, or add what it needs: `pip install \
             nvidia-cuda-runtime`"
        );
        let mut cudnn = missing("libcudnn", "libcudnn.so.9", &["/app/train.so"]);
        assert!(
            remedy(cudnn.clone(), "libcudart.so.13").unwrap().contains("`pip install nvidia-cudnn-cu13`")
        );
        cudnn.requirement = Some("nvidia-cudnn-cu13<10,>=9.1".into());
        assert!(
            remedy(cudnn, "libcudart.so.13")
                .unwrap()
                .contains("`pip install \"nvidia-cudnn-cu13<10,>=9.1\"`"),
            "as the program's metadata has it"
        );
        let cutensor = missing("libcutensor", "libcutensor.so.1", &["/app/train.so"]);
        assert_eq!(remedy(cutensor, "libcudart.so.12"), None);
    }
}
