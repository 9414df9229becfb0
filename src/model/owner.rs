//! Who has to act on a finding.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// Whoever starts the container: flags, environment, Kubernetes fields.
    Launch,
    /// Whoever builds the image.
    Image,
    /// Whoever runs the machine.
    Node,
    /// Whoever writes the program that runs in the container.
    Application,
    /// No action needed.
    Nobody,
}

impl Owner {
    pub fn name(self) -> &'static str {
        match self {
            Owner::Launch => "launch",
            Owner::Image => "image",
            Owner::Node => "node",
            Owner::Application => "application",
            Owner::Nobody => "nobody",
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.pad(self.name())
    }
}
