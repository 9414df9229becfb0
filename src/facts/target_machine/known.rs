//! What the tables say about drivers and GPUs: the CUDA that a driver branch supports, the GPUs that a driver and a
//! toolkit support. What is not listed is unknown; nothing is guessed.

use image_audit::fatbin::PtxVersion;
use jiff::civil::Date;

use super::tables::{Build, DRIVERS, GPUS, Name, PTX, TORCH, rows};
use super::{Cuda, TargetMachine};

/// The day on which the oldest of the tables was last compared with its sources.
pub fn checked() -> Date {
    let wheels = image_audit::catalogue::wheels_checked().parse().expect("a unit test reads the table");
    [DRIVERS.complete, PTX.complete, GPUS.complete, TORCH.complete].into_iter().fold(wheels, Date::min)
}

/// The builds of PyTorch, oldest first.
pub fn torch_builds() -> impl DoubleEndedIterator<Item = &'static Build> {
    rows(&TORCH.group)
}

/// The CUDA that a driver must support to compile PTX of that version. None if the version is newer than the table;
/// every listed CUDA compiles the versions before it.
pub fn cuda_of_ptx(version: PtxVersion) -> Option<Cuda> {
    rows(&PTX.group).find(|row| row.ptx >= version).map(|row| row.cuda)
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
        match rows(&DRIVERS.group).rev().find(|row| row.branch <= branch) {
            Some(row) if row.branch == branch => DriverCuda::Exactly(row.cuda),
            Some(row) => DriverCuda::AtLeast(row.cuda),
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

/// Branches of drivers, oldest first.
pub fn branches() -> impl DoubleEndedIterator<Item = (u32, Cuda)> {
    rows(&DRIVERS.group).map(|row| (row.branch, row.cuda))
}

pub fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

/// GPUs by the names that people and nvidia-smi use.
pub fn names() -> impl Iterator<Item = &'static Name> {
    rows(&GPUS.names)
}

/// Whether a driver of that CUDA is new enough for the GPU, and the CUDA that the GPU needs. None if unknown.
pub fn driver_knows(gpu: u32, driver: DriverCuda) -> (Option<bool>, Option<Cuda>) {
    let Some(row) = rows(&GPUS.architectures).find(|row| row.arch == gpu) else { return (None, None) };
    let (Some(since), Some(surely_since)) = (row.since, row.surely_since) else {
        // Older than all drivers of the table.
        return (rows(&DRIVERS.group).next().and_then(|oldest| driver.reaches(oldest.cuda)), None);
    };
    let knows = match (driver.reaches(since), driver.reaches(surely_since)) {
        (Some(false), _) => Some(false),
        (_, Some(true)) => Some(true),
        _ => None,
    };
    (knows, Some(since))
}

/// The last driver branch that supports the GPU, for GPUs that newer branches have dropped.
pub fn last_branch(gpu: u32) -> Option<u32> {
    rows(&GPUS.dropped).find(|row| (row.first..=row.last).contains(&gpu)).map(|row| row.last_branch)
}

/// The oldest GPU that a CUDA release supports.
pub fn oldest_gpu(major: u32) -> Option<u32> {
    rows(&GPUS.toolkits).find(|row| row.cuda == major).map(|row| row.oldest)
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
    fn drivers_by_branch() {
        let cases = [
            (535, Exactly((12, 2))),
            (590, Exactly((13, 1))),
            (595, Exactly((13, 2))),
            (615, Exactly((13, 4))),
            (620, Exactly((13, 5))),
            (625, AtLeast((13, 5))),
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
