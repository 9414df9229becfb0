//! Finds links by which programs load a stub in place of the driver's libcuda.

use crate::checks::image::linked_stubs;
use crate::checks::shared::access::cuda_works;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.stub-linked",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A stub libcuda is linked as libcuda.so.1",
    why: "Programs load the driver as libcuda.so.1. The toolkit's stub has only the name libcuda.so, for linking; a link \
          with the driver's name in a library directory lets a program start in a build without a GPU. Where the loader \
          finds that link before the driver, every CUDA call returns error 34.",
    remedy: "Delete the link in the Dockerfile; for linking use LIBRARY_PATH",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.running && cuda_works(facts) {
        return Outcome::Pass;
    }
    let links: Vec<(&str, &str)> = linked_stubs(facts).collect();
    let Some((first, stub)) = links.first() else { return Outcome::Pass };
    let paths: Vec<&str> = links.iter().map(|(link, _)| *link).collect();
    let problem = Problem::new(format!("{first} is a link to {stub}."))
        .at(*first)
        .remedy(format!("`RUN rm {}`; for linking use LIBRARY_PATH", paths.join(" ")));
    Some(links.iter().fold(problem, |problem, (link, stub)| problem.file(link, &format!(" leads to {stub}"))))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{passes, problem};
    use crate::facts::sample::{Sample, copy};
    use image_audit::census::{Copy, Origin};

    const STUB: &str = "/usr/local/cuda-12.4/targets/x86_64-linux/lib/stubs/libcuda.so";

    fn linked(sample: Sample, links: &[&str]) -> Sample {
        let links = links.iter().map(|link| link.to_string()).collect();
        sample.copy(Copy { origin: Origin::Stub, links, ..copy("libcuda", STUB, "") })
    }

    #[test]
    fn only_the_name_of_the_driver_outside_of_stubs_counts() {
        let link = "/usr/lib/x86_64-linux-gnu/libcuda.so.1";
        let found = problem(judge(&linked(Sample::image(), &[link]).facts()));
        assert_eq!(found.cause, format!("{link} is a link to {STUB}."));
        assert_eq!(found.remedy, Some(format!("`RUN rm {link}`; for linking use LIBRARY_PATH")));
        let others = ["/usr/lib/x86_64-linux-gnu/libcuda.so", "/usr/local/cuda/lib64/stubs/libcuda.so.1"];
        assert!(passes(judge(&linked(Sample::image(), &others).facts())));
    }

    #[test]
    fn a_working_driver_was_found_first() {
        assert!(passes(judge(&linked(Sample::machine(1), &["/opt/libcuda.so.1"]).facts())));
    }
}
