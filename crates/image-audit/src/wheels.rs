//! Which of NVIDIA's wheels contains a library: the table in `data/wheels.toml`.

use std::sync::LazyLock;

use toml::{Table, Value};

static WHEELS: LazyLock<Wheels> = LazyLock::new(|| {
    let table: Table = include_str!("../data/wheels.toml").parse().expect("a unit test reads the table");
    let checked = table.get("complete").and_then(Value::as_datetime).map(ToString::to_string);
    let wheels = checked.zip(rows(&table)).map(|(checked, rows)| Wheels { checked, rows });
    wheels.expect("a unit test reads the table")
});

struct Wheels {
    checked: String,
    rows: Vec<Row>,
}

/// Libraries that come in the same wheel.
struct Row {
    /// Up to the first number, such as `libcudart.so.11`.
    sonames: Vec<String>,
    /// The wheel for each CUDA release: `cu12` and `nvidia-cuda-runtime-cu12`.
    wheels: Vec<(String, String)>,
}

fn rows(table: &Table) -> Option<Vec<Row>> {
    let mut all = Vec::new();
    for group in table.get("group")?.as_array()? {
        for row in group.get("rows")?.as_array()? {
            let sonames = row.get("sonames")?.as_array()?.iter().map(text).collect::<Option<_>>()?;
            let wheels = row.get("wheels")?.as_table()?.iter();
            let wheels = wheels.map(|(cuda, wheel)| Some((cuda.clone(), text(wheel)?)));
            all.push(Row { sonames, wheels: wheels.collect::<Option<_>>()? });
        }
    }
    Some(all)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The day on which the table was last compared with what is published, such as `2026-11-30`.
pub fn wheels_checked() -> &'static str {
    &WHEELS.checked
}

/// The wheel that contains a library, such as `nvidia-cuda-runtime-cu12` for `libcudart.so.12`. `cuda` is the CUDA
/// release of the image, for sonames that several releases share.
pub fn wheel(soname: &str, cuda: Option<u32>) -> Option<String> {
    let (stem, numbers) = soname.split_once(".so.")?;
    let number = numbers.split('.').next()?;
    let name = format!("{stem}.so.{number}");
    let wheels = &WHEELS.rows.iter().find(|row| row.sonames.contains(&name))?.wheels;
    let wheel = match wheels.as_slice() {
        [(_, only)] => only,
        several => {
            let release = format!("cu{}", cuda?);
            several.iter().find(|(cuda, _)| *cuda == release).map(|(_, wheel)| wheel)?
        }
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
        let table: Table = include_str!("../data/wheels.toml").parse().unwrap();
        let date = |table: &Table, key: &str| table[key].as_datetime().unwrap().to_string();
        for group in table["group"].as_array().unwrap() {
            let group = group.as_table().unwrap();
            let source = group["source"].as_str().unwrap();
            assert!(source.len() > 20, "{source}");
            let late = date(group, "checked") > date(&table, "complete");
            assert!(!late, "{source} was checked after the table was complete");
        }
        let mut seen = Vec::new();
        for Row { sonames, wheels } in WHEELS.rows.iter() {
            for soname in sonames {
                assert!(library_of(soname).is_some(), "{soname} is in no row of the catalogue");
                assert!(!seen.contains(&soname), "{soname} is listed twice");
                seen.push(soname);
            }
            assert!(!wheels.is_empty(), "{sonames:?}");
            for (cuda, wheel) in wheels {
                assert!(["cu11", "cu12", "cu13"].contains(&cuda.as_str()), "{wheel}: {cuda}");
                let mut others = ["cu11", "cu12", "cu13"].iter().filter(|other| *other != cuda);
                let of_other = others.any(|other| wheel.contains(&format!("-{other}")));
                assert!(!of_other, "{wheel} is not for {cuda}");
            }
        }
    }
}
