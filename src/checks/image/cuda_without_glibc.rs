//! CUDA libraries are in an image without glibc.

use image_audit::census::Origin;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.cuda-without-glibc",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "CUDA libraries are in an image without glibc",
    why: "NVIDIA builds its libraries for glibc alone. On Alpine, with musl, the loader cannot load them, whatever \
          compatibility layer is installed.",
    remedy: "Use a base with glibc: FROM debian:bookworm-slim, FROM ubuntu:24.04 or gcr.io/distroless/cc",
    explains: &["library.missing", "library.version"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let census = &facts.census;
    if census.glibc {
        return Outcome::Pass;
    }
    // A directory of libraries is no root that programs run in.
    if census.distribution.is_none() && facts.image.is_none() {
        return Outcome::Skip("this is no root of a system");
    }
    let copy = census.copies.iter().find(|copy| copy.bytes > 0 && copy.origin != Origin::Injected);
    let distribution = census.distribution.as_deref().unwrap_or("the image");
    let problem = copy.map(|copy| {
        Problem::new(format!("{} is there, and {distribution} has no glibc.", copy.path))
            .evidence("there is no loader of glibc, such as /lib64/ld-linux-x86-64.so.2")
    });
    problem.into()
}
