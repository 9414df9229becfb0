//! Loading libraries, and calling C functions that return a status.
//!
//! The functions are declared to return `c_int` rather than the enum of a binding: a status that the enum
//! lacks would be undefined behavior, and diagnosis needs exactly those. cudarc provides the types of
//! arguments, constants and struct layouts.
//!
//! cudarc's own loader also tries `libX.so` before the soname, which next to a toolkit is a development link
//! or a stub. This one loads the file that was resolved, needs no writable directory, and names every missing
//! symbol.

use std::collections::BTreeSet;
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::emit::{emit, enter};
use protocol::{Api, Event, Fault};

/// Declares a struct of C functions: `table! { Name, Api::X; fn symbol(argument: type); ... }`.
/// Each becomes an unsafe method that announces the call, makes it, and returns a [`Fault`] if the status is
/// not zero. `SYMBOLS` lists the symbols that the library must export.
macro_rules! table {
    ($(#[$doc:meta])* $table:ident, $api:expr; $(fn $name:ident($($argument:ident: $kind:ty),* $(,)?);)*) => {
        $(#[$doc])*
        #[allow(non_snake_case, reason = "fields carry the names of the C functions")]
        pub struct $table {
            pub library: &'static libloading::os::unix::Library,
            $($name: unsafe extern "C" fn($($kind),*) -> std::ffi::c_int,)*
        }

        #[allow(non_snake_case, clippy::too_many_arguments, dead_code, reason = "methods mirror the C functions")]
        impl $table {
            pub const SYMBOLS: &[&str] = &[$(stringify!($name)),*];

            fn bind(library: &'static libloading::os::unix::Library) -> Result<Self, protocol::Fault> {
                // SAFETY: the signatures are those of the library's documented API.
                Ok(unsafe { $table { $($name: $crate::ffi::symbol(library, $api, stringify!($name))?,)* library } })
            }

            $(
                /// # Safety
                /// Pointers must be valid for the C function's reads and writes.
                pub unsafe fn $name(&self, $($argument: $kind),*) -> Result<(), protocol::Fault> {
                    $crate::emit::enter(stringify!($name));
                    // SAFETY: the caller is responsible for the arguments, `bind` for the signature.
                    let code = unsafe { (self.$name)($($argument),*) };
                    if code == 0 { Ok(()) } else { Err(self.fault(stringify!($name), code)) }
                }
            )*
        }
    };
}
pub(crate) use table;

/// Looks up a symbol.
///
/// # Safety
/// `T` must be the type of the C function of that name.
pub unsafe fn symbol<T: Copy>(library: &Library, api: Api, name: &str) -> Result<T, Fault> {
    // SAFETY: the caller guarantees it.
    match unsafe { library.get::<T>(name) } {
        Ok(symbol) => Ok(*symbol),
        Err(error) => Err(Fault {
            api: Api::Loader,
            call: "dlsym".into(),
            code: None,
            name: None,
            detail: format!("{} ({api:?} interface)", message(&error)),
        }),
    }
}

/// Loads a library from `files` (dependencies first), or without files the first of `sonames` that the
/// loader finds. Reports under `name` the files that this mapped.
///
/// Libraries stay loaded: unloading a driver runs its destructors.
pub fn open(name: &str, files: &[String], sonames: &[&str]) -> Result<&'static Library, Fault> {
    let before = mapped();
    let mut opened = None;
    let mut failures = Vec::new();
    if files.is_empty() {
        for soname in sonames {
            match load(soname) {
                Ok(library) => {
                    opened = Some(((*soname).to_owned(), library));
                    break;
                }
                Err(error) => failures.push(error),
            }
        }
    } else {
        for file in files {
            match load(file) {
                Ok(library) => opened = Some((file.clone(), library)),
                Err(error) => {
                    opened = None;
                    failures.push(error);
                    break;
                }
            }
        }
    }
    let Some((asked, library)) = opened else {
        // If none of the sonames exists, the loader's message about the first is enough.
        let present = failures.iter().find(|failure| !failure.contains("No such file"));
        let detail = present.or(failures.first()).cloned().unwrap_or_default();
        return Err(Fault { api: Api::Loader, call: "dlopen".into(), code: None, name: None, detail });
    };
    let mut new: Vec<String> = mapped().difference(&before).cloned().collect();
    let stem = Path::new(&asked).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = stem.split(".so").next().unwrap_or(&stem).to_owned();
    let own = new.iter().position(|path| {
        let file = path.rsplit('/').next().unwrap_or(path);
        file.strip_prefix(stem.as_str()).is_some_and(|rest| rest.starts_with(".so"))
    });
    let path = own.map_or_else(|| asked.clone(), |own| new.remove(own));
    emit(&Event::Library { name: name.to_owned(), asked, path, also: new });
    Ok(library)
}

fn load(file: &str) -> Result<&'static Library, String> {
    enter(&format!("dlopen {file}"));
    // SAFETY: loading runs the library's constructors. They may crash, which is why this process exists.
    let library = unsafe { Library::open(Some(file), RTLD_NOW | RTLD_LOCAL) };
    library.map(|library| &*Box::leak(Box::new(library))).map_err(|error| message(&error))
}

/// The loader's message, which libloading keeps as the source of its error.
fn message(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// The files that are mapped into this process; empty where /proc is masked.
pub fn mapped() -> BTreeSet<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().filter_map(|line| line.find('/').map(|start| line[start..].to_owned())).collect()
}

/// A C string that a library wrote into a buffer.
pub fn text(buffer: &[u8]) -> String {
    let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(buffer.len());
    String::from_utf8_lossy(&buffer[..end]).into_owned()
}

/// A static C string that a library returned; `None` for null.
///
/// # Safety
/// `string` must be null or point to a static string that ends in NUL.
pub unsafe fn static_text(string: *const std::ffi::c_char) -> Option<String> {
    // SAFETY: the caller guarantees it.
    (!string.is_null()).then(|| unsafe { std::ffi::CStr::from_ptr(string) }.to_string_lossy().into_owned())
}
