//! Paths of package databases.

/// Directory of the file lists of dpkg.
pub const DPKG_INFO: &str = "/var/lib/dpkg/info";
/// The status file of dpkg.
pub const DPKG_STATUS: &str = "/var/lib/dpkg/status";
/// Directory of the status files in distroless images.
pub const DPKG_STATUS_D: &str = "/var/lib/dpkg/status.d";
/// Paths of apk's database.
pub const APK: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];
/// Paths of rpm's database.
pub const RPM: [&str; 2] = ["/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite"];

/// Whether a file is needed to find owners, and therefore kept when an archive is read.
pub fn is_database(path: &str) -> bool {
    is_dpkg(path) || is_pip(path) || is_conda(path) || APK.contains(&path) || RPM.contains(&path)
}

fn is_dpkg(path: &str) -> bool {
    path == DPKG_STATUS
        || path.starts_with(DPKG_STATUS_D)
        || path.strip_prefix(DPKG_INFO).is_some_and(|rest| rest.ends_with(".list"))
}

fn is_pip(path: &str) -> bool {
    let directory = path.strip_suffix("/RECORD").or_else(|| path.strip_suffix("/METADATA"));
    directory.is_some_and(|directory| directory.ends_with(".dist-info"))
}

/// Whether a file is a package record of a conda environment.
pub fn is_conda(path: &str) -> bool {
    path.ends_with(".json") && path.rsplit('/').nth(1) == Some("conda-meta")
}
