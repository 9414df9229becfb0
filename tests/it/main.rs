//! Integration tests: they run the binary, as users do. One module per subject:
//!
//! - `cli`        flags, environment variables, configuration files, exit codes, help
//! - `embedded`   the binary and the probe in it: static, dynamic, glibc floor, size
//! - `no_gpu`     reasons why there is no GPU, one root each
//! - `machine`    a fake machine with one GPU or eight, healthy and faulty
//! - `health`     which faults fail which probe, GPU selection, resource limits
//! - `serve`      HTTP answers, stale results, limits on clients, shutdown
//! - `supervise`  probes that hang, crash, flood, fork, or cannot be killed
//! - `start`      ways to start the probe, with some of them blocked
//! - `image`      audits of archives: layers, secrets, budgets, accepted findings, output formats
//! - `saved`      facts in a file: same report elsewhere, redaction, hostile files, older schemas
//! - `frameworks` packages with device code: predictions, and what they lack
//! - `predict`    whether an image would work on a described machine (real parts)
//! - `trees`      audits of real trees, compared with tables (real parts)
//! - `drivers`    symbols of real driver libraries, ptxas, real libraries and headers (real parts)
//! - `matrix`     every failure mode, built as it occurs, and the finding that must come first
//! - `units`      the probe's unit tests, which are behind a feature
//!
//! `util` makes roots and runs the binary in them. A suite whose real parts are missing prints SKIPPED;
//! with CUDACHECK_REAL=1, as in CI, it fails.

mod cli;
mod drivers;
mod embedded;
mod frameworks;
mod health;
mod image;
mod machine;
mod matrix;
mod no_gpu;
mod predict;
mod saved;
mod serve;
mod start;
mod supervise;
mod trees;
mod units;
mod util;
