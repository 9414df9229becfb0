//! Faults of the image that keep any GPU from working in it.

use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::event::Event;
use crate::model::{Fix, Level, Owner, Severity, Stage};
use image_audit::census::{Copy, Origin};

pub const CHECKS: &[Check] = &[
    Check {
        id: "image.no-glibc",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "This image cannot run programs that need glibc",
        why: "NVIDIA's driver libraries and CUDA are linked to glibc. In an image without glibc's loader (Alpine, \
              distroless/static, scratch) no program can load them, and cudacheck's own probe cannot either.",
        remedy: "Use a base with glibc: FROM debian:bookworm-slim, FROM ubuntu:24.04 or gcr.io/distroless/cc",
        explains: &["launch.libcuda-missing", "probe.not-started", "probe.nothing-verified", "driver.load"],
        codes: &[],
        judge: no_glibc,
    },
    Check {
        id: "image.stub-libcuda",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "A stub is loaded in place of the driver library",
        why: "A toolkit's stubs/ directory holds a libcuda.so for linking programs where there is no driver. At run \
              time it answers every call with error 34. It is loaded when that directory is on the loader's path or \
              a link to it stands in a library directory.",
        remedy: "Take the stubs directory out of LD_LIBRARY_PATH and /etc/ld.so.conf.d (for linking use \
                 LIBRARY_PATH), then run ldconfig",
        explains: &[
            "image.stubs-on-path",
            "driver.init",
            "driver.load",
            "driver.no-devices",
            "driver.nvml",
            "probe.nothing-verified",
        ],
        codes: &[(Family::Driver, 34)],
        judge: stub_libcuda,
    },
    Check {
        id: "image.driver-mismatch",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image brings a driver of another version than the machine's kernel module",
        why: "A driver package was installed in the image, and its libraries are loaded in the place of the \
              machine's. They work with a kernel module of exactly their own version.",
        remedy: "Do not install driver packages (libcuda1, libnvidia-compute-*, nvidia-driver-*) in the Dockerfile, and \
                 remove those that are there",
        explains: &[
            "image.driver-baked-in",
            "image.compat-mismatch",
            "driver.init",
            "driver.no-devices",
            "driver.nvml",
            "driver.nvml-failed",
            "probe.nothing-verified",
        ],
        codes: &[(Family::Nvml, 18), (Family::Driver, 803)],
        judge: driver_mismatch,
    },
    Check {
        id: "image.driver-baked-in",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Driver libraries are baked into the image",
        why: "libcuda and libnvidia-ml must be those of the host's kernel module, and the container runtime brings \
              them. A copy in the image works on machines with exactly that driver and fails on all others, with \
              NVML error 18 or CUDA error 803.",
        remedy: "Do not install driver packages (libcuda1, libnvidia-compute-*, nvidia-driver-*) in the Dockerfile",
        explains: &[],
        codes: &[(Family::Nvml, 18), (Family::Driver, 803)],
        judge: driver_baked_in,
    },
    Check {
        id: "image.driver-file-empty",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "A driver library of the image is an empty file",
        why: "The container runtime mounts the driver's libraries over empty files. An image that was built or \
              committed while they were mounted keeps those files, and the loader fails on them with 'file too short'.",
        remedy: "Delete the empty files in the Dockerfile and build the image without the NVIDIA runtime",
        explains: &["driver.load", "driver.nvml", "driver.nvml-failed", "probe.nothing-verified"],
        codes: &[],
        judge: driver_file_empty,
    },
    Check {
        id: "image.damaged",
        severity: Severity::Unknown,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image archive is damaged, so that the audit knows only a part of it",
        why: "A layer ends before its end, or has another size than the manifest says. What was read is told, and \
              what is missing is not known.",
        remedy: "Save it again, and see that there is room for it: docker save IMAGE -o image.tar",
        explains: &["library.unreadable"],
        codes: &[],
        judge: damaged,
    },
    Check {
        id: "image.stubs-on-path",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "LD_LIBRARY_PATH leads to stubs",
        why: "A toolkit's stubs/ directory is for linking where there is no driver. On LD_LIBRARY_PATH its libcuda is \
              loaded in the place of the driver's, and answers every call with error 34.",
        remedy: "Take the stubs directory out of ENV LD_LIBRARY_PATH; for linking use LIBRARY_PATH",
        explains: &[],
        codes: &[],
        judge: stubs_on_path,
    },
    Check {
        id: "image.compat-on-path",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "LD_LIBRARY_PATH puts the compatibility driver in front of the machine's",
        why: "cuda-compat holds a newer libcuda for machines whose kernel module is older, on data-center GPUs alone. \
              On other GPUs, and where the machine's driver is newer, it fails with error 803 or 804. The container \
              runtime chooses it by itself where it helps.",
        remedy: "Take the compat directory out of ENV LD_LIBRARY_PATH",
        explains: &[],
        codes: &[],
        judge: compat_on_path,
    },
    Check {
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
        judge: cuda_without_glibc,
    },
];

