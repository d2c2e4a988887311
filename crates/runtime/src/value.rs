//! Encoded bytes and where they lie, with the refs that they carry outside of them.

use mobula_sched::Key;
use mobula_store::{Object, Pin, Store};
use std::sync::Arc;

use crate::area::Area;
use crate::inline::InlineBytes;
use crate::layout::{COPY_MAX, REF_BYTES};

/// Which bytes of a slot are meant.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The arguments of the task.
    Arguments,
    /// The value of the object.
    Value,
}

/// A ref inside a value: the slot it names, and the words that only its readers understand (index, runtime, id).
#[derive(Copy, Clone, Debug)]
pub(crate) struct RefEntry {
    pub(crate) key: Key,
    pub(crate) words: [u32; 6],
}

impl RefEntry {
    pub(crate) fn read(area: &Area<'_>, at: usize) -> Self {
        let [index, generation, words @ ..] = area.words::<8>(at);
        Self {
            key: Key { index, generation },
            words,
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for word in [self.key.index, self.key.generation]
            .iter()
            .chain(&self.words)
        {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }
}

/// A table of refs as readers see it.
pub(crate) fn table_bytes<'a>(refs: impl IntoIterator<Item = &'a RefEntry>) -> Vec<u8> {
    let refs = refs.into_iter();
    let mut out = Vec::with_capacity(refs.size_hint().0 * REF_BYTES);
    refs.for_each(|entry| entry.write(&mut out));
    out
}

/// A sealed object of the store, released when this is dropped.
#[derive(Debug)]
pub(crate) struct Stored {
    store: Arc<Store>,
    object: Object,
    len: u64,
}

impl Stored {
    pub(crate) fn new(store: Arc<Store>, object: Object, len: u64) -> Self {
        Self { store, object, len }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn object(&self) -> Object {
        self.object
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.store.release(self.object);
    }
}

/// Where encoded bytes lie.
#[derive(Debug)]
pub(crate) enum Bytes {
    Inline(InlineBytes),
    Stored(Stored),
}

/// An encoded value: bytes, and the refs in them.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) bytes: Bytes,
    pub(crate) refs: Box<[RefEntry]>,
    /// Of the task whose result it is; `u32::MAX` for others.
    pub(crate) function: u32,
}

impl Value {
    /// The stored object, if records carry a copy of it: it is to be pinned first, without any lock, since that may read a disk.
    pub(crate) fn copied_object(&self) -> Option<Object> {
        match &self.bytes {
            Bytes::Stored(stored) if stored.len() <= COPY_MAX as u64 => Some(stored.object()),
            _ => None,
        }
    }

    /// What a record carries of it: bytes that lie here, or those of a pin of its object.
    pub(crate) fn copied<'a>(&'a self, pin: Option<&'a Pin>) -> Option<&'a [u8]> {
        match &self.bytes {
            Bytes::Inline(bytes) => Some(bytes),
            Bytes::Stored(stored) => pin
                .filter(|pin| pin.object() == stored.object())
                .map(Pin::bytes),
        }
    }
}
