//! The driver libraries are in a directory that the dynamic loader does not search.

use crate::checks::shared::loading::{Directory, LOAD_CONSEQUENCES, not_searched};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.library-path",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The loader does not search the driver's library directory",
    why: "Some platforms, GKE in particular, mount the driver in a directory of their own and expect the image to search \
          there. Older CUDA images set LD_LIBRARY_PATH for that; newer ones do not.",
    remedy: "In the Dockerfile: `ENV LD_LIBRARY_PATH=/usr/local/nvidia/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`",
    explains: LOAD_CONSEQUENCES,
    codes: &[(Library::Runtime, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // In a directory of the system the loader's cache is at fault: image.no-ld-cache reports that.
    not_searched(facts, Directory::Other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{passes, problem};
    use crate::facts::host::DriverFile;
    use crate::facts::sample::{Sample, not_loaded};
    use crate::model::Stage;

    const MESSAGE: &str = "libcuda.so.1: cannot open shared object file: No such file or directory";

    fn in_directory(directory: &str, message: &str) -> Sample {
        let path = format!("{directory}/libcuda.so.1");
        let file = DriverFile { path: path.clone(), real: path, bytes: 1000, mounted: true };
        Sample::machine(1)
            .fault(None, Stage::LoadDriver, not_loaded(message))
            .host(|host| host.driver_files.push(file))
    }

    #[test]
    fn the_remedy_names_the_directory() {
        for directory in ["/usr/local/nvidia/lib64", "/usr/lib/wsl/lib"] {
            let problem = problem(judge(&in_directory(directory, MESSAGE).facts()));
            assert!(problem.remedy.unwrap().contains(&format!("ENV LD_LIBRARY_PATH={directory}$")));
        }
    }

    #[test]
    fn directories_of_the_system_and_other_messages_are_something_else() {
        let other = "/usr/local/nvidia/lib64/libcuda.so.1: version `GLIBC_2.99' not found";
        for sample in [
            in_directory("/usr/lib64", MESSAGE),
            in_directory("/usr/local/nvidia/lib64", other),
            Sample::machine(1).fault(None, Stage::LoadDriver, not_loaded(MESSAGE)),
        ] {
            assert!(passes(judge(&sample.facts())));
        }
    }
}
