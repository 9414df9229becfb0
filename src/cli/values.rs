//! Values of flags: parsed, or refused with an example of what is accepted.

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::GpuSelector;

pub fn gpu(text: &str) -> Result<GpuSelector, String> {
    let uuid = |uuid: &str| uuid.len() == 36 && uuid.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    match GpuSelector::from(text) {
        GpuSelector::Uuid(text)
            if !text.strip_prefix("GPU-").or(text.strip_prefix("MIG-")).is_some_and(uuid) =>
        {
            Err("a GPU is an index such as 0, or a UUID as nvidia-smi -L prints it (GPU-… or MIG-…)".into())
        }
        gpu => Ok(gpu),
    }
}

pub fn address(text: &str) -> Result<SocketAddr, String> {
    // No names: a static program has no resolver.
    let wrong = |_| {
        "an address is a number with a port, such as 127.0.0.1:9476, 0.0.0.0:9476 or [::]:9476".to_owned()
    };
    text.parse().map_err(wrong)
}

pub fn duration(text: &str) -> Result<Duration, String> {
    time(text, "a deadline")
}

fn time(text: &str, what: &str) -> Result<Duration, String> {
    let wrong = || "a time is a number with a unit, such as 500ms, 30s or 2m".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" | "" => number,
        "m" => number * 60.0,
        _ => return Err(wrong()),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time >= Duration::from_millis(10) && time <= Duration::from_secs(86_400) => Ok(time),
        _ => Err(format!("{what} must be between 10ms and one day")),
    }
}

pub fn interval(text: &str) -> Result<Duration, String> {
    time(text, "an interval")
}

pub fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name @ ("LD_LIBRARY_PATH" | "LD_PRELOAD"), value)) => Ok((name.to_owned(), value.to_owned())),
        Some(_) => Err("only LD_LIBRARY_PATH and LD_PRELOAD are supported".into()),
        None => Err("a variable is NAME=VALUE".into()),
    }
}

/// `sm_90`, `9.0` and `90` are the same.
pub fn architecture(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("sm_").unwrap_or(text).replace('.', "");
    match digits.parse() {
        Ok(number @ 20..1000) => Ok(number),
        _ => Err("an architecture is a compute capability such as sm_90 or 9.0".into()),
    }
}

pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a number with a unit, such as 200MB, 1.5GB or 0".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" | "k" => 1e3,
        "mb" | "m" => 1e6,
        "gb" | "g" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    Ok((number * factor) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let good = [("500ms", 0.5), ("30s", 30.0), ("2m", 120.0), ("1.5", 1.5)];
        for (text, seconds) in good {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "s", "10x", "-1s", "1ms", "1e9s", "nan", "90000s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_architectures() {
        let good =
            [("0", 0), ("200MB", 200_000_000), ("1.5GB", 1_500_000_000), ("1GiB", 1 << 30), ("7 kB", 7000)];
        for (text, size) in good {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "MB", "-1", "1TB/s", "1e9"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        for text in ["sm_90", "9.0", "90"] {
            assert_eq!(architecture(text), Ok(90), "{text}");
        }
        for text in ["", "sm_", "hopper", "9", "sm_90a"] {
            assert!(architecture(text).is_err(), "{text}");
        }
    }

    #[test]
    fn gpus() {
        assert_eq!(gpu("3"), Ok(GpuSelector::Ordinal(3)));
        assert!(gpu("GPU-00000000-0000-0000-0000-000000000003").is_ok());
        for text in ["", "-1", "GPU-3", "all", "GPU-zzzzzzzz-0000-0000-0000-000000000003"] {
            assert!(gpu(text).is_err(), "{text}");
        }
    }
}
