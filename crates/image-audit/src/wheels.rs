//! Which of NVIDIA's wheels contains a library: the table in `data/wheels.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

static WHEELS: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("../data/wheels.toml")).expect("a unit test reads the table")
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "dates are for people and tests"))]
struct Table {
    /// The last day on which the whole table was compared with PyPI.
    complete: toml::value::Datetime,
    group: Vec<Group>,
}

/// Rows from one source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "source and date are for people and tests"))]
struct Group {
    source: String,
    checked: toml::value::Datetime,
    rows: Vec<Row>,
}

/// Libraries that come in the same wheel.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Up to the first number, such as `libcudart.so.11`.
    sonames: Vec<String>,
    /// The wheel for each CUDA release: `cu12` and `nvidia-cuda-runtime-cu12`.
    wheels: BTreeMap<String, String>,
}

/// The wheel that contains a library, such as `nvidia-cuda-runtime-cu12` for `libcudart.so.12`. `cuda` is the CUDA
/// release of the image, for sonames that several releases share.
pub fn wheel(soname: &str, cuda: Option<u32>) -> Option<String> {
    let (stem, numbers) = soname.split_once(".so.")?;
    let number = numbers.split('.').next()?;
    let name = format!("{stem}.so.{number}");
    let mut rows = WHEELS.group.iter().flat_map(|group| &group.rows);
    let wheels = &rows.find(|row| row.sonames.contains(&name))?.wheels;
    let wheel = match wheels.values().next() {
        Some(only) if wheels.len() == 1 => only,
        _ => wheels.get(&format!("cu{}", cuda?))?,
    };
    // The builtins of another minor release have another soname.
    Some(if stem == "libnvrtc-builtins" { format!("{wheel}=={numbers}.*") } else { wheel.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::library_of;

    #[test]
    fn wheels_by_soname() {
        for (soname, cuda, name) in [
            ("libcudart.so.11.0", None, Some("nvidia-cuda-runtime-cu11")),
            ("libcudart.so.12", Some(13), Some("nvidia-cuda-runtime-cu12")),
            ("libcudart.so.13", None, Some("nvidia-cuda-runtime")),
            ("libcufft.so.11", None, Some("nvidia-cufft-cu12")),
            ("libnvrtc-builtins.so.12.4", None, Some("nvidia-cuda-nvrtc-cu12==12.4.*")),
            ("libcudnn.so.8", Some(12), Some("nvidia-cudnn-cu12==8.*")),
            ("libcudnn.so.8", Some(13), None),
            ("libnvcomp.so.5", Some(12), Some("nvidia-libnvcomp-cu12==5.*")),
            ("libnvjpeg.so.13", None, Some("nvidia-nvjpeg")),
            ("libcudart.so.10.2", Some(12), None),
            ("libcusolver.so.11", Some(13), None),
            ("libcusparse.so.12", Some(13), Some("nvidia-cusparse")),
            ("libcusparse.so.12", None, None),
            ("libcudnn.so.9", Some(13), Some("nvidia-cudnn-cu13")),
            ("libnccl.so.2", Some(12), Some("nvidia-nccl-cu12")),
            ("libnccl.so.2", Some(14), None),
            ("libcudart.so", None, None),
            ("libother.so.1", Some(12), None),
        ] {
            assert_eq!(wheel(soname, cuda).as_deref(), name, "{soname} {cuda:?}");
        }
    }

    #[test]
    fn the_table_is_consistent() {
        let mut seen = Vec::new();
        let date = |date: &toml::value::Datetime| date.to_string();
        for Group { source, checked, rows } in &WHEELS.group {
            assert!(source.len() > 20 && !rows.is_empty(), "{source}");
            assert!(
                date(checked) <= date(&WHEELS.complete),
                "{source} was checked after the table was complete"
            );
            for Row { sonames, wheels } in rows {
                for soname in sonames {
                    assert!(library_of(soname).is_some(), "{soname} is in no row of the catalogue");
                    assert!(!seen.contains(&soname), "{soname} is listed twice");
                    seen.push(soname);
                }
                for (cuda, wheel) in wheels {
                    assert!(["cu11", "cu12", "cu13"].contains(&cuda.as_str()), "{wheel}: {cuda}");
                    let mut others = ["cu11", "cu12", "cu13"].iter().filter(|other| *other != cuda);
                    let of_other = others.any(|other| wheel.contains(&format!("-{other}")));
                    assert!(!of_other, "{wheel} is not for {cuda}");
                }
            }
        }
    }
}
