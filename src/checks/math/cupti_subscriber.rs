//! Another profiler already uses CUPTI.

use crate::checks::math::each;
use crate::checks::shared::faults::phrase;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.cupti-subscriber",
    severity: Severity::Warning,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "Another profiler already uses CUPTI",
    why: "CUPTI accepts one subscriber per process. A tool that is injected into every CUDA program by CUDA_INJECTION64_PATH \
          (Nsight Systems, Nsight Compute, a monitoring agent) subscribes first.",
    remedy: "Unset CUDA_INJECTION64_PATH, or use one profiler at a time",
    explains: &["math.cupti-failed", "math.cupti-silent"],
    codes: &[(Library::Cupti, 39)],
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::Api;
    use crate::facts::sample::{Sample, of_api};

    #[test]
    fn an_injected_tool_subscribed_first() {
        let sample = |code| {
            let fault = of_api(Api::Cupti, "cuptiActivityEnable", code);
            Sample::machine(1)
                .fault(Some(0), Stage::Cupti, fault)
                .env("CUDA_INJECTION64_PATH", "/opt/nsight.so")
        };
        let found = problem(judge(&sample(39).facts()));
        assert!(
            found.cause.starts_with("GPU 0 (NVIDIA H100 80GB HBM3): cuptiActivityEnable returned 39 ("),
            "{}",
            found.cause
        );
        assert_eq!(found.evidence[0].text, "CUDA_INJECTION64_PATH=/opt/nsight.so");
        assert!(matches!(judge(&sample(1).facts()), Outcome::Pass), "math.cupti-failed reports it");
    }
}
