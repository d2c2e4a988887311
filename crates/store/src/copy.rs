//! A copy of an object in heap memory of its own, aligned as objects are.

use std::ptr::NonNull;

use crate::{Error, line::Line};

/// Lines are written once, here, and afterwards only through the address that was handed out.
#[derive(Debug)]
pub(crate) struct Copy {
    _lines: Vec<Line>,
    start: NonNull<u8>,
}

impl Copy {
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Error> {
        let (whole, rest) = bytes.as_chunks();
        let mut lines = Vec::new();
        lines.try_reserve_exact(whole.len() + 1).map_err(|_| {
            Error::out_of_memory("copy an object for its reader", bytes.len() as u64, None)
        })?;
        lines.extend(whole.iter().map(|line| Line(*line)));
        if !rest.is_empty() {
            let mut line = [0; size_of::<Line>()];
            line[..rest.len()].copy_from_slice(rest);
            lines.push(Line(line));
        }
        let start = NonNull::new(lines.as_mut_ptr()).expect("a vector's address is not null");
        Ok(Self {
            _lines: lines,
            start: start.cast(),
        })
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }
}