fn no_glibc(facts: &Facts) -> Outcome {
    if !facts.request.running || facts.request.level == Level::Image {
        return Outcome::Skip("nothing was to be run");
    }
    if facts.host.glibc_loader {
        return Outcome::Pass;
    }
    let loader = crate::supervise::LOADER;
    let problem = match &facts.host.musl_loader {
        Some(musl) => Problem::new("The image is built on musl, and has no loader for glibc programs.")
            .evidence(format!("{musl} exists")),
        None => Problem::new("The image has no loader for dynamic programs at all."),
    };
    Some(problem.evidence(format!("{loader} does not exist"))).into()
}

fn stub_libcuda(facts: &Facts) -> Outcome {
    let events = facts.probes.iter().flat_map(|run| &run.events);
    let loaded = events.filter_map(|event| match event {
        Event::Library { name, asked, path, .. } if name == "libcuda" => Some((asked, path)),
        _ => None,
    });
    let code = facts.probes.iter().find_map(|run| run.fault(Stage::DriverInit)?.code);
    let stub = |(asked, path): &(&String, &String)| {
        // The real file may carry another name: a stub is known by its place, or by what it answers.
        path.contains("/stubs/") || asked.contains("/stubs/") || code == Some(34)
    };
    let found = loaded.into_iter().find(stub);
    let problem = found.map(|(_, path)| {
        let mut problem =
            Problem::new(format!("The loader takes {path} for libcuda.so.1.")).evidence(path.clone());
        if let Some(code) = code {
            problem = problem.evidence(format!("cuInit returned {code}"));
        }
        if let Some(value) = facts.host.environment.get("LD_LIBRARY_PATH") {
            problem = problem.evidence(format!("LD_LIBRARY_PATH={value}"));
        }
        problem
    });
    problem.into()
}

fn driver_copies(facts: &Facts) -> impl Iterator<Item = &Copy> {
    let driver = |copy: &&Copy| matches!(copy.library.as_str(), "libcuda" | "nvml");
    facts.census.copies.iter().filter(driver)
}

/// The image brings driver libraries of its own.
fn driver_mismatch(facts: &Facts) -> Outcome {
    if is_driver_of_image(facts) { super::node::mismatch(facts).into() } else { Outcome::Pass }
}

/// The driver library that was loaded is part of the image, and not mounted into the container.
pub fn is_driver_of_image(facts: &Facts) -> bool {
    let loaded = |event: &Event| match event {
        Event::Library { name, path, .. } if name == "libcuda" || name == "libnvidia-ml" => {
            Some(path.clone())
        }
        _ => None,
    };
    let paths: Vec<String> = facts.probes.iter().flat_map(|run| &run.events).filter_map(loaded).collect();
    let files: Vec<_> = facts.host.driver_files.iter().filter(|file| paths.contains(&file.real)).collect();
    // Outside a container the driver's libraries are at home, mounted or not.
    facts.host.platform.container.is_some() && !files.is_empty() && files.iter().all(|file| !file.mounted)
}

