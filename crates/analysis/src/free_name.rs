//! A name that a function uses and does not declare.

/// A free name, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeName {
    /// As JavaScript sees it, escapes resolved.
    pub name: String,
    /// Of the first use.
    pub at: u32,
    /// The function can live without it: it is used under `typeof` somewhere, or it may be the name of a function in a
    /// block, which sloppy code sees outside of that block as well.
    pub is_optional: bool,
    /// Something is assigned to it.
    pub is_assigned: bool,
    /// Every use reads a member of it whose name is written there.
    pub has_members: bool,
    /// Some such member is called at once, so that it sees the whole as `this`.
    pub is_receiver: bool,
    /// Those members, in order of first appearance; empty without `has_members`.
    pub members: Vec<String>,
}
