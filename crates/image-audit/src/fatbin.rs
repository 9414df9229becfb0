//! Device code: what an object has for which GPUs.

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) mod scanner;

pub use scanner::merged;

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
    /// The newest version of PTX among the images: a driver compiles that of its own CUDA and older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ptx_version: Option<PtxVersion>,
    /// How many of the images are compressed with zstd, which drivers before CUDA 12.4 do not load.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub zstd: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A version of the PTX instruction set, such as 8.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PtxVersion(pub u16, pub u16);

impl fmt::Display for PtxVersion {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}.{}", self.0, self.1)
    }
}

impl From<PtxVersion> for String {
    fn from(version: PtxVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for PtxVersion {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed =
            text.split_once('.').and_then(|(a, b)| Some(PtxVersion(a.parse().ok()?, b.parse().ok()?)));
        parsed.ok_or("a PTX version is MAJOR.MINOR")
    }
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

/// CUDA 12 calls sm_101 what CUDA 13 calls sm_110.
fn renamed(number: u32) -> u32 {
    if number == 101 { 110 } else { number }
}

/// Whether device code runs on a GPU of a compute capability such as 90 (for 9.0), possibly after the driver
/// has compiled it.
pub fn runs_on(code: &DeviceCode, gpu: u32) -> bool {
    let digits = code.arch.trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = digits.trim_end_matches(char::is_alphabetic);
    let Ok(target) = number.parse::<u32>() else { return false };
    let suffix = &digits[number.len()..];
    let (target, gpu) = (renamed(target), renamed(gpu));
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
        DeviceCode { arch: arch.into(), kind, bytes, images, ptx_version: None, zstd: 0 }
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
            ("sm_100", CodeKind::Cubin, 107, true),
            ("sm_101", CodeKind::Cubin, 103, false),
            ("sm_101", CodeKind::Cubin, 107, false),
            ("sm_101", CodeKind::Cubin, 110, true),
            ("sm_101a", CodeKind::Cubin, 110, true),
            ("compute_101f", CodeKind::Ptx, 110, true),
            ("compute_101", CodeKind::Ptx, 103, false),
            ("compute_101", CodeKind::Ptx, 120, true),
        ];
        for (arch, kind, gpu, runs) in cases {
            assert_eq!(runs_on(&entry(arch, kind, 1, 1), gpu), runs, "{arch} on {gpu}");
        }
    }
}
