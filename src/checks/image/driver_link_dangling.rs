//! Finds links of a driver that was mounted while the image was built.

use crate::checks::shared::access::cuda_works;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.driver-link-dangling",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Links to a driver's libraries lead to nothing",
    why: "The container runtime mounts the driver's libraries and makes links such as libcuda.so.1. An image that was built \
          or committed meanwhile keeps the links of that driver. On a machine with another driver they lead to \
          nothing, and hide the driver where the runtime does not replace them: 'cannot open shared object file'.",
    remedy: "Delete the links in the Dockerfile and build the image without the NVIDIA runtime",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.running && cuda_works(facts) {
        return Outcome::Pass;
    }
    if !facts.census.is_whole() {
        return Outcome::Skip("not all directories were read");
    }
    let links = &facts.census.dangling_driver_links;
    let Some(first) = links.first() else { return Outcome::Pass };
    let paths: Vec<&str> = links.iter().map(|link| link.path.as_str()).collect();
    let problem = Problem::new(format!("{} leads to {}, which does not exist.", first.path, first.target))
        .at(&first.path)
        .remedy(format!("`RUN rm {}`, and build without the NVIDIA runtime", paths.join(" ")));
    let lines = links.iter();
    Some(lines.fold(problem, |problem, link| problem.file(&link.path, &format!(" leads to {}", link.target))))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{lines, passes, problem, skips};
    use crate::facts::sample::Sample;
    use image_audit::census::Coverage;
    use image_audit::census::DanglingLink;

    fn with_links(sample: Sample) -> Sample {
        let link = |name: &str, target: &str| DanglingLink {
            path: format!("/usr/lib/{name}"),
            target: format!("/usr/lib/{target}"),
        };
        let links = vec![
            link("libcuda.so.1", "libcuda.so.550.54.14"),
            link("libnvidia-ml.so.1", "libnvidia-ml.so.550.54.14"),
        ];
        sample.with(|facts| facts.census.dangling_driver_links = links)
    }

    #[test]
    fn one_finding_names_all_links() {
        let found = problem(judge(&with_links(Sample::image()).facts()));
        let libcuda = "/usr/lib/libcuda.so.1 leads to /usr/lib/libcuda.so.550.54.14";
        assert_eq!(found.cause, format!("{libcuda}, which does not exist."));
        let nvml = "/usr/lib/libnvidia-ml.so.1 leads to /usr/lib/libnvidia-ml.so.550.54.14";
        assert_eq!(lines(&found), [libcuda, nvml]);
        let remedy = found.remedy.unwrap_or_default();
        assert!(remedy.starts_with("`RUN rm /usr/lib/libcuda.so.1 /usr/lib/libnvidia-ml.so.1`"), "{remedy}");
        assert!(passes(judge(&Sample::image().facts())));
    }

    #[test]
    fn a_working_driver_is_not_hidden() {
        assert!(passes(judge(&with_links(Sample::machine(1)).facts())));
    }

    #[test]
    fn what_was_not_read_may_exist() {
        let partial = with_links(Sample::image()).with(|facts| facts.census.coverage = Coverage::Interrupted);
        assert!(skips(judge(&partial.facts())));
    }
}
