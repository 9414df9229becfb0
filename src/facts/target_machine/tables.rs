//! The tables in `data/`: groups of rows with their source and the day on which they were checked. What is asked of
//! them is in `known`.
//!
//! Read key by key: derived deserializers of these types made the program 160 kB larger.

use std::sync::LazyLock;

use image_audit::fatbin::PtxVersion;
use jiff::civil::Date;
use toml::{Table, Value};

use super::Cuda;

pub static DRIVERS: LazyLock<Drivers> = LazyLock::new(|| {
    let table = table(include_str!("../../../data/drivers.toml"));
    read(|| Some(Drivers { complete: date(&table, "complete")?, group: groups(&table, "group")? }))
});

pub static PTX: LazyLock<Ptx> = LazyLock::new(|| {
    let table = table(include_str!("../../../data/ptx.toml"));
    read(|| Some(Ptx { complete: date(&table, "complete")?, group: groups(&table, "group")? }))
});

pub static TORCH: LazyLock<Torch> = LazyLock::new(|| {
    let table = table(include_str!("../../../data/torch.toml"));
    read(|| Some(Torch { complete: date(&table, "complete")?, group: groups(&table, "group")? }))
});

pub static GPUS: LazyLock<Gpus> = LazyLock::new(|| {
    let table = table(include_str!("../../../data/gpus.toml"));
    read(|| {
        Some(Gpus {
            complete: date(&table, "complete")?,
            architectures: groups(&table, "architectures")?,
            dropped: groups(&table, "dropped")?,
            toolkits: groups(&table, "toolkits")?,
            names: groups(&table, "names")?,
        })
    })
});

pub struct Drivers {
    /// The last day on which the whole table was compared with its sources.
    pub complete: Date,
    pub group: Vec<Group<Driver>>,
}

pub struct Ptx {
    pub complete: Date,
    pub group: Vec<Group<PtxRow>>,
}

pub struct Torch {
    pub complete: Date,
    pub group: Vec<Group<Build>>,
}

pub struct Gpus {
    pub complete: Date,
    pub architectures: Vec<Group<Architecture>>,
    pub dropped: Vec<Group<Dropped>>,
    pub toolkits: Vec<Group<Toolkit>>,
    pub names: Vec<Group<Name>>,
}

/// Rows from one source.
#[cfg_attr(not(test), expect(dead_code, reason = "source and date are for people and tests"))]
pub struct Group<Row> {
    pub source: String,
    pub checked: Date,
    pub rows: Vec<Row>,
}

/// A driver branch, and the newest CUDA that it supports.
pub struct Driver {
    pub branch: u32,
    pub cuda: Cuda,
}

/// A PTX version, and the first CUDA that has it.
pub struct PtxRow {
    pub ptx: PtxVersion,
    pub cuda: Cuda,
}

/// A build of PyTorch.
pub struct Build {
    /// Of the package index, such as `cu128`.
    pub tag: String,
    /// Major version of CUDA.
    pub cuda: u32,
    /// Of the compiled code.
    pub archs: Vec<u32>,
}

/// The drivers that are new enough for an architecture.
pub struct Architecture {
    pub arch: u32,
    /// The CUDA below which no driver supports it; none if all drivers of the table are new enough.
    pub since: Option<Cuda>,
    /// The CUDA from which all drivers support it.
    pub surely_since: Option<Cuda>,
}

/// Architectures that new driver branches do not support.
pub struct Dropped {
    pub first: u32,
    pub last: u32,
    pub last_branch: u32,
}

/// The oldest architecture that a CUDA release supports.
pub struct Toolkit {
    pub cuda: u32,
    pub oldest: u32,
}

/// A GPU by name.
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

trait Row: Sized {
    const KEYS: &[&str];

    fn read(row: &Table) -> Option<Self>;
}

impl Row for Driver {
    const KEYS: &[&str] = &["branch", "cuda"];

    fn read(row: &Table) -> Option<Self> {
        Some(Driver { branch: number(row, "branch")?, cuda: cuda(row, "cuda")? })
    }
}

impl Row for PtxRow {
    const KEYS: &[&str] = &["ptx", "cuda"];

    fn read(row: &Table) -> Option<Self> {
        Some(PtxRow { ptx: text(row, "ptx")?.try_into().ok()?, cuda: cuda(row, "cuda")? })
    }
}

impl Row for Build {
    const KEYS: &[&str] = &["tag", "cuda", "archs"];

