//! A program needs a newer version of a library.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Evidence, Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.version",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A program needs a newer version of a library",
    why: "A program or library needs a symbol version, such as GLIBC_2.38, that the library it loads does not define. It \
          fails when it is loaded: version not found.",
    remedy: "Use a base image at least as new as the one that the program was built on, or a build for an older one (for wheels, \
             the manylinux tag names the glibc)",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let mut problems: Vec<(&str, Problem)> = Vec::new();
    for gap in &facts.census.version_gaps {
        let line = Evidence::of(&gap.by, &format!(" needs {}", gap.version));
        match problems.iter_mut().find(|(provider, _)| *provider == gap.provider) {
            Some((_, problem)) => problem.evidence.push(line),
            None => {
                let cause =
                    format!("{} does not define {}, which {} needs.", gap.provider, gap.version, gap.by);
                problems.push((
                    &gap.provider,
                    Problem { evidence: vec![line], ..Problem::new(cause).at(&gap.provider) },
                ));
            }
        }
    }
    problems.into_iter().map(|(_, problem)| problem).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::Sample;
    use image_audit::census::VersionGap;

    #[test]
    fn one_finding_for_each_library() {
        let libc = "/lib/x86_64-linux-gnu/libc.so.6";
        let gap = |by: &str, version: &str| VersionGap {
            by: by.into(),
            provider: libc.into(),
            version: version.into(),
        };
        let gaps = vec![gap("/app/a.so", "GLIBC_2.38"), gap("/app/b.so", "GLIBC_2.39")];
        let found = problem(judge(&Sample::image().with(|facts| facts.census.version_gaps = gaps).facts()));
        assert_eq!(found.cause, format!("{libc} does not define GLIBC_2.38, which /app/a.so needs."));
        assert_eq!(found.path.as_deref(), Some(libc));
        assert_eq!(found.evidence[1].text, "/app/b.so needs GLIBC_2.39");
        assert_eq!(found.evidence[1].path.as_deref(), Some("/app/b.so"));
        assert!(matches!(judge(&Sample::image().facts()), Outcome::Pass));
    }
}
