//! Small types that facts, checks, report and renderers share. No I/O, no judgement.

pub mod compute_mode;
pub mod evidence;
pub mod field;
pub mod finding;
pub mod fix;
pub mod format;
pub mod gpu_ref;
pub mod gpu_selector;
pub mod level;
pub mod owner;
pub mod question;
pub mod severity;
pub mod skip;
pub mod stage;
pub mod words;

pub use compute_mode::ComputeMode;
pub use evidence::Evidence;
pub use field::Field;
pub use finding::{AcceptedFinding, Finding, Skipped};
pub use fix::Fix;
pub use format::Format;
pub use gpu_ref::GpuRef;
pub use gpu_selector::GpuSelector;
pub use level::Level;
pub use owner::Owner;
pub use question::Question;
pub use severity::Severity;
pub use skip::Skip;
pub use stage::Stage;
