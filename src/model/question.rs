//! The questions that decide whether an image works on a described machine.

use std::fmt;

use serde::Serialize;

/// In the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Question {
    /// Does the image have code for the GPU?
    Code,
    /// Does the driver support the CUDA of the image?
    Cuda,
    /// Does the image have the libraries that its programs are linked to?
    Libraries,
    /// Does the driver support the GPU?
    Gpu,
    /// Does the kernel module support the GPU?
    Module,
    /// Does the machine meet NVIDIA_REQUIRE_CUDA?
    Requirement,
}

impl Question {
    pub const ALL: [Question; 6] = [
        Question::Code,
        Question::Cuda,
        Question::Libraries,
        Question::Gpu,
        Question::Module,
        Question::Requirement,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Question::Code => "code",
            Question::Cuda => "cuda",
            Question::Libraries => "libraries",
            Question::Gpu => "gpu",
            Question::Module => "module",
            Question::Requirement => "requirement",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.pad(self.name())
    }
}
