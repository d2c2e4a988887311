//! From oxc's positions, which count bytes of UTF-8, to JavaScript's, which count code units of UTF-16.

/// Part of a text, in UTF-16 code units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Of the first unit.
    pub start: u32,
    /// Behind the last unit.
    pub end: u32,
}
