//! Published facts about drivers and GPUs: the CUDA that a driver branch supports, the GPUs that a driver and a
//! toolkit support. What is not listed here is unknown; nothing is guessed.

use super::{Cuda, TargetMachine};
use image_audit::fatbin::PtxVersion;

/// Driver branch and the newest CUDA that it supports, from the release notes of the CUDA Toolkit.
const DRIVERS: &[(u32, Cuda)] = &[
    (410, (10, 0)),
    (418, (10, 1)),
    (440, (10, 2)),
    (450, (11, 0)),
    (455, (11, 1)),
    (460, (11, 2)),
    (465, (11, 3)),
    (470, (11, 4)),
    (495, (11, 5)),
    (510, (11, 6)),
    (515, (11, 7)),
    (520, (11, 8)),
    (525, (12, 0)),
    (530, (12, 1)),
    (535, (12, 2)),
    (545, (12, 3)),
    (550, (12, 4)),
    (555, (12, 5)),
    (560, (12, 6)),
    (565, (12, 7)),
    (570, (12, 8)),
    (575, (12, 9)),
    (580, (13, 0)),
    (590, (13, 1)),
    (595, (13, 2)),
    (610, (13, 3)),
    (615, (13, 4)),
];

/// PTX version and the first CUDA whose compiler writes it. Up to 9.1 from the release history in the PTX manual; tried
/// with the ptxas of 13 releases from 11.8 to 13.5.
const PTX: &[(PtxVersion, Cuda)] = &[
    (PtxVersion(6, 3), (10, 0)),
    (PtxVersion(6, 4), (10, 1)),
    (PtxVersion(6, 5), (10, 2)),
    (PtxVersion(7, 0), (11, 0)),
    (PtxVersion(7, 1), (11, 1)),
    (PtxVersion(7, 2), (11, 2)),
    (PtxVersion(7, 3), (11, 3)),
    (PtxVersion(7, 4), (11, 4)),
    (PtxVersion(7, 5), (11, 5)),
    (PtxVersion(7, 6), (11, 6)),
    (PtxVersion(7, 7), (11, 7)),
    (PtxVersion(7, 8), (11, 8)),
    (PtxVersion(8, 0), (12, 0)),
    (PtxVersion(8, 1), (12, 1)),
    (PtxVersion(8, 2), (12, 2)),
    (PtxVersion(8, 3), (12, 3)),
    (PtxVersion(8, 4), (12, 4)),
    (PtxVersion(8, 5), (12, 5)),
    (PtxVersion(8, 6), (12, 7)),
    (PtxVersion(8, 7), (12, 8)),
    (PtxVersion(8, 8), (12, 9)),
    (PtxVersion(9, 0), (13, 0)),
    (PtxVersion(9, 1), (13, 1)),
    (PtxVersion(9, 2), (13, 2)),
    (PtxVersion(9, 3), (13, 3)),
    (PtxVersion(9, 4), (13, 4)),
    (PtxVersion(9, 5), (13, 5)),
];

/// The CUDA that a driver must support to compile PTX of that version. None if the version is newer than the table;
/// every listed CUDA compiles the versions before it.
pub fn cuda_of_ptx(version: PtxVersion) -> Option<Cuda> {
    PTX.iter().find(|(known, _)| *known >= version).map(|(_, cuda)| *cuda)
}

/// The newest CUDA that a driver supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverCuda {
    Exactly(Cuda),
    /// A branch that is not in the table supports at least what the branch before it does.
    AtLeast(Cuda),
    Unknown,
}

impl DriverCuda {
    pub fn of(machine: &TargetMachine) -> DriverCuda {
        match (machine.cuda, branch(machine)) {
            (Some(cuda), _) => DriverCuda::Exactly(cuda),
            (None, Some(branch)) => DriverCuda::of_branch(branch),
            (None, None) => DriverCuda::Unknown,
        }
    }

    pub fn of_branch(branch: u32) -> DriverCuda {
        match DRIVERS.iter().rev().find(|(known, _)| *known <= branch) {
            Some((known, cuda)) if *known == branch => DriverCuda::Exactly(*cuda),
            Some((_, cuda)) => DriverCuda::AtLeast(*cuda),
            None => DriverCuda::Unknown,
        }
    }

    /// Whether it supports that CUDA; None if unknown.
    pub fn reaches(self, wanted: Cuda) -> Option<bool> {
        match self {
            DriverCuda::Exactly(cuda) => Some(cuda >= wanted),
            DriverCuda::AtLeast(cuda) => (cuda >= wanted).then_some(true),
            DriverCuda::Unknown => None,
        }
    }

    /// `12.2` or `at least 13.4`; None if unknown.
    pub fn text(self) -> Option<String> {
        match self {
            DriverCuda::Exactly((major, minor)) => Some(format!("{major}.{minor}")),
            DriverCuda::AtLeast((major, minor)) => Some(format!("at least {major}.{minor}")),
            DriverCuda::Unknown => None,
        }
    }
}

