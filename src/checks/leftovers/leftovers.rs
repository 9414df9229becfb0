//! Files of building and testing are in the image.

use image_audit::leftovers::Kind;
use crate::checks::{Check, Outcome};
use crate::checks::leftovers::sum;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

const LEFTOVERS: &[Kind] =
    &[Kind::Git, Kind::BuildTrees, Kind::DebugSymbols, Kind::TemporaryFiles, Kind::CrashDumps];

pub const CHECK: Check = Check {
    id: "leftovers.leftovers",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Files of building and testing are in the image",
    why: "A .git directory, build trees, debug symbols, temporary files and crash dumps have no use at run time, \
          and may tell more than they should.",
    remedy: "Name them in .dockerignore, and delete what a RUN makes in that same RUN",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    sum(facts, LEFTOVERS)
}
