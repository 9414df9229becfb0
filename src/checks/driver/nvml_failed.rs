//! Finds containers without NVML, at the level that queries nothing else.

use crate::checks::driver::nvml_fault;
use crate::checks::shared::faults::phrase;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "driver.nvml-failed",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "NVML does not work in this container",
    why: "Level nvml queries only NVML, and NVML did not answer. Error 18 means that the library and the kernel module \
          have different versions, 9 that no driver is loaded, 999 that device nodes cannot be opened, 4 that access to \
          them is denied.",
    remedy: "Recreate the container, so that it gets the libraries and device nodes of the running driver",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.level != Level::Nvml {
        return Outcome::Skip("above level nvml, driver.nvml reports it");
    }
    nvml_fault(facts).map(|fault| Problem::new(phrase(fault))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Api;
    use crate::facts::sample::{Sample, of_api};
    use crate::model::Stage;

    #[test]
    fn nvml_that_does_not_initialize_is_an_error_at_its_own_level() {
        let outcome = |level, stage| {
            let refused = of_api(Api::Nvml, "nvmlInit_v2", 18);
            judge(&Sample::machine(1).level(level).fault(None, stage, refused).facts())
        };
        assert_eq!(
            outcome(Level::Nvml, Stage::NvmlInit).causes(),
            ["nvmlInit_v2 returned 18 (NVML_ERROR_LIB_RM_VERSION_MISMATCH)."]
        );
        assert!(outcome(Level::Nvml, Stage::NvmlDevice).causes().is_empty());
        assert!(matches!(outcome(Level::Driver, Stage::NvmlInit), Outcome::Skip(_)));
    }
}
