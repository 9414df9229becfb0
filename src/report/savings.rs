//! What can go from an image: the sum, and the changes of a Dockerfile that free most.
//!
//! *Proven* is what the report promises under its assumptions: redundant copies, caches, and bytes that
//! layers hide. *Review* is what a person has to decide: copies that nothing is seen to load, tools for
//! building, wheels and other files that lie around.

use serde::Serialize;

use crate::checks::{CACHES, TOOLKIT, WHEELS, count_files, layer_name, leftovers_of, redundant_copies};
use crate::facts::Facts;
use crate::facts::census::{Census, Copy};
use crate::facts::hygiene::{Base, Kind};
use crate::facts::image::{Hidden, Image};
use crate::facts::packages::Manager;

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
}

/// A change that frees less is not worth making.
const WORTH_A_LINE: u64 = 100_000;

pub fn savings(facts: &Facts) -> Savings {
    let census = &facts.census;
    let mut changes = redundant(census);
    changes.extend(leftovers(census));
    changes
        .extend(facts.image.iter().flat_map(|image| image.hidden.iter().map(|hidden| unhide(image, hidden))));
    let unreferenced = census.copies.iter().filter(|copy| copy.held && !copy.reached);
    let review_copies: u64 = unreferenced.map(|copy| copy.bytes).sum();
    changes.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.what.cmp(&b.what)));
    let sum = |proven| {
        changes.iter().filter(|change| change.proven == proven).map(|change| change.bytes).sum::<u64>()
    };
    let (proven, review) = (sum(true), sum(false) + review_copies);
    changes.retain(|change| change.bytes >= WORTH_A_LINE);
    let hidden: u64 = facts.image.iter().flat_map(|image| &image.hidden).map(|hidden| hidden.bytes).sum();
    Savings { bytes: census.bytes + hidden, proven, review, changes }
}

/// Redundant copies by what has to change for them to go.
fn redundant(census: &Census) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for copy in redundant_copies(census) {
        let (what, line) = removal(census, copy);
        match changes.iter_mut().find(|change| change.what == what && change.line == line) {
            Some(change) => change.bytes += copy.bytes,
            None => changes.push(Change { what, bytes: copy.bytes, proven: true, line }),
        }
    }
    changes
}

fn removal(census: &Census, copy: &Copy) -> (String, String) {
    let system = copy
        .owner
        .as_ref()
        .is_none_or(|owner| matches!(owner.manager, Manager::Dpkg | Manager::Rpm | Manager::Apk));
    if system && census.flavour.base >= Base::Runtime {
        return ("system CUDA libraries that wheels replace".into(), format!("FROM {}", plain_base(census)));
    }
    match &copy.owner {
        Some(owner) => (format!("redundant copies of {}", owner.name), remove(owner.manager, &owner.name)),
        None => (
            format!("redundant {}", copy.path),
            format!("RUN rm {}   (in the RUN or stage that brings it)", copy.path),
        ),
    }
}

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
    let distribution = census.distribution.as_deref().unwrap_or("ubuntu 24.04");
    let (name, version) = distribution.split_once(' ').unwrap_or((distribution, "latest"));
    match name {
        "debian" => format!("debian:{version}-slim"),
        "rhel" | "rocky" | "almalinux" => {
            format!("rockylinux:{}", version.split('.').next().unwrap_or(version))
        }
        name => format!("{name}:{version}"),
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
    let change = |what: &str, kinds: &[Kind], proven, line: String| Change {
        what: what.to_owned(),
        bytes: sum(kinds),
        proven,
        line,
    };
    vec![
        change(
            "caches of package managers",
            &caches,
            true,
            format!("RUN --mount=type=cache,target={} ...", place(&caches)),
        ),
        change(
            "apt's lists and archives",
            apt,
            true,
            "&& rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb".into(),
        ),
        change(
            "tools for building CUDA programs",
            TOOLKIT,
            false,
            format!("FROM {}   (and COPY --from=build what runs)", plain_base(census)),
        ),
        change("compilers", &[Kind::Compilers], false, "# install them in a build stage only".into()),
        change(
            "wheels and installers",
            WHEELS,
            false,
            format!("RUN --mount=type=bind,from=build,source={0},target={0} pip install ...", place(WHEELS)),
        ),
    ]
}

fn unhide(image: &Image, hidden: &Hidden) -> Change {
    let place = if hidden.files == 1 || hidden.place.is_empty() { &hidden.largest } else { &hidden.place };
    let copied = image.layers.get(hidden.layer).and_then(|layer| layer.instruction.as_deref());
    let copied =
        copied.is_some_and(|instruction| instruction.starts_with("COPY") || instruction.starts_with("ADD"));
    let line = if copied {
        format!("RUN --mount=type=bind,from=build,source={place},target={place} ...   (instead of COPY)")
    } else {
        format!("RUN ... && rm -rf {place}   (in the same RUN)")
    };
    let how = if hidden.deleted { "deletes" } else { "overwrites" };
    let what = format!("{} that {} {how}", count_files(hidden.files), layer_name(image, hidden.by));
    Change { what, bytes: hidden.bytes, proven: true, line }
}
