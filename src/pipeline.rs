//! From facts to a report: the checks, then the assembly. Facts are saved on the way where that is wanted.

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

/// The report on saved facts. What was asked for when they were saved is asked for now, except for what `change`
/// changes; acceptance is judged by the day on which the facts were gathered.
pub fn report_again(file: &Path, change: impl FnOnce(&mut Request)) -> Result<Report> {
    let Saved { mut facts, seconds } = saved::read(file)?;
    change(&mut facts.request);
    Ok(assemble(&facts, checks::judge(&facts), seconds))
}

/// Where facts are to be saved. A place that cannot be written to is refused before a minute's work is lost.
pub fn saving(file: Option<&Path>) -> Result<Option<&Path>> {
    file.map(saved::refuse_unwritable).transpose()?;
    Ok(file)
}
