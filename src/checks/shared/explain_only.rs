//! Checks that cannot be performed inside a container: they exist for `cudacheck explain` and docs/checks.md.

use crate::checks::Outcome;
use crate::facts::Facts;

const REASON: &str = "this cannot be detected from inside a container";

pub fn unseen(_: &Facts) -> Outcome {
    Outcome::Skip(REASON)
}

#[cfg(test)]
mod tests {
    use super::REASON;
    use crate::checks::{self, Check, Outcome};
    use crate::facts::sample::Sample;

    #[test]
    fn they_are_skipped_whatever_the_facts_and_explain_nothing() {
        let images_and_machines = [Sample::image().facts(), Sample::machine(2).facts(), Default::default()];
        let unseen = |check: &&Check| {
            images_and_machines.iter().all(|facts| matches!((check.judge)(facts), Outcome::Skip(REASON)))
        };
        let ids: Vec<&str> = checks::all().filter(unseen).map(|check| check.id).collect();
        for known in ["launch.start-refused", "launch.imex", "application.context-dead", "node.xid"] {
            assert!(ids.contains(&known), "{known} is not among {ids:?}");
        }
        for check in checks::all().filter(unseen) {
            // Folding happens under findings, and these never have one.
            assert!(check.explains.is_empty(), "{} explains others", check.id);
            let explainer = checks::all().find(|other| other.explains.contains(&check.id));
            assert!(explainer.is_none(), "{} is explained by another check", check.id);
        }
    }
}
