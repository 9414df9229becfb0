//! Search paths: the environment, and the variables in paths.

use std::borrow::Cow;

use super::closure::Loaded;

/// The environment of the image's programs, as far as the loader uses it.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// LD_LIBRARY_PATH.
    pub library_path: Option<String>,
    /// LD_PRELOAD.
    pub preload: Option<String>,
    /// The directory that relative search paths start from.
    pub working_directory: String,
}

/// Turns search paths into directories.
#[derive(Debug)]
pub struct Paths {
    pub environment: Environment,
    /// The value of `$LIB`.
    pub lib: String,
}

impl Paths {
    /// The directories of LD_LIBRARY_PATH; `origin` is that of the main object.
    pub fn library_path(&self, origin: &str) -> Vec<String> {
        let Some(path) = &self.environment.library_path else { return Vec::new() };
        if path.is_empty() {
            return Vec::new();
        }
        path.split([':', ';']).map(|path| self.absolute(self.expand(path, origin))).collect()
    }

    /// Relative and empty directories are relative to the working directory.
    pub fn absolute(&self, path: String) -> String {
        match path.as_str() {
            absolute if absolute.starts_with('/') => path,
            relative => format!("{}/{relative}", self.environment.working_directory.trim_end_matches('/')),
        }
    }

    /// Expands `$ORIGIN`, `$LIB` and `$PLATFORM`.
    pub fn expand(&self, path: &str, origin: &str) -> String {
        let mut path = Cow::Borrowed(path);
        for (name, value) in [("ORIGIN", origin), ("LIB", &self.lib), ("PLATFORM", std::env::consts::ARCH)] {
            if path.contains('$') {
                let put = path.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
                path = put.into();
            }
        }
        path.into_owned()
    }

    /// The directories of an object's search paths.
    pub fn directories(&self, object: &Loaded, paths: &[String]) -> Vec<String> {
        paths.iter().map(|path| self.absolute(self.expand(path, object.origin()))).collect()
    }
}
