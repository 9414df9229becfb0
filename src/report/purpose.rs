//! What a health check is for, and which findings fail it. Severity and fix decide, so checks need not know about
//! Kubernetes probes.

use crate::model::{Fix, Severity};

/// Named after the probes of Kubernetes; docs/probes.md lists which finding fails which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Purpose {
    /// Should the container be killed and recreated? Fails only on what that fixes
    Liveness,
    /// Can the container work? Fails on errors and on what could not be determined
    Readiness,
    /// Has the container started? Fails like readiness, usually at a deeper --level
    Startup,
}

impl Purpose {
    pub const ALL: [Purpose; 3] = [Purpose::Liveness, Purpose::Readiness, Purpose::Startup];

    pub fn fails(self, severity: Severity, fix: Fix) -> bool {
        match self {
            Purpose::Liveness => {
                severity == Severity::Error && matches!(fix, Fix::Restart | Fix::RecreateSame)
            }
            Purpose::Readiness | Purpose::Startup => severity >= Severity::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn liveness_fails_only_on_what_a_restart_fixes() {
        for (severity, fix, fails) in [
            (Severity::Error, Fix::Restart, [true, true, true]),
            (Severity::Error, Fix::RecreateSame, [true, true, true]),
            (Severity::Error, Fix::Recreate, [false, true, true]),
            (Severity::Error, Fix::Host, [false, true, true]),
            (Severity::Unknown, Fix::Restart, [false, true, true]),
            (Severity::Warning, Fix::Restart, [false, false, false]),
        ] {
            assert_eq!(Purpose::ALL.map(|purpose| purpose.fails(severity, fix)), fails, "{severity} {fix}");
        }
    }
}
