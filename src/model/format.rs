//! What a report is printed as.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A report to read
    Human,
    /// The whole report as JSON; docs/schema.json describes it
    Json,
    /// Findings only, as SARIF 2.1.0 for code-scanning services
    Sarif,
}
