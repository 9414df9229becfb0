//! The loader does not find a CUDA library that the image has.

use crate::checks::shared::lacking::{Lacking, builtins, by_program};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::census::Missing;

pub const CHECK: Check = Check {
    id: "library.not-found",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The loader does not find a CUDA library that the image has",
    why: "A program is linked to a library, or opens it by name, and the image has it in a directory where the loader does \
          not look for that program. NVIDIA's wheels are in such directories: a program finds them by its own search path, \
          or because Python has loaded them before.",
    remedy: "Add the directory of the library to LD_LIBRARY_PATH, or load the library before",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let census = &facts.census;
    let there = |missing: &&Missing| !missing.copies.is_empty();
    let linked =
        by_program(census.missing.iter().filter(there)).into_iter().map(|lacking| ("needs", lacking));
    let opened = by_program(census.missing_opened.iter().chain(builtins(facts)).filter(there))
        .into_iter()
        .map(|lacking| ("opens", lacking));
    linked.chain(opened).map(|(verb, lacking)| problem(facts, verb, &lacking)).collect::<Vec<_>>().into()
}

fn problem(facts: &Facts, verb: &str, lacking: &Lacking) -> Problem {
    let call = lacking.libraries.iter().find_map(|missing| missing.on_request.as_ref());
    let rest = match call {
        Some(call) => format!(" and finds it only after the program has called {call}."),
        None => " and does not find it.".to_owned(),
    };
    let problem = lacking.problem(verb, &rest);
    let copies =
        lacking.libraries.iter().flat_map(|missing| missing.copies.first().map(|copy| (missing, copy)));
    let problem = copies.fold(problem, |problem, (missing, copy)| {
        problem.file(copy, &format!(": {}, where the loader does not look", missing.soname))
    });
    let path = lacking.library_path(facts);
    problem.remedy(match call {
        Some(call) => format!("Call `{call}` before the first use, or set {path}"),
        None => format!("Set {path}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::Sample;

    fn missing(soname: &str, copies: &[&str]) -> Missing {
        Missing {
            library: "libcublas".into(),
            soname: soname.into(),
            by: vec!["/site/app/_core.so".into()],
            copies: copies.iter().map(|path| path.to_string()).collect(),
            ..Missing::default()
        }
    }

    #[test]
    fn where_it_is_and_how_to_find_it() {
        let copies = ["/site/nvidia/cublas/lib/libcublas.so.12"];
        let facts = Sample::image().with(|facts| {
            facts.census.missing_opened =
                vec![missing("libcublas.so.12", &copies), missing("libnccl.so.2", &[])];
        });
        let found = problem(judge(&facts.facts()));
        assert_eq!(found.cause, "/site/app/_core.so opens libcublas.so.12 and does not find it.");
        assert_eq!(found.remedy.as_deref(), Some("Set `ENV LD_LIBRARY_PATH=/site/nvidia/cublas/lib`"));
        assert_eq!(found.evidence[0].path.as_deref(), Some(copies[0]));
    }

    #[test]
    fn a_call_that_loads_it_is_the_remedy() {
        let facts = Sample::image().with(|facts| {
            let mut needed = missing("libcublas.so.12", &["/site/nvidia/cublas/lib/libcublas.so.12"]);
            needed.on_request = Some("onnxruntime.preload_dlls()".into());
            facts.census.missing = vec![needed];
        });
        let found = problem(judge(&facts.facts()));
        assert!(
            found.cause.ends_with("only after the program has called onnxruntime.preload_dlls()."),
            "{}",
            found.cause
        );
        assert!(found.remedy.as_deref().unwrap().starts_with("Call `onnxruntime.preload_dlls()` before"));
    }

    #[test]
    fn of_optional_names_only_nvrtc_counts() {
        let with = |soname: &str, copies: &[&str]| {
            judge(
                &Sample::image()
                    .with(|facts| facts.census.missing_optional = vec![missing(soname, copies)])
                    .facts(),
            )
        };
        assert!(matches!(
            with("libnvrtc-builtins.so.12.4", &["/x/libnvrtc-builtins.so.12.4"]),
            Outcome::Fail(_)
        ));
        assert!(matches!(with("libnvrtc-builtins.so.12.4", &[]), Outcome::Pass));
        assert!(matches!(with("libnvrtc.alt.so.12", &["/x/libnvrtc.alt.so.12"]), Outcome::Pass));
    }
}
