//! A part of a package has no code for the machine's GPU.

use crate::checks::predict::each;
use crate::checks::predict::questions::code;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.part-without-code",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Part of a package has no code for the machine's GPU",
    why: "Most of the package's device code runs on the GPU, but some of its libraries have none for it. They are often \
          variants for other GPUs that the package does not load here, such as FlashAttention 3 for sm_90.",
    remedy: "No action needed, unless the program uses such a part: then it fails with error 209, and needs a build with \
             code for this GPU",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Code, |asked| {
        let code::Answer::Compiled { code, lacking, .. } = code::ask(asked) else { return None };
        let gpu = asked.machine.gpu;
        let first = lacking.first()?;
        // Modules of one package are often named alike: flash_attn_3/_C.so.
        let name = first.rsplitn(3, '/').nth(2).map_or(*first, |parents| &first[parents.len() + 1..]);
        let also = match lacking.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let rest = format!("has no code for sm_{gpu} in {name}{also}.");
        Some(code.problem_about(&rest, &lacking))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{code, image, problem, problems};
    use image_audit::census::CodeObject;

    #[test]
    fn a_library_for_other_gpus() {
        let mut facts = image(&["sm_80", "sm_90"], Some("12.8.90"));
        let path = "/site/torch/lib/_flash3.so".to_owned();
        facts.census.frameworks[0].objects.push(CodeObject { path, device_code: code(&["sm_90"]) });
        let (cause, evidence) = problem(judge, facts.clone(), "gpu=A100,driver=580.65.06");
        assert_eq!(cause, "torch has no code for sm_80 in lib/_flash3.so.");
        assert_eq!(evidence, ["/site/torch/lib/_flash3.so: sm_90"]);
        assert!(problems(judge, facts, "gpu=H100,driver=580.65.06").is_empty());
    }
}
