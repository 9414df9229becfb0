//! Checks that nobody inside the container can perform: they exist to be explained.

use crate::checks::Outcome;
use crate::facts::Facts;

pub fn unseen(_: &Facts) -> Outcome {
    Outcome::Skip("it cannot be seen from inside a container")
}
