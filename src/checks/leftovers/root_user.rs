//! The image runs as root.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::leftovers::AT_REST;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "leftovers.root-user",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image runs as root",
    why: "A GPU needs no root: the device nodes are open to all. A fault in the program is worth less to an \
          attacker when it runs as somebody else.",
    remedy: "USER 10001   (any number but 0; the files that it writes must be its own)",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip(AT_REST) };
    let user = image.user.split(':').next().unwrap_or_default();
    let root = matches!(user, "" | "root" | "0");
    let cause = if user.is_empty() { "No USER is set.".to_owned() } else { format!("USER is {user}.") };
    root.then(|| Problem::new(cause)).into()
}
