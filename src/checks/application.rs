//! What only the application itself can see.

family! {
    context_dead
}
