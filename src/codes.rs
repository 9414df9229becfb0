//! Error codes of NVIDIA's libraries: names and meanings. Checks decide which finding a code belongs to.
//!
//! The codes of a library are one string, a line for each: a slice of structs would be three times as large in the
//! binary, and most of it relocations.

use crate::facts::event::Api;

/// `table! { number NAME "meaning"; ... }`, numbers ascending.
macro_rules! table {
    ($($number:literal $name:ident $($meaning:literal)?;)*) => {
        pub const TABLE: &str =
            concat!($(stringify!($number), " ", stringify!($name), $(" ", $meaning,)? "\n"),*);
    };
}

mod cublas;
mod cudnn;
mod cupti;
mod driver;
mod nvml;
mod nvrtc;
mod runtime;

/// The library that a code belongs to: the same number means different things in different libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Driver,
    Runtime,
    Nvml,
    Cublas,
    Cudnn,
    Nvrtc,
    Cupti,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    pub number: i64,
    pub name: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

impl Family {
    pub const ALL: [Family; 7] = [
        Family::Driver,
        Family::Runtime,
        Family::Nvml,
        Family::Cublas,
        Family::Cudnn,
        Family::Nvrtc,
        Family::Cupti,
    ];

    /// The prefix in `family:number` on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Family::Driver => "driver",
            Family::Runtime => "runtime",
            Family::Nvml => "nvml",
            Family::Cublas => "cublas",
            Family::Cudnn => "cudnn",
            Family::Nvrtc => "nvrtc",
            Family::Cupti => "cupti",
        }
    }

    /// The product's name.
    pub fn label(self) -> &'static str {
        match self {
            Family::Driver => "CUDA driver",
            Family::Runtime => "CUDA runtime",
            Family::Nvml => "NVML",
            Family::Cublas => "cuBLAS",
            Family::Cudnn => "cuDNN",
            Family::Nvrtc => "NVRTC",
            Family::Cupti => "CUPTI",
        }
    }

    /// None for the loader, which has no codes.
    pub fn of(api: Api) -> Option<Family> {
        match api {
            Api::Loader => None,
            Api::Nvml => Some(Family::Nvml),
            Api::Driver => Some(Family::Driver),
            Api::Runtime => Some(Family::Runtime),
            Api::Cublas => Some(Family::Cublas),
            Api::Cupti => Some(Family::Cupti),
        }
    }

    /// All codes of a library, by number.
    pub fn codes(self) -> impl Iterator<Item = Code> {
        let table = match self {
            Family::Driver => driver::TABLE,
            Family::Runtime => runtime::TABLE,
            Family::Nvml => nvml::TABLE,
            Family::Cublas => cublas::TABLE,
            Family::Cudnn => cudnn::TABLE,
            Family::Nvrtc => nvrtc::TABLE,
            Family::Cupti => cupti::TABLE,
        };
        // A meaning that the runtime's table omits is the driver's. Both tables ascend.
        let mut drivers = lines(driver::TABLE);
        lines(table).filter_map(move |(number, name, meaning)| {
            let meaning = meaning.or_else(|| drivers.find(|(other, ..)| *other == number)?.2)?;
            Some(Code { number, name, meaning })
        })
    }

    /// The prefixes of a library's names, squeezed: of errors first.
    fn prefixes(self) -> &'static [&'static str] {
        match self {
            Family::Driver | Family::Runtime => &["cudaerror", "cuda"],
            Family::Nvml => &["nvmlerror", "nvml"],
            Family::Cublas => &["cublasstatus"],
            Family::Cudnn => &["cudnnstatus"],
            Family::Nvrtc => &["nvrtcerror", "nvrtc"],
            Family::Cupti => &["cuptierror", "cupti"],
        }
    }

    /// The squeezed name of a code without the library's prefix.
    pub fn bare(self, code: &Code) -> String {
        let name = squeezed(code.name);
        let bare = self.prefixes().iter().find_map(|prefix| name.strip_prefix(prefix));
        bare.unwrap_or(&name).to_owned()
    }

    pub fn from_key(key: &str) -> Option<Family> {
        Family::ALL.into_iter().find(|family| family.key().eq_ignore_ascii_case(key))
    }
}

fn lines(table: &'static str) -> impl Iterator<Item = (i64, &'static str, Option<&'static str>)> {
    table.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ' ');
        Some((parts.next()?.parse().ok()?, parts.next()?, parts.next()))
    })
}

/// The code with a number.
pub fn named(family: Family, number: i64) -> Option<Code> {
    family.codes().find(|code| code.number == number)
}

/// All codes that a text may mean, such as `803`, `driver:803`, `CUDA_ERROR_SYSTEM_DRIVER_MISMATCH` or
/// `system_driver_mismatch`. The driver and the runtime spell the same name differently; each spelling finds both.
pub fn find(text: &str) -> Vec<(Family, Code)> {
    let (only, text) = match text.split_once(':') {
        Some((key, rest)) => match Family::from_key(key.trim()) {
            Some(family) => (Some(family), rest.trim()),
            None => return Vec::new(),
        },
        None => (None, text.trim()),
    };
    let number: Option<i64> = text.parse().ok();
    let wanted = squeezed(text);
    let is = |family: Family, code: &Code| match number {
        Some(number) => code.number == number,
        None => squeezed(code.name) == wanted || family.bare(code) == wanted,
    };
    let families = Family::ALL.into_iter().filter(|family| only.is_none_or(|only| only == *family));
    families
        .flat_map(|family| {
            family.codes().filter(move |code| is(family, code)).map(move |code| (family, code))
        })
        .collect()
}

/// Normalizes a name for comparison: CUDA_ERROR_NO_DEVICE and cudaErrorNoDevice become equal.
pub fn squeezed(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests;
