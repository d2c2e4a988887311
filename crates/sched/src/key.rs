//! The name of a slot: where it lies and which of its lives is meant.

/// A slot's index and the generation it had when the key was made. A key of an earlier generation is stale.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Place in the table.
    pub index: u32,
    /// Which life of the place; 0 is never valid.
    pub generation: u32,
}