    fn read(row: &Table) -> Option<Self> {
        let archs = row.get("archs")?.as_array()?.iter().map(|arch| arch.as_integer()?.try_into().ok());
        Some(Build {
            tag: text(row, "tag")?,
            cuda: number(row, "cuda")?,
            archs: archs.collect::<Option<_>>()?,
        })
    }
}

impl Row for Architecture {
    const KEYS: &[&str] = &["arch", "since", "surely_since"];

    fn read(row: &Table) -> Option<Self> {
        let version = |key| if row.contains_key(key) { cuda(row, key).map(Some) } else { Some(None) };
        Some(Architecture {
            arch: number(row, "arch")?,
            since: version("since")?,
            surely_since: version("surely_since")?,
        })
    }
}

impl Row for Dropped {
    const KEYS: &[&str] = &["first", "last", "last_branch"];

    fn read(row: &Table) -> Option<Self> {
        Some(Dropped {
            first: number(row, "first")?,
            last: number(row, "last")?,
            last_branch: number(row, "last_branch")?,
        })
    }
}

impl Row for Toolkit {
    const KEYS: &[&str] = &["cuda", "oldest"];

    fn read(row: &Table) -> Option<Self> {
        Some(Toolkit { cuda: number(row, "cuda")?, oldest: number(row, "oldest")? })
    }
}

impl Row for Name {
    const KEYS: &[&str] = &["name", "arch", "datacenter"];

    fn read(row: &Table) -> Option<Self> {
        let datacenter = match row.get("datacenter") {
            Some(value) => Some(value.as_bool()?),
            None => None,
        };
        Some(Name { name: text(row, "name")?, arch: number(row, "arch")?, datacenter })
    }
}

fn table(text: &str) -> Table {
    text.parse().expect("a unit test reads every table")
}

fn read<T>(read: impl FnOnce() -> Option<T>) -> T {
    read().expect("a unit test reads every table")
}

fn groups<R: Row>(table: &Table, key: &str) -> Option<Vec<Group<R>>> {
    let group = |group: &Value| {
        let group = group.as_table()?;
        let rows = group.get("rows")?.as_array()?.iter().map(|one| row(one.as_table()?));
        let rows = rows.collect::<Option<_>>()?;
        Some(Group { source: text(group, "source")?, checked: date(group, "checked")?, rows })
    };
    table.get(key)?.as_array()?.iter().map(group).collect()
}

/// None if a value has the wrong type, or if a key is unknown, such as a misspelled one.
fn row<R: Row>(row: &Table) -> Option<R> {
    row.keys().all(|key| R::KEYS.contains(&key.as_str())).then(|| R::read(row))?
}

fn number(row: &Table, key: &str) -> Option<u32> {
    row.get(key)?.as_integer()?.try_into().ok()
}

fn text(row: &Table, key: &str) -> Option<String> {
    row.get(key)?.as_str().map(str::to_owned)
}

fn date(row: &Table, key: &str) -> Option<Date> {
    row.get(key)?.as_datetime()?.to_string().parse().ok()
}

fn cuda(row: &Table, key: &str) -> Option<Cuda> {
    let (major, minor) = row.get(key)?.as_str()?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
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
        check("torch", TORCH.complete, &TORCH.group);
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
        assert!(rows(&TORCH.group).is_sorted_by_key(|build| build.tag.as_str()), "oldest first");
        assert!(rows(&TORCH.group).is_sorted_by_key(|build| build.cuda));
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
        let drivers = |rows: &str| {
            let text = format!("[[group]]\nsource = \"x\"\nchecked = 2026-11-30\nrows = [{rows}]");
            groups::<Driver>(&text.parse().unwrap(), "group").map(|groups| groups[0].rows.len())
        };
        assert_eq!(drivers("{ branch = 410, cuda = \"10.0\" }"), Some(1));
        for mistake in [
            "{ branch = 410, cuda = \"10\" }",
            "{ branch = 410, cuda = 10.0 }",
            "{ branch = 410 }",
            "{ branch = -1, cuda = \"10.0\" }",
            "{ branch = 410, cuda = \"10.0\", a = 1 }",
        ] {
            assert_eq!(drivers(mistake), None, "{mistake}");
        }
        for mistake in ["since = \"new\"", "sinse = \"13.0\""] {
            let text = format!(
                "[[group]]\nsource = \"x\"\nchecked = 2026-11-30\nrows = [{{ arch = 90, {mistake} }}]"
            );
            assert!(groups::<Architecture>(&text.parse().unwrap(), "group").is_none(), "{mistake}");
        }
    }
}
