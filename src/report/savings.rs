//! What can go from an image: the sum, and the changes of a Dockerfile that free most.
//!
//! *Proven* is what the report promises under its assumptions: redundant copies, caches, and bytes that
//! layers hide. *Review* is what a person has to decide: copies that nothing is seen to load, tools for
//! building, wheels and other files that lie around.

use serde::Serialize;

use crate::checks::{CACHES, TOOLKIT, WHEELS, count_files, layer_name, leftovers_of};
use crate::facts::Facts;
use image_audit::census::Census;
use image_audit::config::{Hidden, Image};
use image_audit::leftovers::Kind;
use image_audit::packages::Manager;
use image_audit::verdict::Verdict;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Savings {
    /// Of all files now, and of those that layers hide.
    pub bytes: u64,
    pub proven: u64,
    pub review: u64,
    /// The largest first.
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    pub what: String,
    pub bytes: u64,
    /// It changes nothing that runs, under the report's assumptions.
    pub proven: bool,
    /// For the Dockerfile.
    pub line: String,
    /// Where the line belongs.
    pub note: String,
}

/// A change that frees less is not worth making.
const WORTH_A_LINE: u64 = 100_000;

pub fn savings(facts: &Facts) -> Savings {
    let census = &facts.census;
    let mut changes: Vec<Change> = Vec::new();
    changes.extend(copies(census, Verdict::Redundant, "redundant copies of CUDA libraries", true));
    changes.extend(copies(census, Verdict::Unreferenced, "copies that nothing is seen to load", false));
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

/// Copies of a verdict go as files: a package may bring others that stay.
fn copies(census: &Census, verdict: Verdict, what: &str, proven: bool) -> Option<Change> {
    let copies: Vec<&image_audit::census::Copy> = census.copies_with(verdict).collect();
    let bytes = copies.iter().map(|copy| copy.bytes).sum();
    let mut files: Vec<&str> = Vec::new();
    for copy in &copies {
        files.push(&copy.path);
        files.extend(copy.links.iter().map(String::as_str));
    }
    let (line, note) = (format!("RUN rm -f {}", files.join(" ")), SAME_LAYER.to_owned());
    (!copies.is_empty()).then(|| Change { what: what.to_owned(), bytes, proven, line, note })
}

/// Where a line has to stand.
const SAME_LAYER: &str = "in the RUN that brings them: a later layer frees nothing";

/// What removes a package, in the RUN that installs it.
pub fn remove(manager: Manager, name: &str) -> String {
    match manager {
        Manager::Dpkg => format!("RUN apt-get purge -y {name}"),
        Manager::Apk => format!("RUN apk del {name}"),
        Manager::Rpm => format!("RUN dnf remove -y {name}"),
        Manager::Conda => format!("RUN conda remove -y {name}"),
        Manager::Pip => format!("RUN pip uninstall -y {name}"),
    }
}

/// The distribution without CUDA, as a base.
fn plain_base(census: &Census) -> String {
    match census.distribution.as_deref().and_then(|distribution| distribution.split_once(' ')) {
        Some(("debian", version)) => format!("debian:{version}-slim"),
        Some(("ubuntu", version)) => format!("ubuntu:{version}"),
        // Names of images of other distributions do not follow from theirs.
        _ => "debian:12-slim".to_owned(),
    }
}

fn leftovers(census: &Census) -> Vec<Change> {
    let sum = |kinds: &[Kind]| leftovers_of(census, kinds).map(|leftover| leftover.bytes).sum();
    let place = |kinds: &[Kind]| {
        let largest = leftovers_of(census, kinds).max_by_key(|leftover| leftover.bytes);
        largest.map_or(String::new(), |leftover| leftover.place.clone())
    };
    let apt: &[Kind] = &[Kind::AptArchives, Kind::AptLists];
    let caches: Vec<Kind> = CACHES.iter().copied().filter(|kind| !apt.contains(kind)).collect();
    let change = |what: &str, kinds: &[Kind], proven, line: String, note: &str| Change {
        what: what.to_owned(),
        bytes: sum(kinds),
        proven,
        line,
        note: note.to_owned(),
    };
    vec![
        change(
            "caches of package managers",
            &caches,
            true,
            format!("RUN --mount=type=cache,target={} pip install -r requirements.txt", place(&caches)),
            "with the command that fills the cache",
        ),
        change(
            "apt's lists and archives",
            apt,
            true,
            "RUN apt-get update && apt-get install -y --no-install-recommends PACKAGES && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/cache/apt/*.bin".into(),
            "in the RUN that installs",
        ),
        change(
            "tools for building CUDA programs",
            TOOLKIT,
            false,
            format!("FROM {}", plain_base(census)),
            "as the last stage, with COPY --from=build for what runs; build in a stage before it",
        ),
        change(
            "compilers",
            &[Kind::Compilers],
            false,
            format!("FROM {}", plain_base(census)),
            "as the last stage; install compilers in a stage before it",
        ),
        change(
            "wheels and installers",
            WHEELS,
            false,
            format!(
                "RUN --mount=type=bind,from=build,source={0},target={0} pip install --no-index --find-links={0} -r requirements.txt",
                place(WHEELS)
            ),
            "in place of COPY",
        ),
    ]
}

fn unhide(image: &Image, hidden: &Hidden) -> Change {
    let instruction = |number: usize| image.layers.get(number).and_then(|layer| layer.instruction.as_deref());
    let (from, by) =
        (instruction(hidden.layer).unwrap_or_default(), instruction(hidden.by).unwrap_or_default());
    let how = if hidden.deleted { "deletes" } else { "overwrites" };
    let what = format!("{} that {} {how}", count_files(hidden.files), layer_name(image, hidden.by));
    let bytes = hidden.bytes;
    // Builders write their mark behind an instruction.
    let command =
        |text: &str| text.strip_prefix("RUN ").map(|text| text.trim_end_matches(" # buildkit").to_owned());
    if let (Some(first), Some(second)) = (command(from), command(by)) {
        let line = format!("RUN {first} && {second}");
        return Change { what, bytes, proven: true, line, note: "one RUN in place of two".to_owned() };
    }
    let place = if hidden.place.is_empty() { &hidden.largest } else { &hidden.place };
    let copied = from.starts_with("COPY") || from.starts_with("ADD");
    if copied && hidden.deleted {
        let line = format!(
            "RUN --mount=type=bind,from=build,source={place},target={place} {}",
            command(by).unwrap_or_default()
        );
        let note = "in place of COPY, with the command that uses the files".to_owned();
        return Change { what, bytes, proven: true, line: line.trim_end().to_owned(), note };
    }
    // Part of the base, perhaps: a person has to see.
    let line = format!("# {} is shipped by {}", hidden.largest, layer_name(image, hidden.layer));
    Change {
        what,
        bytes,
        proven: false,
        line,
        note: "bring it in the form that stays, or take a newer base".to_owned(),
    }
}
