//! The image does not show whether it works on this machine.

use crate::checks::code::needs;
use crate::checks::code::own::named;
use crate::checks::predict::on_machines;
use crate::checks::predict::questions::asked::Asked;
use crate::checks::predict::questions::code::Ptx;
use crate::checks::predict::questions::{code, cuda, libraries};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::target_machine::known;
use crate::model::{Fix, Owner, Question, Severity};
use image_audit::census::Copy;

pub const CHECK: Check = Check {
    id: "predict.image-unknown",
    severity: Severity::Unknown,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image does not show whether it works here",
    why: "A prediction rests on device code and on the CUDA libraries that a program loads. A program that compiles its \
          kernels at run time (CuPy, Numba, Triton, JAX) has little or no code, and one with a static runtime loads no \
          libcudart. Nothing is concluded from NVIDIA's libraries beside them, which have code for all GPUs.",
    remedy: "Run `cudacheck` and a short job of the program on such a machine: describing it in more detail does not help",
    explains: &[],
    codes: &[],
    judge,
};

/// Libraries and programs that compile kernels at run time.
const COMPILERS: [&str; 3] = ["libnvrtc", "libnvvm", "libnvJitLink"];

fn judge(facts: &Facts) -> Outcome {
    on_machines(facts, &[(Question::Code, code), (Question::Cuda, cuda), (Question::Libraries, needed)])
}

fn code(asked: &Asked) -> Option<Problem> {
    let gpu = asked.machine.gpu;
    match code::ask(asked) {
        code::Answer::NotRead => Some(
            Problem::new("The device code was not read: that needs the full level (--level full).")
                .remedy("Audit the image at the full level: `cudacheck image --level full ...`"),
        ),
        code::Answer::NotFound => {
            let problem = Problem::new(
                "No program in the image has device code of its own; it may generate it at run time.",
            );
            Some(compilers(asked.facts).fold(problem, |problem, (copy, version)| {
                problem.file(&copy.path, &format!(": compiles kernels, version {version}"))
            }))
        }
        code::Answer::OnlyLto { code } => {
            Some(code.problem("has only LTO-IR, which is linked and compiled at run time."))
        }
        // A version that is newer than cudacheck, or none and no runtime.
        code::Answer::Ptx(ptx @ Ptx { compiles: None, .. }) if !of_machine(&ptx) => {
            let rest = format!("has only PTX for sm_{gpu}; it is unknown whether this driver compiles it.");
            Some(ptx.problem(asked, &rest))
        }
        _ => None,
    }
}

/// Whether the driver is what is not known about PTX.
pub fn of_machine(ptx: &Ptx) -> bool {
    ptx.version.is_some_and(|version| known::cuda_of_ptx(version).is_some())
}

/// The compilers in the image, with their versions.
fn compilers(facts: &Facts) -> impl Iterator<Item = (&Copy, &str)> {
    let compiler =
        |copy: &&Copy| COMPILERS.contains(&copy.library.as_str()) && !copy.path.contains("builtins");
    let found = facts.census.copies.iter().filter(compiler);
    found.map(|copy| (copy, copy.version.as_deref().unwrap_or("unknown")))
}

fn cuda(asked: &Asked) -> Option<Problem> {
    let cuda::Answer::NoRuntime { least, .. } = cuda::ask(asked) else { return None };
    let Some(framework) = asked.frameworks.first() else {
        return Some(Problem::new(
            "The image has no libcudart that shows its CUDA version; programs may link it statically.",
        ));
    };
    let name = named(framework);
    let problem = Problem::new(format!(
        "It is unknown which CUDA {name} was built with: it loads no libcudart (static runtime)."
    ));
    let problem = framework.objects.iter().take(1).fold(problem, |problem, object| problem.at(&object.path));
    Some(least.into_iter().fold(problem, |problem, least| {
        problem.evidence(format!("{}, so it was built with that or a newer one", least.evidence().text))
    }))
}

fn needed(asked: &Asked) -> Option<Problem> {
    let libraries::Answer::Elsewhere(missing) = libraries::ask(asked) else { return None };
    let name = named(asked.frameworks.first()?);
    let sonames: Vec<&str> = missing.iter().map(|(missing, _)| missing.soname.as_str()).collect();
    let mut problem = Problem::new(format!(
        "The loader does not find {} for {name}; it is unknown whether the program loads a copy first.",
        sonames.join(", ")
    ));
    for (missing, by) in missing {
        problem = problem.file(by, &format!(" needs {}", missing.soname));
        let copies = needs::copies(asked.facts);
        for copy in copies.filter(|copy| copy.soname.as_ref() == Some(&missing.soname)) {
            problem = problem.file(&copy.path, " has this soname");
        }
    }
    Some(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{TORCH, image, problem, problems};
    use crate::facts::sample::copy;
    use image_audit::census::Missing;

    const H100: &str = "gpu=H100,driver=550.54.15";

    #[test]
    fn device_code_that_was_not_read_or_not_found_is_unknown() {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        facts.census.full = false;
        assert!(problem(judge, facts, H100).0.starts_with("The device code was not read"));
        let mut facts = image(&[], Some("12.4.127"));
        facts.census.copies.push(copy("libnvrtc", "/site/nvidia/libnvrtc.so.12", "12.4.127"));
        let (cause, evidence) = problem(judge, facts, H100);
        assert!(cause.starts_with("No program in the image has device code"), "{cause}");
        assert_eq!(evidence, ["/site/nvidia/libnvrtc.so.12: compiles kernels, version 12.4.127"]);
    }

    #[test]
    fn code_of_nvidias_libraries_shows_nothing() {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        facts.census.frameworks.clear();
        assert_eq!(problems(judge, facts, H100).len(), 1);
    }

    #[test]
    fn a_static_runtime_is_unknown() {
        let (cause, evidence) = problem(judge, image(&["sm_90", "compute_90/8.3"], None), H100);
        assert_eq!(
            cause,
            "It is unknown which CUDA torch was built with: it loads no libcudart (static runtime)."
        );
        assert_eq!(
            evidence,
            ["the newest PTX has version 8.3, of CUDA 12.3, so it was built with that or a newer one"]
        );
    }

    #[test]
    fn a_copy_that_the_loader_does_not_find_may_be_loaded_first() {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        let missing = |soname: &str| Missing {
            library: "libcublas".into(),
            soname: soname.into(),
            by: vec![TORCH.into()],
            ..Missing::default()
        };
        facts.census.missing = vec![missing("libcublas.so.12")];
        facts.census.copies.push(copy("libcublas", "/site/nvidia/libcublas.so.12", "12.4.5.8"));
        let (cause, evidence) = problem(judge, facts.clone(), H100);
        assert_eq!(
            cause,
            "The loader does not find libcublas.so.12 for torch; it is unknown whether the program loads a copy first."
        );
        assert_eq!(evidence[1], "/site/nvidia/libcublas.so.12 has this soname");
        facts.census.missing.push(missing("libcublas.so.13"));
        assert!(problems(judge, facts, H100).is_empty(), "it lacks another one: predict.missing-library");
    }

    #[test]
    fn lto_alone_is_unknown() {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        let code = &mut facts.census.frameworks[0].objects[0].device_code[0];
        code.kind = image_audit::fatbin::CodeKind::Lto;
        assert_eq!(
            problem(judge, facts, H100).0,
            "torch has only LTO-IR, which is linked and compiled at run time."
        );
    }

    #[test]
    fn what_is_known_is_no_problem() {
        assert!(problems(judge, image(&["sm_90"], Some("12.4.127")), H100).is_empty());
    }
}
