//! Device code: what an object has for which GPUs.

use serde::{Deserialize, Serialize};

pub(crate) mod scanner;

/// Code for one architecture in one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCode {
    /// As in nvcc: `sm_90a` for a cubin, `compute_90` for PTX, which the driver compiles, `lto_90` for LTO-IR.
    pub arch: String,
    /// In which form.
    pub kind: CodeKind,
    /// Size in the file, including headers.
    pub bytes: u64,
    /// Number of images for that architecture.
    pub images: u64,
}

/// Form of device code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeKind {
    /// Machine code of one architecture.
    Cubin,
    /// Intermediate code, which the driver compiles.
    Ptx,
    /// Intermediate code, which nvJitLink links and compiles. The driver alone cannot run it.
    Lto,
}

/// Tegra GPUs before sm_100: they do not share cubins with any other GPU.
const TEGRA: [u32; 4] = [53, 62, 72, 87];

/// Whether device code runs on a GPU of a compute capability such as 90 (for 9.0), possibly after the driver
/// has compiled it.
pub fn runs_on(code: &DeviceCode, gpu: u32) -> bool {
    let digits = code.arch.trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = digits.trim_end_matches(char::is_alphabetic);
    let Ok(target) = number.parse::<u32>() else { return false };
    let suffix = &digits[number.len()..];
    let same_major = target / 10 == gpu / 10;
    match (suffix, code.kind) {
        (_, CodeKind::Lto) => false,
        ("a", _) => target == gpu,
        ("f", _) => same_major && gpu >= target,
        (_, CodeKind::Cubin) if TEGRA.contains(&target) || TEGRA.contains(&gpu) => target == gpu,
        (_, CodeKind::Cubin) => same_major && gpu >= target,
        (_, CodeKind::Ptx) => gpu >= target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(arch: &str, kind: CodeKind, images: u64, bytes: u64) -> DeviceCode {
        DeviceCode { arch: arch.into(), kind, bytes, images }
    }

    #[test]
    fn where_code_runs() {
        let cases = [
            ("sm_80", CodeKind::Cubin, 86, true),
            ("sm_86", CodeKind::Cubin, 80, false),
            ("sm_80", CodeKind::Cubin, 90, false),
            ("sm_90a", CodeKind::Cubin, 90, true),
            ("sm_100f", CodeKind::Cubin, 103, true),
            ("sm_100a", CodeKind::Cubin, 103, false),
            ("sm_87", CodeKind::Cubin, 87, true),
            ("sm_87", CodeKind::Cubin, 89, false),
            ("sm_80", CodeKind::Cubin, 87, false),
            ("sm_53", CodeKind::Cubin, 61, false),
            ("sm_70", CodeKind::Cubin, 72, false),
            ("compute_72", CodeKind::Ptx, 75, true),
            ("compute_80", CodeKind::Ptx, 87, true),
            ("compute_80", CodeKind::Ptx, 120, true),
            ("compute_90a", CodeKind::Ptx, 100, false),
            ("compute_120", CodeKind::Ptx, 90, false),
            ("lto_90", CodeKind::Lto, 90, false),
        ];
        for (arch, kind, gpu, runs) in cases {
            assert_eq!(runs_on(&entry(arch, kind, 1, 1), gpu), runs, "{arch} on {gpu}");
        }
    }
}
