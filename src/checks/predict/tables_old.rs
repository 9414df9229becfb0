//! The tables that predictions rest on are old.

use jiff::civil::Date;

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::target_machine::known;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.tables-old",
    severity: Severity::Note,
    owner: Owner::Nobody,
    fix: Fix::Update,
    title: "The tables that predictions rest on are old",
    why: "Predictions and their remedies rest on tables of drivers, PTX versions, GPUs, builds of PyTorch and NVIDIA's \
          wheels that are part of cudacheck. NVIDIA publishes a new driver branch and a new CUDA about every three \
          months. What is newer than the tables is unknown in a prediction; what they contain stays true. The finding \
          follows 90 days after the tables were last compared with what is published.",
    remedy: "Update cudacheck, or compare the prediction with the release notes of the driver",
    explains: &[],
    codes: &[],
    judge,
};

/// Days after which a CUDA release is likely to be missing.
const DAYS: i32 = 90;

fn judge(facts: &Facts) -> Outcome {
    if facts.request.machines.is_empty() {
        return Outcome::Skip("no machine was described with --on");
    }
    // The day is part of the facts, so that saved facts are judged as on the day on which they were saved.
    match facts.request.today {
        Some(today) => old(known::checked(), today).into(),
        None => Outcome::Skip("the facts have no date"),
    }
}

fn old(checked: Date, today: Date) -> Option<Problem> {
    let days = (today - checked).get_days();
    (days > DAYS).then(|| {
        Problem::new(format!(
            "The tables that predictions rest on were last checked on {checked}, {days} days ago."
        ))
    })
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;
    use crate::checks::predict::samples::{described, image, problems};

    fn causes_after(days: i32) -> Vec<String> {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        facts.request.today = Some(known::checked() + days.days());
        let found = problems(judge, facts, "gpu=H100,driver=550.54.15");
        found.into_iter().map(|problem| problem.cause).collect()
    }

    #[test]
    fn old_after_ninety_days() {
        assert!(causes_after(90).is_empty());
        let causes = causes_after(91);
        assert_eq!(causes.len(), 1);
        assert!(causes[0].ends_with(", 91 days ago."), "{causes:?}");
        // The clock of the machine may be wrong.
        assert!(causes_after(-400).is_empty());
    }

    #[test]
    fn age_alone_changes_no_verdict() {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        facts.request.machines.push(described("gpu=H100,driver=550.54.15"));
        facts.request.today = Some(known::checked() + 1000.days());
        let report = crate::report::assemble(&facts, crate::checks::judge(&facts), 0.0);
        assert_eq!(report.predictions[0].verdict, crate::report::Foretold::Works);
        assert_eq!(report.verdict, crate::report::Verdict::Audited);
        assert_eq!(report.tables_checked, Some(known::checked().to_string()));
        let found = report.findings.iter().find(|finding| finding.id == CHECK.id).unwrap();
        assert_eq!((found.severity, &found.machine), (Severity::Note, &None));
    }

    #[test]
    fn facts_without_a_date_are_not_judged() {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        facts.request.machines.push(described("gpu=H100,driver=550.54.15"));
        assert!(matches!(judge(&facts), Outcome::Skip("the facts have no date")));
    }
}
