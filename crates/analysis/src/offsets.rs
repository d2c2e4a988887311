//! From oxc's positions, which count bytes of UTF-8, to JavaScript's, which count code units of UTF-16.

use oxc_span::Span;

/// Part of a text, in UTF-16 code units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Of the first unit.
    pub start: u32,
    /// Behind the last unit.
    pub end: u32,
}

/// Positions of a text that lies inside of another one, which was parsed.
pub(crate) struct Offsets {
    /// Bytes in front of the text.
    prefix: u32,
    /// Behind each character of several bytes: where, and how many bytes there were more than units up to there.
    surplus: Vec<(u32, u32)>,
}

impl Offsets {
    pub(crate) fn new(text: &str, prefix: u32) -> Self {
        let mut surplus = Vec::new();
        if !text.is_ascii() {
            let mut more = 0;
            for (at, char) in text.char_indices().filter(|(_, char)| !char.is_ascii()) {
                more += char.len_utf8() - char.len_utf16();
                surplus.push(((at + char.len_utf8()) as u32, more as u32));
            }
        }
        Self { prefix, surplus }
    }

    pub(crate) fn at(&self, position: u32) -> u32 {
        let byte = position.saturating_sub(self.prefix);
        let behind = self.surplus.partition_point(|&(end, _)| end <= byte);
        match behind
            .checked_sub(1)
            .and_then(|last| self.surplus.get(last))
        {
            Some((_, more)) => byte - more,
            None => byte,
        }
    }

    pub(crate) fn range(&self, span: Span) -> Range {
        Range {
            start: self.at(span.start),
            end: self.at(span.end),
        }
    }
}
