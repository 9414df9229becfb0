//! Some copies of CUDA libraries are redundant.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::words::{files, size};
use crate::model::{Fix, Owner, Severity};
use image_audit::Verdict;
use image_audit::census::Copy;

pub const CHECK: Check = Check {
    id: "library.redundant",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Some copies of CUDA libraries are redundant",
    why: "Nothing loads them, because another copy of the same soname is always found first. All redundant copies can be \
          deleted together, if these assumptions hold: every ELF file in the image may be run, the environment is the \
          one that the report shows, and what programs load by name shows in read-only data, in code, in a search path, or in a \
          Python package or its metadata.",
    remedy: "Remove the package that contains them, or use a smaller base image",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let redundant: Vec<&Copy> = facts.census.copies_with(Verdict::Redundant).collect();
    if redundant.is_empty() {
        return Outcome::Pass;
    }
    let bytes: u64 = redundant.iter().map(|copy| copy.bytes).sum();
    let cause = format!("{} can be removed: {}.", files(redundant.len() as u64), size(bytes));
    let problem = redundant.iter().fold(Problem::new(cause), |problem, copy| {
        let package = copy.package.as_ref();
        let package = package.map_or(String::new(), |of| format!(" ({} {})", of.name, of.version));
        problem.file(&copy.path, &format!("{package}: {}", size(copy.bytes)))
    });
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, copy};
    use image_audit::packages::{Manager, PackageId};

    #[test]
    fn copies_with_their_packages() {
        let path = "/usr/local/cuda/lib64/libcublas.so.12";
        let with = |verdict| {
            let mut copy = copy("libcublas", path, "12.4.5.8");
            (copy.verdict, copy.bytes) = (verdict, 100_000_000);
            let (name, version) = ("libcublas-12-4".to_owned(), "12.4.5.8-1".to_owned());
            copy.package = Some(PackageId { manager: Manager::Dpkg, name, version });
            judge(&Sample::image().copy(copy).facts())
        };
        let found = problem(with(Verdict::Redundant));
        assert_eq!(found.cause, "1 file can be removed: 100 MB.");
        assert_eq!(found.evidence[0].text, format!("{path} (libcublas-12-4 12.4.5.8-1): 100 MB"));
        assert_eq!(found.evidence[0].path.as_deref(), Some(path));
        assert!(matches!(with(Verdict::Unreferenced), Outcome::Pass));
    }
}
