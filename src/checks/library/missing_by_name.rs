//! A program opens a CUDA library by name that the image does not have.

use crate::checks::shared::lacking::{Lacking, by_program};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.missing-by-name",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A library that a program opens by name is missing",
    why: "A program names a library that it opens when it needs it, and the image does not have it. What needs the library \
          fails then; programs that never need it work.",
    remedy: "No action needed if the program works without it; otherwise install the package that contains it",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let absent = facts.census.missing_opened.iter().filter(|missing| missing.copies.is_empty());
    by_program(absent).iter().map(|lacking| problem(facts, lacking)).collect::<Vec<_>>().into()
}

fn problem(facts: &Facts, lacking: &Lacking) -> Problem {
    let problem = lacking.problem("opens", " by name, which the image does not have.");
    match lacking.install(facts) {
        Some(pip) => {
            problem.remedy(format!("No action needed if the program works without it; otherwise {pip}"))
        }
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::Sample;
    use image_audit::census::Missing;

    #[test]
    fn who_opens_what() {
        let missing = |library: &str, soname: &str| Missing {
            library: library.into(),
            soname: soname.into(),
            by: vec!["/site/ctranslate2.libs/libctranslate2.so".into()],
            ..Missing::default()
        };
        let facts = Sample::image().with(|facts| {
            let mut elsewhere = missing("libcudnn", "libcudnn.so.9");
            elsewhere.copies = vec!["/site/nvidia/cudnn/lib/libcudnn.so.9".into()];
            facts.census.missing_opened =
                vec![missing("libcublas", "libcublas.so.12"), elsewhere, missing("libnccl", "libnccl.so.2")];
            facts.census.missing_optional = vec![missing("libcufft", "libcufft.so.11")];
        });
        let found = problem(judge(&facts.facts()));
        assert_eq!(
            found.cause,
            "/site/ctranslate2.libs/libctranslate2.so opens libcublas.so.12 by name, which the image does not have."
        );
        assert_eq!(found.evidence[0].text, "it also opens libnccl.so.2");
    }
}