fn driver_baked_in(facts: &Facts) -> Outcome {
    if facts.request.running && facts.host.platform.container.is_none() {
        return Outcome::Skip("no container: the driver's libraries are at home here");
    }
    let baked = |copy: &&Copy| {
        let own = matches!(copy.origin, Origin::Package | Origin::Other | Origin::Vendored);
        // Forward-compatibility packages are meant to be in images.
        own && copy.bytes > 0 && !copy.path.contains("/compat/")
    };
    let copies: Vec<&Copy> = driver_copies(facts).filter(baked).collect();
    let Some(first) = copies.first() else { return Outcome::Pass };
    let owner =
        first.package.as_ref().map(|owner| format!(", from package {}", owner.name)).unwrap_or_default();
    let mut problem = Problem::new(format!("{} is part of the image{owner}.", first.path));
    for copy in copies {
        let version = copy.version.as_deref().unwrap_or("version unknown");
        problem = problem.evidence(format!("{} ({version}, {} bytes)", copy.path, copy.bytes));
    }
    if let Some(module) = facts.host.module.as_ref().and_then(|module| module.version.as_ref()) {
        problem = problem.evidence(format!("the kernel module is {module}"));
    }
    Some(problem).into()
}

fn driver_file_empty(facts: &Facts) -> Outcome {
    // Beside a driver that works an empty file is nobody's concern.
    if facts.request.running && super::launch::cuda_works(facts) {
        return Outcome::Pass;
    }
    let empty: Vec<&Copy> = driver_copies(facts).filter(|copy| copy.bytes == 0).collect();
    let Some(first) = empty.first() else { return Outcome::Pass };
    let mut problem = Problem::new(format!("{} has no bytes.", first.path));
    for copy in &empty {
        problem = problem.evidence(format!("{}: 0 bytes", copy.path));
    }
    let files: Vec<&str> = empty.iter().map(|copy| copy.path.as_str()).collect();
    Some(problem.remedy(format!("RUN rm {}   and build without the NVIDIA runtime", files.join(" ")))).into()
}

fn cuda_without_glibc(facts: &Facts) -> Outcome {
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

fn damaged(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip("no image archive was read") };
    let cut = image.layers.iter().position(|layer| !layer.whole);
    let problem = cut.map(|number| {
        let problem = Problem::new(format!("{} is not whole.", super::layer_name(image, number)));
        facts.census.unreadable.iter().fold(problem, |problem, line| problem.evidence(line))
    });
    problem.into()
}

/// Elements of LD_LIBRARY_PATH that hold a libcuda and whose path says what it is.
fn elements(facts: &Facts, part: &str) -> Outcome {
    let Some(value) = &facts.census.library_path else { return Outcome::Pass };
    let of_part = |element: &&str| element.split('/').any(|name| name == part);
    let holds = |element: &&str| {
        let copies = facts.census.copies.iter().filter(|copy| copy.library == "libcuda");
        let mut names = copies.flat_map(|copy| copy.links.iter().chain([&copy.path]));
        names.any(|name| name.split('/').any(|name| name == part) || name.starts_with(&format!("{element}/")))
    };
    let found = value.split([':', ';']).find(|element| of_part(element) && holds(element));
    let problem = found.map(|element| {
        Problem::new(format!("{element} is on it, and holds a libcuda."))
            .evidence(format!("LD_LIBRARY_PATH={value}"))
    });
    problem.into()
}

fn stubs_on_path(facts: &Facts) -> Outcome {
    if facts.request.running && super::launch::cuda_works(facts) {
        return Outcome::Pass;
    }
    elements(facts, "stubs")
}

fn compat_on_path(facts: &Facts) -> Outcome {
    elements(facts, "compat")
}
