//! The parts of a path that its text shows: file name, directory, stem of a library, site of a Python package.
//!
//! Links are not followed here: that is `Tree::resolve`.

use memchr::memrchr;

/// The last component.
pub fn name(path: &str) -> &str {
    split(path).map_or(path, |(_, name)| name)
}

/// What is before the last slash; nothing without one.
pub fn directory(path: &str) -> &str {
    split(path).map_or("", |(directory, _)| directory)
}

/// Directory and file name.
pub fn split(path: &str) -> Option<(&str, &str)> {
    let slash = memrchr(b'/', path.as_bytes())?;
    Some((&path[..slash], &path[slash + 1..]))
}

/// `libcublas` of `/usr/lib/libcublas.so.12`.
pub fn stem(path: &str) -> &str {
    let name = name(path);
    name.find(".so").map_or(name, |end| &name[..end])
}

/// The directory of Python packages that contains a file, with a trailing slash. In the cache of uv, each wheel has one
/// of its own.
pub fn site(path: &str) -> Option<&str> {
    let of_python = ["/site-packages/", "/dist-packages/"];
    let of_python = of_python.iter().filter_map(|site| path.rfind(site).map(|at| at + site.len())).max();
    let of_uv = || {
        let start = path.find("/archive-v")? + 1;
        let wheel = start + path[start..].find('/')? + 1;
        Some(wheel + path[wheel..].find('/')? + 1)
    };
    of_python.or_else(of_uv).map(|end| &path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        for (path, of_name, of_directory, of_stem) in [
            ("/usr/lib/libcublas.so.12", "libcublas.so.12", "/usr/lib", "libcublas"),
            ("/libx", "libx", "", "libx"),
            ("libx.so", "libx.so", "", "libx"),
            ("/usr/", "", "/usr", ""),
            ("", "", "", ""),
        ] {
            assert_eq!((name(path), directory(path), stem(path)), (of_name, of_directory, of_stem), "{path}");
        }
        assert_eq!(
            site("/venv/lib/python3.12/site-packages/torch/x.py"),
            Some("/venv/lib/python3.12/site-packages/")
        );
        assert_eq!(
            site("/root/.cache/uv/archive-v0/abc/torch/x.py"),
            Some("/root/.cache/uv/archive-v0/abc/")
        );
        assert_eq!(site("/usr/lib/x.py"), None);
    }
}
