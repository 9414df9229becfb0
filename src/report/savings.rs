//! What can be removed from an image: the sum, and the Dockerfile changes that save most.
//!
//! *Proven* is safe to remove under the assumptions of the report: redundant copies, caches, and bytes that later
//! layers hide. *Review* needs a decision: copies without a known user, build tools, wheels and installers.

use serde::Serialize;

use crate::facts::Facts;
use crate::facts::leftovers::{WORTH_A_LINE, layer_name, of_groups};
use crate::model::words::files;
use image_audit::Verdict;
use image_audit::census::{Census, Copy, Why};
use image_audit::config::{Hidden, Image};
use image_audit::leftovers::{Group, Kind};
use image_audit::packages::Manager;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Savings {
    /// Bytes of all files, including those that later layers hide.
    pub bytes: u64,
    pub proven: u64,
    pub review: u64,
    /// Largest first.
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    pub what: String,
    pub bytes: u64,
    /// Safe under the assumptions of the report: nothing that runs changes.
    pub proven: bool,
    /// For the Dockerfile.
    pub line: String,
    /// Where the line goes.
    pub note: String,
}

pub fn savings(facts: &Facts) -> Savings {
    let census = &facts.census;
    let mut changes: Vec<Change> = Vec::new();
    let kept = |copy: &&Copy| census.kept_by_path.iter().any(|kept| kept.copies.contains(&copy.path));
    // What is in a cache goes with it.
    let cached = |copy: &&Copy| {
        let caches = census.leftovers.iter().filter(|leftover| leftover.kind.is_cache());
        caches.into_iter().any(|leftover| copy.path.starts_with(&format!("{}/", leftover.place)))
    };
    let of = |verdict| census.copies_with(verdict).filter(|copy| !cached(copy));
    // Something asks for them, although it does not find them.
    let wanted =
        |copy: &&Copy| copy.held.as_ref().is_some_and(|held| matches!(held.why, Why::Unmet | Why::Needed));
    let unreferenced = of(Verdict::Unreferenced).filter(|copy| !kept(copy) && !wanted(copy));
    let redundant = of(Verdict::Redundant);
    changes.extend(copies(redundant, "redundant copies of CUDA libraries", true));
    changes.extend(copies(unreferenced, "copies without a known user", false));
    let of_path =
        copies(census.copies.iter().filter(kept), "copies that only LD_LIBRARY_PATH keeps in use", false);
    changes.extend(of_path.zip(census.kept_by_path.as_ref()).map(|(change, kept)| Change {
        note: format!(
            "{SAME_LAYER}; and `ENV LD_LIBRARY_PATH={}`: programs then load the copies that they were built for",
            kept.library_path.as_deref().unwrap_or_default()
        ),
        ..change
    }));
    changes.extend(leftovers(census));
    changes
        .extend(facts.image.iter().flat_map(|image| image.hidden.iter().map(|hidden| unhide(image, hidden))));
    changes.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.what.cmp(&b.what)));
    let sum = |proven| {
        changes.iter().filter(|change| change.proven == proven).map(|change| change.bytes).sum::<u64>()
    };
    let (proven, review) = (sum(true), sum(false));
    changes.retain(|change| change.bytes >= WORTH_A_LINE);
    let hidden: u64 = facts.image.iter().flat_map(|image| &image.hidden).map(|hidden| hidden.bytes).sum();
    Savings { bytes: census.bytes + hidden, proven, review, changes }
}

/// Copies are removed as files, because their package may bring others that are used.
fn copies<'a>(copies: impl Iterator<Item = &'a Copy>, what: &str, proven: bool) -> Option<Change> {
    let copies: Vec<&Copy> = copies.collect();
    let bytes = copies.iter().map(|copy| copy.bytes).sum();
    let mut paths: Vec<&str> = Vec::new();
    for copy in &copies {
        paths.push(&copy.path);
        paths.extend(copy.hard_links.iter().chain(&copy.links).map(String::as_str));
    }
    let (line, note) = (format!("RUN rm -f {}", paths.join(" ")), SAME_LAYER.to_owned());
    (!copies.is_empty()).then(|| Change { what: what.to_owned(), bytes, proven, line, note })
}

