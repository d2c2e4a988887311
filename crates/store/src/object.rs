//! The name of a sealed object: a place in the table and which of its tenants is meant.

/// Names a sealed object. Plain data: copying it holds nothing, and a stale one is found out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Object {
    /// The entry in the store's table.
    pub index: u32,
    /// Counts the entry's tenants; 0 is never valid.
    pub generation: u32,
}
