//! Finds images whose loader cache lacks the driver's libraries.

use crate::checks::shared::loading::{Directory, LOAD_CONSEQUENCES, not_searched};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.no-ld-cache",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Driver libraries are missing from /etc/ld.so.cache",
    why: "The loader finds mounted libraries through its cache, which the NVIDIA Container Toolkit updates with the \
          image's ldconfig. With images that have no ldconfig (distroless, busybox), and with old toolkits, it does \
          not.",
    remedy: "Upgrade the NVIDIA Container Toolkit on the host, or name the directory of libcuda.so.1 in the \
             Dockerfile: `ENV LD_LIBRARY_PATH=DIRECTORY`",
    explains: LOAD_CONSEQUENCES,
    codes: &[(Library::Runtime, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    not_searched(facts, Directory::System)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::shared::loading::tests::{CANNOT_OPEN, with_libcuda_at};

    #[test]
    fn a_system_directory_is_searched_through_the_cache() {
        let causes = |path| judge(&with_libcuda_at(path, CANNOT_OPEN)).causes();
        assert_eq!(
            causes("/usr/lib/x86_64-linux-gnu/libcuda.so.1"),
            [
                "/usr/lib/x86_64-linux-gnu/libcuda.so.1 exists, but the loader does not search /usr/lib/x86_64-linux-gnu."
            ]
        );
        assert!(causes("/usr/local/nvidia/lib64/libcuda.so.1").is_empty());
    }
}
