//! Error codes of NVIDIA's libraries: names and meanings. Checks decide which finding a code belongs to.

use crate::facts::event::Api;

/// `table! { number NAME "meaning"; ... }`, numbers ascending.
macro_rules! table {
    ($($number:literal $name:ident $($meaning:literal)?;)*) => {
        pub const TABLE: &[super::Row] = &[$(super::Row {
            number: $number,
            name: stringify!($name),
            meaning: [$($meaning)?].as_slice().first().copied(),
        }),*];
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
pub enum Library {
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

/// One line of a table.
struct Row {
    number: i64,
    name: &'static str,
    meaning: Option<&'static str>,
}

impl Library {
    pub const ALL: [Library; 7] = [
        Library::Driver,
        Library::Runtime,
        Library::Nvml,
        Library::Cublas,
        Library::Cudnn,
        Library::Nvrtc,
        Library::Cupti,
    ];

    /// The prefix in `library:number` on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Library::Driver => "driver",
            Library::Runtime => "runtime",
            Library::Nvml => "nvml",
            Library::Cublas => "cublas",
            Library::Cudnn => "cudnn",
            Library::Nvrtc => "nvrtc",
            Library::Cupti => "cupti",
        }
    }

    /// The product's name.
    pub fn label(self) -> &'static str {
        match self {
            Library::Driver => "CUDA driver",
            Library::Runtime => "CUDA runtime",
            Library::Nvml => "NVML",
            Library::Cublas => "cuBLAS",
            Library::Cudnn => "cuDNN",
            Library::Nvrtc => "NVRTC",
            Library::Cupti => "CUPTI",
        }
    }

    /// None for the loader, which has no codes.
    pub fn of(api: Api) -> Option<Library> {
        match api {
            Api::Loader => None,
            Api::Nvml => Some(Library::Nvml),
            Api::Driver => Some(Library::Driver),
            Api::Runtime => Some(Library::Runtime),
            Api::Cublas => Some(Library::Cublas),
            Api::Cupti => Some(Library::Cupti),
        }
    }

    /// All codes of a library, by number.
    pub fn codes(self) -> impl Iterator<Item = Code> {
        let table = match self {
            Library::Driver => driver::TABLE,
            Library::Runtime => runtime::TABLE,
            Library::Nvml => nvml::TABLE,
            Library::Cublas => cublas::TABLE,
            Library::Cudnn => cudnn::TABLE,
            Library::Nvrtc => nvrtc::TABLE,
            Library::Cupti => cupti::TABLE,
        };
        // A meaning that the runtime's table omits is the driver's. Both tables ascend.
        let mut drivers = driver::TABLE.iter();
        table.iter().filter_map(move |&Row { number, name, meaning }| {
            let meaning = meaning.or_else(|| drivers.find(|other| other.number == number)?.meaning)?;
            Some(Code { number, name, meaning })
        })
    }

    /// The prefixes of a library's names, squeezed: of errors first.
    fn prefixes(self) -> &'static [&'static str] {
        match self {
            Library::Driver | Library::Runtime => &["cudaerror", "cuda"],
            Library::Nvml => &["nvmlerror", "nvml"],
            Library::Cublas => &["cublasstatus"],
            Library::Cudnn => &["cudnnstatus"],
            Library::Nvrtc => &["nvrtcerror", "nvrtc"],
            Library::Cupti => &["cuptierror", "cupti"],
        }
    }

    /// The squeezed name of a code without the library's prefix.
    pub fn bare(self, code: &Code) -> String {
        let name = squeezed(code.name);
        let bare = self.prefixes().iter().find_map(|prefix| name.strip_prefix(prefix));
        bare.unwrap_or(&name).to_owned()
    }

    pub fn from_key(key: &str) -> Option<Library> {
        Library::ALL.into_iter().find(|library| library.key().eq_ignore_ascii_case(key))
    }
}

/// The code with a number.
pub fn named(library: Library, number: i64) -> Option<Code> {
    library.codes().find(|code| code.number == number)
}

/// All codes that a text may mean, such as `803`, `driver:803`, `CUDA_ERROR_SYSTEM_DRIVER_MISMATCH` or
/// `system_driver_mismatch`. The driver and the runtime spell the same name differently; each spelling finds both.
pub fn find(text: &str) -> Vec<(Library, Code)> {
    let (only, text) = match text.split_once(':') {
        Some((key, rest)) => match Library::from_key(key.trim()) {
            Some(library) => (Some(library), rest.trim()),
            None => return Vec::new(),
        },
        None => (None, text.trim()),
    };
    let number: Option<i64> = text.parse().ok();
    let wanted = squeezed(text);
    let is = |library: Library, code: &Code| match number {
        Some(number) => code.number == number,
        None => squeezed(code.name) == wanted || library.bare(code) == wanted,
    };
    let libraries = Library::ALL.into_iter().filter(|library| only.is_none_or(|only| only == *library));
    libraries
        .flat_map(|library| {
            library.codes().filter(move |code| is(library, code)).map(move |code| (library, code))
        })
        .collect()
}

/// Normalizes a name for comparison: CUDA_ERROR_NO_DEVICE and cudaErrorNoDevice become equal.
pub fn squeezed(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests;
