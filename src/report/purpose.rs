//! What a health check is asked for, and which findings fail it. Severity and cure decide, so that a check says
//! nothing about probes.

use crate::model::{Fix, Severity};

/// After the probes of Kubernetes; docs/probes.md lists what fails which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Purpose {
    /// Whether the container should be killed and made anew: fails on what that cures, and on nothing else
    Liveness,
    /// Whether the container can work: fails on all that does not work, or could not be found out
    Readiness,
    /// Whether the container has come up: fails on what fails readiness, most of it seen at a deeper --level
    Startup,
}

impl Purpose {
    pub const ALL: [Purpose; 3] = [Purpose::Liveness, Purpose::Readiness, Purpose::Startup];

    pub fn fails(self, severity: Severity, fix: Fix) -> bool {
        match self {
            Purpose::Liveness => {
                severity == Severity::Error && matches!(fix, Fix::Restart | Fix::RecreateSame)
            }
            // What is unknown is not healthy.
            Purpose::Readiness | Purpose::Startup => severity >= Severity::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which findings fail which probe, for docs/probes.md.
    #[test]
    fn the_published_table_of_probes_is_current() {
        let mut text = "<!-- Made from src/report/purpose.rs and src/checks/ by CUDACHECK_BLESS=1 cargo test. -->\n\n\
            # Which finding fails which probe\n\n\
            `cudacheck health --for liveness|readiness|startup`, and `/livez`, `/readyz`, `/startupz` of `cudacheck \
            serve`. Without `--for`, `health` fails as for readiness.\n\n\
            - **liveness** fails where killing the container and making it anew cures the matter, and nowhere else: \
            a broken node, image or launch is not cured by it, and what still works would be lost.\n\
            - **readiness** and **startup** fail on every finding that is an error or unknown. What a finding is \
            seen at decides `--level`: those of a kernel or a matrix product need `smoke` or `gemm`.\n\
            - Warnings and notes fail none: a busy, exclusive or full GPU, one of several MIG instances, throttled \
            clocks.\n\
            - Only GPUs that the container's programs would get count: those that CUDA shows by \
            CUDA_VISIBLE_DEVICES, and of them those that `--gpus` names by number, GPU-UUID or MIG-UUID. Numbers \
            count what CUDA shows. At the level nvml, where CUDA is not asked, its rules are followed: entries in \
            order, up to the first that names nothing or something named already.\n\
            - A command line that is wrong ends with 1 whatever it is for.\n\
            - A result that is too old (`serve`, `--max-age`) fails all three, and is called stale.\n\n\
            | finding | severity | cured by | liveness | readiness | startup |\n|---|---|---|---|---|---|\n"
            .to_owned();
        let grave = crate::checks::all().filter(|check| check.severity >= Severity::Unknown);
        for check in grave.filter(|check| !check.id.starts_with("predict.")) {
            let fails = Purpose::ALL.map(|purpose| match purpose.fails(check.severity, check.fix) {
                true => "fails",
                false => "",
            });
            let (severity, cure) = (format!("{:?}", check.severity), format!("{:?}", check.fix));
            text += &format!(
                "| [{0}](checks.md#{1}) | {2} | {3} | {4} |\n",
                check.id,
                check.id.replace('.', ""),
                severity.to_lowercase(),
                cure.to_lowercase(),
                fails.join(" | ")
            );
        }
        crate::generated::check("docs/probes.md", &text);
    }
}
