//! Tests drive the binary, as users do. Each module is a subject:
//!
//! - `cli`        flags, bad input, exit codes, help
//! - `embedded`   the binary and the probe in it: static, dynamic, glibc floor, size
//! - `no_gpu`     why there is no GPU, in roots that are made for it
//! - `machine`    a fake machine of one and of eight GPUs, whole and with faults
//! - `health`     what fails which probe, which GPUs it is about, limits that it survives
//! - `serve`      answers over HTTP, their age, bounds on clients, the end
//! - `supervise`  probes that hang, crash, flood, fork, and cannot be killed
//! - `start`      the ways of starting the probe, where some of them are refused
//! - `image`      audits of archives: layers, secrets, budgets, acceptance, forms of output
//! - `saved`      facts in a file: the same report elsewhere, redaction, hostile files
//! - `predict`    whether images would work on machines that are only described (real parts)
//! - `trees`      the census of real trees against tables (real parts)
//! - `drivers`    symbols of real driver libraries, ptxas, real libraries and headers (real parts)
//! - `matrix`     every way of failing, built as it occurs, against the finding that must come first
//! - `units`      the probe's own unit tests, which need its feature
//!
//! `util` makes roots and runs the binary in them. Suites that need real parts say so when they
//! are skipped; with CUDACHECK_REAL=1, as in CI, a missing part is a failure.

mod cli;
mod drivers;
mod embedded;
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
