//! Finds images whose LD_LIBRARY_PATH contains a directory with a stub libcuda.

use crate::checks::image::{linked_stubs, on_library_path};
use crate::checks::shared::access::cuda_works;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.stubs-on-path",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "LD_LIBRARY_PATH contains a CUDA stubs directory",
    why: "The toolkit's stubs/ directory is for linking on machines without a driver. On LD_LIBRARY_PATH its libcuda \
          is loaded instead of the driver's, and every call returns error 34.",
    remedy: "Remove the stubs directory from ENV LD_LIBRARY_PATH; for linking use LIBRARY_PATH",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.running && cuda_works(facts) {
        return Outcome::Pass;
    }
    match on_library_path(facts, "stubs") {
        Outcome::Pass => linked_on_path(facts).into(),
        found => found,
    }
}

/// An element that holds a link to a stub, under the name by which programs load it.
fn linked_on_path(facts: &Facts) -> Option<Problem> {
    let value = facts.census.library_path.as_ref()?;
    let on_path = |link: &str| {
        let directory = link.rsplit_once('/').map_or("", |(directory, _)| directory);
        value.split([':', ';']).any(|element| element.trim_end_matches('/') == directory)
    };
    let (link, stub) = linked_stubs(facts).find(|(link, _)| on_path(link))?;
    let cause = format!("{link} is a link to a stub, and its directory is on LD_LIBRARY_PATH.");
    Some(
        Problem::new(cause)
            .at(link)
            .file(link, &format!(" leads to {stub}"))
            .evidence(format!("LD_LIBRARY_PATH={value}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::image::tests::with_library_path;
    use crate::checks::testing::passes;
    use crate::facts::sample::{Sample, copy};
    use image_audit::census::Origin;

    const STUBS: &str = "/usr/local/cuda/lib64/stubs";

    #[test]
    fn the_directory_must_be_on_the_path() {
        let causes =
            |value: &str| judge(&with_library_path(value, &format!("{STUBS}/libcuda.so")).facts()).causes();
        assert_eq!(
            causes(&format!("/opt/lib:{STUBS}")),
            [format!("{STUBS} is on LD_LIBRARY_PATH and contains a libcuda.")]
        );
        assert!(causes("/usr/local/cuda/lib64").is_empty());
    }

    #[test]
    fn the_stub_may_have_a_link_elsewhere() {
        let stub = format!("{STUBS}/libcuda.so");
        let linked = |value: &str| {
            let link = vec!["/opt/lib/libcuda.so.1".to_owned()];
            let facts = with_library_path(value, &stub).with(|facts| {
                (facts.census.copies[0].links, facts.census.copies[0].origin) = (link, Origin::Stub);
            });
            judge(&facts.facts())
        };
        assert_eq!(
            linked("/opt/lib/:/usr/lib").causes(),
            ["/opt/lib/libcuda.so.1 is a link to a stub, and its directory is on LD_LIBRARY_PATH."]
        );
        assert!(passes(linked("/opt")));
    }

    #[test]
    fn a_working_driver_was_found_before_the_stubs() {
        let sample = Sample::machine(1).copy(copy("libcuda", &format!("{STUBS}/libcuda.so"), ""));
        let sample = sample.with(|facts| facts.census.library_path = Some(STUBS.into()));
        assert!(judge(&sample.facts()).causes().is_empty());
    }
}
