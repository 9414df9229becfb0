//! The tables in `data/`: groups of rows with their source and the day on which they were checked. What is asked of
//! them is in `known`.

use std::sync::LazyLock;

use image_audit::fatbin::PtxVersion;
use jiff::civil::Date;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

use super::Cuda;

pub static DRIVERS: LazyLock<Drivers> = LazyLock::new(|| read(include_str!("../../../data/drivers.toml")));
pub static PTX: LazyLock<Ptx> = LazyLock::new(|| read(include_str!("../../../data/ptx.toml")));
pub static GPUS: LazyLock<Gpus> = LazyLock::new(|| read(include_str!("../../../data/gpus.toml")));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drivers {
    /// The last day on which the whole table was compared with its sources.
    #[serde(deserialize_with = "date")]
    pub complete: Date,
    pub group: Vec<Group<Driver>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ptx {
    #[serde(deserialize_with = "date")]
    pub complete: Date,
    pub group: Vec<Group<PtxRow>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpus {
    #[serde(deserialize_with = "date")]
    pub complete: Date,
    pub architectures: Vec<Group<Architecture>>,
    pub dropped: Vec<Group<Dropped>>,
    pub toolkits: Vec<Group<Toolkit>>,
    pub names: Vec<Group<Name>>,
}

/// Rows from one source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "source and date are for people and tests"))]
pub struct Group<Row> {
    pub source: String,
    #[serde(deserialize_with = "date")]
    pub checked: Date,
    pub rows: Vec<Row>,
}

/// A driver branch, and the newest CUDA that it supports.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Driver {
    pub branch: u32,
    #[serde(deserialize_with = "cuda")]
    pub cuda: Cuda,
}

/// A PTX version, and the first CUDA that has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PtxRow {
    pub ptx: PtxVersion,
    #[serde(deserialize_with = "cuda")]
    pub cuda: Cuda,
}

/// The drivers that are new enough for an architecture.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    pub arch: u32,
    /// The CUDA below which no driver supports it; none if all drivers of the table are new enough.
    #[serde(default, deserialize_with = "some_cuda")]
    pub since: Option<Cuda>,
    /// The CUDA from which all drivers support it.
    #[serde(default, deserialize_with = "some_cuda")]
    pub surely_since: Option<Cuda>,
}

/// Architectures that new driver branches do not support.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    pub first: u32,
    pub last: u32,
    pub last_branch: u32,
}

/// The oldest architecture that a CUDA release supports.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolkit {
    pub cuda: u32,
    pub oldest: u32,
}

/// A GPU by name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    pub name: String,
    pub arch: u32,
    /// None if GPUs of both kinds have the name, or if only some machines support forward compatibility.
    pub datacenter: Option<bool>,
}

/// The rows of all groups.
pub fn rows<Row>(groups: &[Group<Row>]) -> impl DoubleEndedIterator<Item = &Row> {
    groups.iter().flat_map(|group| &group.rows)
}

fn read<Table: DeserializeOwned>(text: &str) -> Table {
    toml::from_str(text).expect("a unit test reads every table")
}

fn date<'de, D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
    toml::value::Datetime::deserialize(from)?.to_string().parse().map_err(Error::custom)
}

fn cuda<'de, D: Deserializer<'de>>(from: D) -> Result<Cuda, D::Error> {
    let text = String::deserialize(from)?;
    let parsed =
        text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.ok_or_else(|| Error::custom("a CUDA version is MAJOR.MINOR"))
}

fn some_cuda<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Cuda>, D::Error> {
    cuda(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Complete only after the last group was checked; a source is an address, a measurement or a reason.
    fn check<Row>(name: &str, complete: Date, groups: &[Group<Row>]) {
        assert!(!groups.is_empty(), "{name}");
        for Group { source, checked, rows } in groups {
            assert!(source.len() > 20, "{name}: {source}");
            assert!(*checked <= complete, "{name}: {source} was checked after the table was complete");
            assert!(!rows.is_empty(), "{name}: {source}");
        }
    }

    #[test]
    fn every_group_has_a_source_and_a_date() {
        check("drivers", DRIVERS.complete, &DRIVERS.group);
        check("ptx", PTX.complete, &PTX.group);
        check("architectures", GPUS.complete, &GPUS.architectures);
        check("dropped", GPUS.complete, &GPUS.dropped);
        check("toolkits", GPUS.complete, &GPUS.toolkits);
        check("names", GPUS.complete, &GPUS.names);
    }

    #[test]
    fn rows_are_in_order_and_agree() {
        let drivers: Vec<_> = rows(&DRIVERS.group).map(|row| (row.branch, row.cuda)).collect();
        assert!(drivers.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        let ptx: Vec<_> = rows(&PTX.group).map(|row| (row.ptx, row.cuda)).collect();
        assert!(ptx.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        // Both end with the newest CUDA: a new release gets a row in each.
        assert!(drivers.last().map(|row| row.1) <= ptx.last().map(|row| row.1));
        let mut seen = Vec::new();
        for Architecture { arch, since, surely_since } in rows(&GPUS.architectures) {
            assert!(since <= surely_since, "sm_{arch}");
            assert!(!seen.contains(arch), "sm_{arch} is listed twice");
            seen.push(*arch);
        }
        let mut names: Vec<&str> = rows(&GPUS.names).map(|row| row.name.as_str()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a name is listed twice");
        for Name { name, arch, .. } in rows(&GPUS.names) {
            // Drivers of Jetson GPUs before Thor are not in the table.
            assert!(seen.contains(arch) || *arch == 87, "{name}: no driver is known for sm_{arch}");
        }
    }

    #[test]
    fn a_mistake_is_an_error() {
        let table = |rows: &str| {
            let text = format!(
                "complete = 2026-11-30\n[[group]]\nsource = \"x\"\nchecked = 2026-11-30\nrows = [{rows}]"
            );
            toml::from_str::<Drivers>(&text).map(|table| table.group[0].rows.len())
        };
        assert_eq!(table("{ branch = 410, cuda = \"10.0\" }"), Ok(1));
        for mistake in [
            "{ branch = 410, cuda = \"10\" }",
            "{ branch = 410 }",
            "{ branch = 410, cuda = \"10.0\", a = 1 }",
        ] {
            assert!(table(mistake).is_err(), "{mistake}");
        }
    }
}
