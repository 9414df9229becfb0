//! Finds images with CUDA libraries but without glibc.

use image_audit::census::Origin;

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use image_audit::census::Distribution;

pub const CHECK: Check = Check {
    id: "image.cuda-without-glibc",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has CUDA libraries but no glibc",
    why: "NVIDIA builds its libraries only for glibc. On Alpine, the musl loader cannot load them, whatever \
          compatibility layer is installed.",
    remedy: "Use a base image with glibc: `FROM debian:bookworm-slim`, `FROM ubuntu:24.04` or `FROM \
             gcr.io/distroless/cc`",
    explains: &["library.missing", "library.version"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let census = &facts.census;
    if census.glibc {
        return Outcome::Pass;
    }
    // No program runs in a plain directory of libraries.
    if census.distribution.is_none() && facts.image.is_none() {
        return Outcome::Skip("the directory is not the root of an operating system");
    }
    let copy = census.copies.iter().find(|copy| copy.bytes > 0 && copy.origin != Origin::Injected);
    let distribution =
        census.distribution.as_ref().map_or_else(|| "the image".to_owned(), Distribution::to_string);
    let problem = copy.map(|copy| {
        Problem::new(format!("{} exists, but {distribution} has no glibc.", copy.path))
            .at(&copy.path)
            .evidence("no glibc loader, such as /lib64/ld-linux-x86-64.so.2")
    });
    problem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, copy, distribution};

    #[test]
    fn cuda_on_musl() {
        let path = "/usr/lib/python3/site-packages/nvidia/cublas/lib/libcublas.so.12";
        let outcome = |glibc, origin, name: Option<&str>| {
            let sample = Sample::image().copy(copy("libcublas", path, "12.4.5.8")).with(|facts| {
                facts.census.glibc = glibc;
                facts.census.copies[0].origin = origin;
                facts.census.distribution = name.map(distribution);
            });
            judge(&sample.facts())
        };
        let problems = outcome(false, Origin::Wheel, Some("alpine 3.20")).problems();
        assert_eq!(problems[0].cause, format!("{path} exists, but alpine 3.20 has no glibc."));
        assert_eq!(problems[0].path.as_deref(), Some(path));
        assert!(outcome(true, Origin::Wheel, Some("debian 12")).causes().is_empty());
        assert!(outcome(false, Origin::Injected, Some("alpine 3.20")).causes().is_empty());
        assert!(matches!(outcome(false, Origin::Wheel, None), Outcome::Skip(_)));
    }
}
