//! What only the application itself can see.

use crate::checks::family;

family! {
    context_dead
}
