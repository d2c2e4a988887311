//! Records as TypeScript writes and reads them: little-endian words at the places that `layout` names.

use std::fmt;

use mobula_runtime::layout::{self, header};
use mobula_sched::Key;

/// What a task record says.
#[derive(Debug, Clone)]
pub(crate) struct TaskRecord {
    /// Its place in the round, for the claim.
    pub(crate) k: usize,
    pub(crate) key: Key,
    pub(crate) function: u32,
    pub(crate) place: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) deps: Vec<Key>,
    pub(crate) refs: Vec<Key>,
    /// The values of the deps, if the record has them.
    pub(crate) carried: Vec<Vec<u8>>,
    /// Whose call it is, or whose constructor.
    pub(crate) actor: Option<Key>,
    /// Which of its births that is of; 0: of none.
    pub(crate) birth: u32,
}

/// What became of an object.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pending,
    Value {
        bytes: Vec<u8>,
        refs: Vec<Key>,
    },
    Thrown {
        bytes: Vec<u8>,
        refs: Vec<Key>,
    },
    Crashed {
        exit_code: Option<u32>,
        text: String,
    },
    Setup {
        text: String,
    },
    Gone,
    Freed,
    Lost,
    /// In place of an item.
    End,
    Cancelled,
    TimedOut {
        ms: u64,
    },
    /// A reason of `layout`.
    ActorDied {
        reason: u32,
    },
    /// What its constructor threw.
    ActorBroken {
        bytes: Vec<u8>,
    },
    ActorUnavailable,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be long: how they begin tells them apart.
        let mut value = |name: &str, bytes: &[u8], refs: &[Key]| {
            let start = &bytes[..bytes.len().min(16)];
            write!(f, "{name}({} bytes {start:?}, {refs:?})", bytes.len())
        };
        match self {
            Outcome::Pending => f.write_str("Pending"),
            Outcome::Value { bytes, refs } => value("Value", bytes, refs),
            Outcome::Thrown { bytes, refs } => value("Thrown", bytes, refs),
            Outcome::Crashed { exit_code, text } => write!(f, "Crashed({exit_code:?}, {text:?})"),
            Outcome::Setup { text } => write!(f, "Setup({text:?})"),
            Outcome::Gone => f.write_str("Gone"),
            Outcome::Freed => f.write_str("Freed"),
            Outcome::Lost => f.write_str("Lost"),
            Outcome::End => f.write_str("End"),
            Outcome::Cancelled => f.write_str("Cancelled"),
            Outcome::TimedOut { ms } => write!(f, "TimedOut({ms})"),
            Outcome::ActorDied { reason } => write!(f, "ActorDied({reason})"),
            Outcome::ActorBroken { bytes } => value("ActorBroken", bytes, &[]),
            Outcome::ActorUnavailable => f.write_str("ActorUnavailable"),
        }
    }
}

pub(crate) fn word(area: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(area[at..at + 4].try_into().unwrap())
}

pub(crate) fn set_word(area: &mut [u8], at: usize, value: u32) {
    area[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn header(area: &[u8], index: usize) -> u32 {
    word(area, 4 * index)
}

pub(crate) fn set_header(area: &mut [u8], index: usize, value: u32) {
    set_word(area, 4 * index, value);
}

pub(crate) fn key_at(area: &[u8], at: usize) -> Key {
    Key {
        index: word(area, at),
        generation: word(area, at + 4),
    }
}

pub(crate) fn refs_at(bytes: &[u8], at: usize, count: usize) -> Vec<Key> {
    (0..count)
        .map(|k| key_at(bytes, at + k * layout::REF_BYTES))
        .collect()
}

/// A ref entry: the slot, then six words for the readers.
pub(crate) fn write_ref(area: &mut [u8], at: usize, key: Key) {
    for (k, word) in [key.index, key.generation, 0, 1, 0, 0, 0, 0]
        .into_iter()
        .enumerate()
    {
        set_word(area, at + 4 * k, word);
    }
}

/// The area of a new isolate, on a boundary that any element type likes.
pub(crate) fn area() -> Vec<u8> {
    let mut area = vec![0; layout::AREA_BYTES];
    set_header(&mut area, header::PARK_MS, layout::NO_TIMEOUT);
    area
}
