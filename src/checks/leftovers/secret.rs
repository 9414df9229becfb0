//! The image holds a secret.

use image_audit::secrets;
use image_audit::secrets::Secret;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "leftovers.secret",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image holds a secret",
    why: "Whoever can pull the image can read it, also where a later layer deletes the file. The value is not shown.",
    remedy: "Revoke it, then pass it while building only: RUN --mount=type=secret,id=token ... ; at run time by the \
             environment or a mounted file",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let of_image = facts.image.iter().flat_map(|image| &image.secrets);
    let what = |kind| match kind {
        secrets::Kind::PrivateKey => "a private key",
        secrets::Kind::CloudCredentials => "credentials of a cloud",
        secrets::Kind::RegistryCredentials => "credentials of a registry",
        secrets::Kind::Token => "a token",
        secrets::Kind::Password => "a password",
    };
    let line = |secret: &Secret| format!("{}: {}", secret.place, what(secret.kind));
    let mut lines = facts.census.secrets.iter().chain(of_image).map(line);
    let Some(first) = lines.next() else { return Outcome::Pass };
    let (place, kind) = first.split_once(": ").unwrap_or((&first, "a secret"));
    let problem = Problem::new(format!("{place} holds {kind}.")).evidence(&first);
    Some(lines.fold(problem, Problem::evidence)).into()
}