const SAME_LAYER: &str = "in the RUN that adds them: removing them in a later layer saves nothing";

/// The command that removes a package; it belongs in the RUN that installs it.
pub fn remove(manager: Manager, name: &str) -> String {
    match manager {
        Manager::Dpkg => format!("RUN apt-get purge -y {name}"),
        Manager::Apk => format!("RUN apk del {name}"),
        Manager::Rpm => format!("RUN dnf remove -y {name}"),
        Manager::Conda => format!("RUN conda remove -y {name}"),
        Manager::Pip => format!("RUN pip uninstall -y {name}"),
    }
}

/// The base image of the distribution, without CUDA.
fn plain_base(census: &Census) -> String {
    let distribution = census.distribution.as_ref();
    match distribution.and_then(|known| Some((known.id.as_str(), known.version.as_deref()?))) {
        Some(("debian", version)) => format!("debian:{version}-slim"),
        Some(("ubuntu", version)) => format!("ubuntu:{version}"),
        // For other distributions the name of the image does not follow from os-release.
        _ => "debian:12-slim".to_owned(),
    }
}

fn leftovers(census: &Census) -> Vec<Change> {
    let place = |group: Group| {
        let groups = [group];
        let largest = of_groups(census, &groups).max_by_key(|leftover| leftover.bytes);
        largest.map_or(String::new(), |leftover| leftover.place.clone())
    };
    let change = |what: &str, group: Group, proven, line: String, note: &str| Change {
        what: what.to_owned(),
        bytes: of_groups(census, &[group]).map(|leftover| leftover.bytes).sum(),
        proven,
        line,
        note: note.to_owned(),
    };
    let wheels = place(Group::Installers);
    let archives = || census.leftovers.iter().filter(|found| found.kind == Kind::StaticLibrariesInWheels);
    let directories: Vec<&str> = archives().map(|found| found.place.as_str()).collect();
    vec![
        Change {
            what: "static libraries in Python packages".to_owned(),
            bytes: archives().map(|found| found.bytes).sum(),
            proven: false,
            // Device code stays: programs link it to their kernels at run time.
            line: format!(
                "RUN find {} -maxdepth 1 -name 'lib*.a' ! -name 'libcudadevrt*' ! -name 'libnvshmem_device*' -delete",
                directories.join(" ")
            ),
            note: SAME_LAYER.to_owned(),
        },
        change(
            "package manager caches",
            Group::Caches,
            true,
            format!("RUN --mount=type=cache,target={} pip install -r requirements.txt", place(Group::Caches)),
            "with the command that fills the cache",
        ),
        change(
            "apt lists and archives",
            Group::Apt,
            true,
            "RUN apt-get update && apt-get install -y --no-install-recommends PACKAGES \
             && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/cache/apt/*.bin"
                .into(),
            "in the RUN that installs",
        ),
        change(
            "CUDA build tools",
            Group::Toolkit,
            false,
            format!("FROM {}", plain_base(census)),
            "as the last stage, with COPY --from=build for what runs; build in an earlier stage",
        ),
        change(
            "compilers",
            Group::Compilers,
            false,
            format!("FROM {}", plain_base(census)),
            "as the last stage; install compilers in an earlier stage",
        ),
        change(
            "wheels and installers",
            Group::Installers,
            false,
            format!(
                "RUN --mount=type=bind,from=build,source={wheels},target={wheels} \
                 pip install --no-index --find-links={wheels} -r requirements.txt"
            ),
            "instead of COPY",
        ),
    ]
}

