//! Words and bytes of an area, checked: JavaScript wrote the offsets.

use crate::layout::{self, header};

/// An area during one call into the port.
#[derive(Debug)]
pub(crate) struct Area<'a> {
    bytes: &'a mut [u8],
}

impl<'a> Area<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        debug_assert!(bytes.len() >= layout::AREA_BYTES);
        Self { bytes }
    }

    pub(crate) fn word(&self, at: usize) -> u32 {
        match self.bytes.get(at..at + 4) {
            Some(word) => u32::from_le_bytes([word[0], word[1], word[2], word[3]]),
            None => 0,
        }
    }

    pub(crate) fn set_word(&mut self, at: usize, value: u32) {
        if let Some(word) = self.bytes.get_mut(at..at + 4) {
            word.copy_from_slice(&value.to_le_bytes());
        }
    }

    pub(crate) fn words<const N: usize>(&self, at: usize) -> [u32; N] {
        std::array::from_fn(|k| self.word(at + 4 * k))
    }

    pub(crate) fn set_words(&mut self, at: usize, words: &[u32]) {
        for (k, word) in words.iter().enumerate() {
            self.set_word(at + 4 * k, *word);
        }
    }

    pub(crate) fn header(&self, index: usize) -> u32 {
        self.word(4 * index)
    }

    pub(crate) fn set_header(&mut self, index: usize, value: u32) {
        self.set_word(4 * index, value);
    }

    /// Bytes of a region; empty if they do not lie in it.
    pub(crate) fn bytes(&self, start: usize, offset: usize, len: usize) -> &[u8] {
        let from = start.saturating_add(offset);
        self.bytes
            .get(from..from.saturating_add(len))
            .unwrap_or(&[])
    }

    pub(crate) fn exit_text(&self) -> String {
        let len = (self.header(header::EXIT_TEXT) as usize).min(layout::EXIT_TEXT_MAX);
        String::from_utf8_lossy(self.bytes(layout::EXIT_TEXT_AT, 0, len)).into_owned()
    }
}

/// Fills one of the heaps from its start.
#[derive(Debug)]
pub(crate) struct Heap {
    start: usize,
    used: usize,
}

impl Heap {
    pub(crate) fn new(start: usize) -> Self {
        Self { start, used: 0 }
    }

    /// True if so many bytes, in so many pieces, still fit.
    pub(crate) fn fits(&self, bytes: usize, pieces: usize) -> bool {
        self.used + bytes + 64 * pieces <= layout::HEAP_BYTES
    }

    /// Copies bytes in at a 64-byte boundary, so that they can be read as any element type; returns their offset.
    pub(crate) fn put(&mut self, area: &mut Area<'_>, bytes: &[u8]) -> u32 {
        let at = self.used.next_multiple_of(64);
        if let Some(target) = area
            .bytes
            .get_mut(self.start + at..self.start + at + bytes.len())
        {
            target.copy_from_slice(bytes);
        }
        self.used = at + bytes.len();
        at as u32
    }
}