/// `535` of 535.104.05.
pub fn branch(machine: &TargetMachine) -> Option<u32> {
    numbers(machine.driver.as_deref()?).first().copied()
}

pub fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

/// GPUs, the CUDA below which no driver supports them, and the CUDA from which all drivers do. The second is the
/// first release whose compiler knows the architecture and whose driver was seen with such a GPU; between the two
/// it is unknown. Jetson GPUs before Thor have their own drivers and are not
/// listed.
const GPUS: &[(u32, Cuda, Cuda)] = &[
    (80, (11, 0), (11, 0)),
    (86, (11, 1), (11, 1)),
    (89, (11, 8), (11, 8)),
    (90, (11, 8), (11, 8)),
    (100, (12, 8), (12, 8)),
    (103, (12, 8), (13, 0)),
    (107, (13, 4), (13, 4)),
    (110, (13, 0), (13, 0)),
    (120, (12, 8), (12, 8)),
    (121, (12, 8), (13, 0)),
];

/// GPUs that are older than all drivers in the table.
const OLD: [u32; 8] = [35, 37, 50, 52, 60, 61, 70, 75];

/// Whether a driver of that CUDA is new enough for the GPU, and the CUDA that the GPU needs. None if unknown.
pub fn driver_knows(gpu: u32, driver: DriverCuda) -> (Option<bool>, Option<Cuda>) {
    if OLD.contains(&gpu) {
        return (driver.reaches((10, 0)), None);
    }
    let Some((_, never_below, surely_from)) = GPUS.iter().find(|(known, ..)| *known == gpu) else {
        return (None, None);
    };
    let knows = match (driver.reaches(*never_below), driver.reaches(*surely_from)) {
        (Some(false), _) => Some(false),
        (_, Some(true)) => Some(true),
        _ => None,
    };
    (knows, Some(*never_below))
}

/// The last driver branch that supports the GPU, for GPUs that newer branches have dropped.
pub fn last_branch(gpu: u32) -> Option<u32> {
    match gpu {
        30..=37 => Some(470),
        50..=72 => Some(580),
        _ => None,
    }
}

/// The oldest GPU that a CUDA release supports: the oldest target that its ptxas accepts.
pub fn oldest_gpu(major: u32) -> Option<u32> {
    match major {
        11 => Some(35),
        12 => Some(50),
        13 => Some(75),
        _ => None,
    }
}

/// Blackwell and later GPUs work only with the open kernel module.
pub fn needs_open_module(gpu: u32) -> bool {
    gpu >= 100
}

/// The open kernel module supports Turing and later GPUs.
pub fn needs_closed_module(gpu: u32) -> bool {
    gpu < 75
}

#[cfg(test)]
mod tests {
    use super::*;
    use DriverCuda::{AtLeast, Exactly, Unknown};

    #[test]
    fn drivers_in_order() {
        assert!(DRIVERS.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        let cases = [
            (535, Exactly((12, 2))),
            (590, Exactly((13, 1))),
            (595, Exactly((13, 2))),
            (615, Exactly((13, 4))),
            (620, AtLeast((13, 4))),
            (540, AtLeast((12, 2))),
            (390, Unknown),
        ];
        for (branch, cuda) in cases {
            assert_eq!(DriverCuda::of_branch(branch), cuda, "{branch}");
        }
        assert_eq!(AtLeast((13, 1)).reaches((13, 2)), None, "never guessed upward");
        assert_eq!(AtLeast((13, 1)).reaches((13, 1)), Some(true));
        assert_eq!(Exactly((12, 2)).reaches((12, 3)), Some(false));
    }

    #[test]
    fn versions_of_ptx() {
        assert!(PTX.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        let cuda = |major, minor| cuda_of_ptx(PtxVersion(major, minor));
        assert_eq!((cuda(8, 7), cuda(9, 0)), (Some((12, 8)), Some((13, 0))));
        assert_eq!((cuda(6, 4), cuda(6, 0)), (Some((10, 1)), Some((10, 0))), "no more than the oldest");
        assert_eq!(cuda(9, 6), None);
    }

    #[test]
    fn gpus_and_drivers() {
        let cases = [
            (90, Exactly((12, 2)), Some(true)),
            (90, Exactly((11, 7)), Some(false)),
            (120, Exactly((12, 7)), Some(false)),
            (120, AtLeast((13, 1)), Some(true)),
            (103, Exactly((12, 9)), None),
            (70, Exactly((11, 4)), Some(true)),
            (87, Exactly((12, 2)), None),
            (90, Unknown, None),
        ];
        for (gpu, driver, knows) in cases {
            assert_eq!(driver_knows(gpu, driver).0, knows, "{gpu} {driver:?}");
        }
    }
}