fn unhide(image: &Image, hidden: &Hidden) -> Change {
    let instruction = |number: usize| image.layers.get(number).and_then(|layer| layer.instruction.as_deref());
    let (from, by) =
        (instruction(hidden.layer).unwrap_or_default(), instruction(hidden.by).unwrap_or_default());
    let how = if hidden.deleted { "deletes" } else { "overwrites" };
    let what = format!("{} that {} {how}", files(hidden.files), layer_name(image, hidden.by));
    let bytes = hidden.bytes;
    // BuildKit appends a comment to the instruction.
    let command =
        |text: &str| text.strip_prefix("RUN ").map(|text| text.trim_end_matches(" # buildkit").to_owned());
    if let (Some(first), Some(second)) = (command(from), command(by)) {
        let line = format!("RUN {first} && {second}");
        return Change { what, bytes, proven: true, line, note: "one RUN instead of two".to_owned() };
    }
    let place = if hidden.place.is_empty() { &hidden.largest } else { &hidden.place };
    let copied = from.starts_with("COPY") || from.starts_with("ADD");
    if copied && hidden.deleted {
        let line = format!(
            "RUN --mount=type=bind,from=build,source={place},target={place} {}",
            command(by).unwrap_or_default()
        );
        let note = "instead of COPY, with the command that uses the files".to_owned();
        return Change { what, bytes, proven: true, line: line.trim_end().to_owned(), note };
    }
    // It may be part of the base image, so it needs review.
    let line = format!("# {} is shipped by {}", hidden.largest, layer_name(image, hidden.layer));
    Change {
        what,
        bytes,
        proven: false,
        line,
        note: "add the final version of the file, or use a newer base image".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, copy};
    use image_audit::census::KeptByPath;
    use image_audit::leftovers::LeftoverFound;

    #[test]
    fn copies_that_only_the_environment_keeps_in_use() {
        let of_toolkit = |library: &str, verdict| {
            let path = format!("/usr/local/cuda/lib64/{library}.so.12");
            Copy { verdict, bytes: 400_000_000, ..copy(library, &path, "12.4.5.8") }
        };
        let cublas = of_toolkit("libcublas", Verdict::Used);
        let cudart = of_toolkit("libcudart", Verdict::Unreferenced);
        let kept = KeptByPath {
            directories: vec!["/usr/local/cuda/lib64".into()],
            library_path: Some("/opt/lib".into()),
            copies: vec![cublas.path.clone(), cudart.path.clone()],
        };
        let sample = Sample::image().copy(cublas).copy(cudart);
        let savings = savings(&sample.with(|facts| facts.census.kept_by_path = Some(kept)).facts());
        assert_eq!((savings.proven, savings.review), (0, 800_000_000), "each copy counts once");
        let change = &savings.changes[0];
        assert_eq!(
            change.line,
            "RUN rm -f /usr/local/cuda/lib64/libcublas.so.12 /usr/local/cuda/lib64/libcudart.so.12"
        );
        assert!(change.note.contains("`ENV LD_LIBRARY_PATH=/opt/lib`"), "{}", change.note);
    }

    #[test]
    fn proven_and_for_review() {
        let leftover = |kind, place: &str, bytes| LeftoverFound {
            kind,
            place: place.into(),
            bytes,
            files: 1,
            package: None,
        };
        let mut redundant = copy("libcublas", "/usr/lib/libcublas.so.12", "12.4.5.8");
        (redundant.verdict, redundant.bytes) = (Verdict::Redundant, 400_000_000);
        let sample = Sample::image().copy(redundant).with(|facts| {
            facts.census.leftovers = vec![
                leftover(Kind::PipCache, "/root/.cache/pip", 300_000_000),
                leftover(Kind::AptLists, "/var/lib/apt/lists", 20_000),
                leftover(Kind::Nvcc, "/usr/local/cuda/bin", 60_000_000),
                leftover(Kind::HuggingfaceCache, "/models", 900_000_000),
                leftover(Kind::StaticLibrariesInWheels, "/site/triton/backends/nvidia/lib/cupti", 77_000_000),
            ];
        });
        let savings = savings(&sample.facts());
        assert_eq!((savings.proven, savings.review), (700_020_000, 137_000_000));
        let changes: Vec<(&str, bool)> =
            savings.changes.iter().map(|change| (change.what.as_str(), change.proven)).collect();
        assert_eq!(
            changes,
            [
                ("redundant copies of CUDA libraries", true),
                ("package manager caches", true),
                ("static libraries in Python packages", false),
                ("CUDA build tools", false)
            ]
        );
        assert_eq!(savings.changes[0].line, "RUN rm -f /usr/lib/libcublas.so.12");
        assert!(
            savings.changes[2]
                .line
                .starts_with("RUN find /site/triton/backends/nvidia/lib/cupti -maxdepth 1 "),
            "{}",
            savings.changes[2].line
        );
        assert!(savings.changes[1].line.contains("target=/root/.cache/pip pip install"));
    }
}
