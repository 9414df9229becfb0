//! Whether the image works on this machine cannot be told from here.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.unknown",
    severity: Severity::Unknown,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Whether the image works on this machine cannot be told from here",
    why: "A prediction rests on the device code and the libraries of the image and on what is known of drivers. \
          Where one of them is missing nothing is promised.",
    remedy: "Say more of the machine (cuda=, datacenter=), audit at the full level, or try it there: cudacheck",
    explains: &[],
    codes: &[],
    judge: |facts| found(facts, "predict.unknown"),
};
