//! The image lacks a CUDA library that its program needs.

use crate::checks::code::own::named;
use crate::checks::predict::each;
use crate::checks::predict::questions::libraries;
use crate::checks::shared::lacking::Lacking;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.missing-library",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image lacks a CUDA library that its program needs",
    why: "An object with device code is linked to a library that the loader cannot find in the image. The object does \
          not load, on any machine.",
    remedy: "Install the package that contains the library, from the CUDA release that the program was built for",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Libraries, |asked| {
        let libraries::Answer::Missing(missing) = libraries::ask(asked) else { return None };
        let mut sonames: Vec<&str> = missing.iter().map(|(missing, _)| missing.soname.as_str()).collect();
        sonames.dedup();
        let name = named(asked.frameworks.first()?);
        let mut problem =
            Problem::new(format!("{name} needs {}, which the image does not have.", sonames.join(", ")))
                .at(missing.first()?.1);
        for (missing, by) in &missing {
            problem = problem.file(by, &format!(" needs {}", missing.soname));
        }
        let lacking = Lacking {
            by: missing.first()?.1,
            libraries: missing.iter().map(|(missing, _)| *missing).collect(),
        };
        let cuda = asked.runtime.map(|runtime| runtime.major);
        Some(lacking.remedied(asked.facts, &asked.frameworks.first()?.name, cuda, problem))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{TORCH, image, problem, problems};
    use image_audit::census::Missing;

    #[test]
    fn a_need_of_the_framework_fails() {
        let mut facts = image(&["sm_90"], Some("12.8.90"));
        assert!(problems(judge, facts.clone(), "gpu=H100,driver=580.65.06").is_empty());
        let (library, soname) = ("libcudart".into(), "libcudart.so.13".into());
        facts.census.missing =
            vec![Missing { library, soname, by: vec![TORCH.into()], ..Missing::default() }];
        let remedy = problems(judge, facts.clone(), "gpu=H100,driver=580.65.06").remove(0).remedy;
        assert!(remedy.is_some_and(|remedy| remedy.contains("`pip install nvidia-cuda-runtime`")));
        let (cause, evidence) = problem(judge, facts, "gpu=H100,driver=580.65.06");
        assert_eq!(cause, "torch needs libcudart.so.13, which the image does not have.");
        assert_eq!(
            evidence,
            [
                format!("{TORCH} needs libcudart.so.13"),
                "/site/nvidia/libcudart.so.12: the image uses libcudart.so.12".to_owned()
            ]
        );
    }
}
