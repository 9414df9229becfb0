//! Faults of the stages that first use the driver.

use crate::checks::shared::faults::phrase;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::Stage;

/// A fault of this number in one of the stages that begin to use the driver.
pub fn failed_with(facts: &Facts, number: i64) -> Option<(&ProbeRun, String)> {
    let stages = [Stage::DriverInit, Stage::Context];
    facts.probes.iter().find_map(|run| {
        let fault = stages.iter().find_map(|stage| run.fault(*stage))?;
        (fault.code == Some(number)).then(|| (run, phrase(fault)))
    })
}
