//! The image runs as root.

use crate::checks::leftovers::NO_ARCHIVE;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "leftovers.root-user",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image runs as root",
    why: "GPUs do not need root: every user can open their device nodes. A program that does not run as root gives an \
          attacker less.",
    remedy: "In the Dockerfile: `USER 10001` (any UID but 0; it must own the files that it writes)",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip(NO_ARCHIVE) };
    let user = image.user.split(':').next().unwrap_or_default();
    let root = matches!(user, "" | "root" | "0");
    let cause = if user.is_empty() { "USER is not set.".to_owned() } else { format!("USER is {user}.") };
    root.then(|| Problem::new(cause)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::leftovers::samples::{archive, cause};

    #[test]
    fn users_by_name_and_number() {
        let judged = |user: &str| cause(judge(&archive(&[], |image| image.user = user.into())));
        assert_eq!(judged("").as_deref(), Some("USER is not set."));
        assert_eq!(judged("0:0").as_deref(), Some("USER is 0."));
        assert_eq!(judged("root").as_deref(), Some("USER is root."));
        assert_eq!(judged("10001:0"), None);
        assert_eq!(judged("app"), None);
    }
}
