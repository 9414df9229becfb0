//! Finds images that contain driver libraries.

use image_audit::census::{Copy, Origin};

use crate::checks::image::driver_copies;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.driver-baked-in",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Driver libraries are baked into the image",
    why: "libcuda and libnvidia-ml must match the host's kernel module, and the container runtime mounts them. A copy \
          in the image works only on machines with exactly that driver and fails on all others, with NVML error 18 or \
          CUDA error 803.",
    remedy: "Do not install driver packages (libcuda1, libnvidia-compute-*, nvidia-driver-*) in the Dockerfile",
    explains: &[],
    codes: &[(Library::Nvml, 18), (Library::Driver, 803)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.running && facts.host.platform.container.is_none() {
        return Outcome::Skip("not in a container: the driver's libraries belong to this machine");
    }
    let baked = |copy: &&Copy| {
        let own = matches!(copy.origin, Origin::Package | Origin::Other | Origin::Vendored);
        // Forward-compatibility packages are meant to be in images.
        own && copy.bytes > 0 && !copy.path.contains("/compat/")
    };
    let copies: Vec<&Copy> = driver_copies(facts).filter(baked).collect();
    let Some(first) = copies.first() else { return Outcome::Pass };
    let package = first.package.as_ref().map(|package| format!(", from package {}", package.name));
    let stub = if is_stub(first) { ", a stub for linking" } else { "" };
    let cause = format!("{} is part of the image{}{stub}.", first.path, package.unwrap_or_default());
    let mut problem = copies.iter().fold(Problem::new(cause).at(&first.path), |problem, copy| {
        let version = copy.version.as_deref().unwrap_or("version unknown");
        problem.file(&copy.path, &format!(" ({version}, {} bytes)", copy.bytes))
    });
    problem.remedy = remedy(&copies);
    if let Some(module) = facts.host.module.as_ref().and_then(|module| module.version.as_ref()) {
        problem = problem.evidence(format!("kernel module {module}"));
    }
    Some(problem).into()
}

/// A wheel that was repaired on a machine without a driver has the stub that it was linked to, under another name. No
/// driver has libraries as small as that.
fn is_stub(copy: &Copy) -> bool {
    copy.origin == Origin::Vendored && copy.bytes < 500_000
}

/// For what no package of a distribution has brought.
fn remedy(copies: &[&Copy]) -> Option<String> {
    let first = copies[0];
    match (first.origin, &first.package) {
        (Origin::Vendored, Some(package)) => Some(format!(
            "Install another build of {}: a wheel must not contain the driver's libraries (`auditwheel repair --exclude \
             libcuda.so.1`)",
            package.name
        )),
        (Origin::Package, _) => None,
        _ => {
            let paths: Vec<&str> = copies.iter().map(|copy| copy.path.as_str()).collect();
            Some(format!(
                "Do not copy a driver or run its installer in the Dockerfile; `RUN rm {}` removes it",
                paths.join(" ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, copy};
    use image_audit::packages::{Manager, PackageId};

    const LIBCUDA: &str = "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15";

    fn with(library: &str, path: &str, origin: Origin) -> Sample {
        let copy = Copy { origin, ..copy(library, path, "550.54.15") };
        Sample::image().copy(copy)
    }

    #[test]
    fn drivers_of_packages_and_drivers_that_were_mounted() {
        let problems = judge(&with("libcuda", LIBCUDA, Origin::Package).facts()).problems();
        assert_eq!(problems[0].cause, format!("{LIBCUDA} is part of the image."));
        assert_eq!(problems[0].path.as_deref(), Some(LIBCUDA));
        assert_eq!(problems[0].evidence[0].text, format!("{LIBCUDA} (550.54.15, 1000000 bytes)"));
        for (library, path, origin) in [
            ("libcuda", LIBCUDA, Origin::Injected),
            ("libcuda", "/usr/local/cuda/lib64/stubs/libcuda.so", Origin::Stub),
            ("libcuda", "/usr/local/cuda-12.6/compat/libcuda.so.560.35.05", Origin::Package),
            ("libcublas", "/usr/lib/libcublas.so.12", Origin::Package),
        ] {
            assert!(judge(&with(library, path, origin).facts()).causes().is_empty(), "{path}");
        }
    }

    #[test]
    fn the_remedy_is_for_whoever_brought_it() {
        let path = "/site-packages/app.libs/libcuda-0ab3ce41.so.1.1";
        let brought = |origin, manager: Option<Manager>, bytes| {
            let owner = |manager| PackageId { manager, name: "app".into(), version: "1.0".into() };
            let copy = Copy { origin, bytes, package: manager.map(owner), ..copy("libcuda", path, "") };
            let problem = problem(judge(&Sample::image().copy(copy).facts()));
            (problem.cause, problem.remedy.unwrap_or_default())
        };
        let (cause, remedy) = brought(Origin::Vendored, Some(Manager::Pip), 62_000);
        assert_eq!(cause, format!("{path} is part of the image, from package app, a stub for linking."));
        assert!(remedy.starts_with("Install another build of app: "), "{remedy}");
        let (cause, _) = brought(Origin::Vendored, Some(Manager::Pip), 30_000_000);
        assert_eq!(cause, format!("{path} is part of the image, from package app."));
        let (_, remedy) = brought(Origin::Other, None, 30_000_000);
        assert_eq!(
            remedy,
            format!(
                "Do not copy a driver or run its installer in the Dockerfile; `RUN rm {path}` removes it"
            )
        );
        let (_, remedy) = brought(Origin::Package, Some(Manager::Dpkg), 30_000_000);
        assert_eq!(remedy, "", "that of the check");
    }

    #[test]
    fn outside_a_container_the_driver_is_at_home() {
        let running = |container: Option<&str>| {
            let sample = with("libcuda", LIBCUDA, Origin::Package).with(|facts| facts.request.running = true);
            judge(&sample.host(|host| host.platform.container = container.map(str::to_owned)).facts())
        };
        assert!(matches!(running(None), Outcome::Skip(_)));
        assert_eq!(running(Some("docker")).causes().len(), 1);
    }
}
