//! CUDA finds no device on a Jetson.

use crate::checks::shared::platform::{PLATFORM_CONSEQUENCES, unusable};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.jetson",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The Jetson's integrated GPU does not work here",
    why: "On Tegra, --runtime nvidia mounts the driver file by file, and its device nodes (/dev/nvmap, \
          /dev/nvhost-*) belong to the group video. --gpus does not provide them on all releases.",
    remedy: "`docker run --runtime nvidia --group-add video -e NVIDIA_VISIBLE_DEVICES=all ...`",
    explains: PLATFORM_CONSEQUENCES,
    codes: &[(Library::Driver, 100), (Library::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let process = &facts.host.process;
    let cause = match process.uid {
        0 => "This is a Jetson, and CUDA finds no device.".to_owned(),
        uid => format!("This is a Jetson, and CUDA finds no device as user {uid}."),
    };
    unusable(facts, facts.host.platform.jetson, &cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::not_injected;
    use crate::checks::testing::{passes, problem};
    use crate::facts::sample::Sample;

    #[test]
    fn the_user_is_named_unless_it_is_root() {
        let jetson = |uid| {
            let sample = not_injected().host(|host| {
                host.platform.jetson = true;
                host.process.uid = uid;
            });
            problem(judge(&sample.facts())).cause
        };
        assert!(jetson(1000).contains("user 1000"));
        assert!(!jetson(0).contains("user"));
    }

    #[test]
    fn a_working_jetson_passes() {
        let facts = Sample::machine(1).host(|host| host.platform.jetson = true).facts();
        assert!(passes(judge(&facts)));
    }
}
