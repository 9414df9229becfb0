//! A secret is stored in the image.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Evidence, Fix, Owner, Severity};
use image_audit::secrets::{Kind, Secret};

pub const CHECK: Check = Check {
    id: "leftovers.secret",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A secret is stored in the image",
    why: "Everyone who can pull the image can read it, even if a later layer deletes the file. The value is not shown.",
    remedy: "Revoke it, then pass it only while building (`RUN --mount=type=secret,id=token ...`); at run time, pass \
             it in the environment or in a mounted file",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let of_image = facts.image.iter().flat_map(|image| &image.secrets);
    let secrets: Vec<&Secret> = facts.census.secrets.iter().chain(of_image).collect();
    let Some(first) = secrets.first() else { return Outcome::Pass };
    let mut problem = Problem::new(format!("{} contains {}.", first.place, what(first.kind)));
    problem.path = is_file(first).then(|| first.place.clone());
    problem.evidence = secrets.into_iter().map(line).collect();
    Some(problem).into()
}

fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::PrivateKey => "a private key",
        Kind::CloudCredentials => "cloud credentials",
        Kind::RegistryCredentials => "registry credentials",
        Kind::Token => "a token",
        Kind::Password => "a password",
    }
}

fn is_file(secret: &Secret) -> bool {
    secret.place.starts_with('/')
}

fn line(secret: &Secret) -> Evidence {
    let what = format!(": {}", what(secret.kind));
    if is_file(secret) {
        Evidence::of(&secret.place, &what)
    } else {
        format!("{}{what}", secret.place).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::leftovers::samples::{archive, cause};

    #[test]
    fn secrets_in_files_and_variables() {
        let secret = |place: &str, kind| Secret { place: place.into(), kind };
        let mut facts = archive(&[], |image| image.secrets.push(secret("ENV HF_TOKEN", Kind::Token)));
        assert_eq!(cause(judge(&facts)).as_deref(), Some("ENV HF_TOKEN contains a token."));
        facts.census.secrets.push(secret("/root/.netrc", Kind::Password));
        let Outcome::Fail(problems) = judge(&facts) else { panic!() };
        assert_eq!(problems[0].cause, "/root/.netrc contains a password.");
        assert_eq!(problems[0].path.as_deref(), Some("/root/.netrc"));
        let evidence: Vec<_> =
            problems[0].evidence.iter().map(|line| (line.text.as_str(), line.path.as_deref())).collect();
        assert_eq!(
            evidence,
            [("/root/.netrc: a password", Some("/root/.netrc")), ("ENV HF_TOKEN: a token", None)]
        );
        assert!(matches!(judge(&Facts::default()), Outcome::Pass));
    }
}
