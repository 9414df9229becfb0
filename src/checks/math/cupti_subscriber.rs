//! Another profiler holds CUPTI.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::math::each;
use crate::checks::shared::faults::phrase;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.cupti-subscriber",
    severity: Severity::Warning,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "Another profiler holds CUPTI",
    why: "The interface takes one subscriber in a process. A tool that injects itself into every CUDA program (Nsight \
          Systems, Nsight Compute, a monitoring agent) is there first, named by CUDA_INJECTION64_PATH.",
    remedy: "Unset CUDA_INJECTION64_PATH, or use one profiler at a time",
    explains: &["math.cupti-failed", "math.cupti-silent"],
    codes: &[(Family::Cupti, 39)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let tool = facts.host.environment.get("CUDA_INJECTION64_PATH");
    each(facts, |run| {
        let fault = run.fault(Stage::Cupti).filter(|fault| fault.code == Some(39))?;
        let mut problem = Problem::new(phrase(fault));
        problem.evidence.extend(tool.map(|tool| format!("CUDA_INJECTION64_PATH={tool}").into()));
        Some(problem)
    })
}
