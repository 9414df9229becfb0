//! From facts to a report: the checks, then the assembly. Saves the facts if requested.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::checks;
use crate::facts::saved::{self, Saved};
use crate::facts::{Facts, Request};
use crate::report::{Report, assemble};

pub fn report(facts: &Facts, start: Instant, saving: Option<&Path>) -> Result<Report> {
    let report = assemble(facts, checks::judge(facts), start.elapsed().as_secs_f64());
    if let Some(file) = saving {
        saved::save(file, facts, report.seconds)?;
    }
    Ok(report)
}

/// The report on saved facts, for the request that was saved with them, after `change`. Acceptances are compared with
/// the day on which the facts were gathered.
pub fn report_again(file: &Path, change: impl FnOnce(&mut Request)) -> Result<Report> {
    let Saved { mut facts, seconds } = saved::read(file)?;
    change(&mut facts.request);
    Ok(assemble(&facts, checks::judge(&facts), seconds))
}

/// Where to save facts. A file that cannot be written is refused before any work is done.
pub fn saving(file: Option<&Path>) -> Result<Option<&Path>> {
    file.map(saved::refuse_unwritable).transpose()?;
    Ok(file)
}
