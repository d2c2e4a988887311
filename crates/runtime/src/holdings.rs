//! Who takes how much of the store, for messages and summaries. Walks the whole table: nothing for every day.

use std::collections::HashMap;

use crate::cell::Body;
use crate::runtime::Runtime;
use crate::value::{Bytes, Value};

/// What stored bytes are.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Put by somebody.
    Put,
    /// The result of a task, or what it threw, by its function.
    Result(u32),
    /// The arguments of a task that is not settled, by its function.
    Arguments(u32),
}

/// Objects of one origin.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// What they are.
    pub origin: Origin,
    /// How many.
    pub objects: u64,
    /// Their length together, without what the store rounds up to.
    pub bytes: u64,
}

impl Runtime {
    /// Stored objects by origin, the largest first. Values up to 1 KiB lie in the table and are not among them.
    pub fn holdings(&self) -> Vec<Holding> {
        let mut found: HashMap<Origin, (u64, u64)> = HashMap::new();
        let mut count = |origin, value: &Value| {
            if let Bytes::Stored(stored) = &value.bytes {
                let (objects, bytes) = found.entry(origin).or_default();
                *objects += 1;
                *bytes += stored.len();
            }
        };
        for cell in (0..).map_while(|index| self.cells.get(index)) {
            match &*cell.body.lock() {
                Body::Value(value) if value.function == u32::MAX => count(Origin::Put, value),
                Body::Value(value) => count(Origin::Result(value.function), value),
                Body::Task(task) => count(Origin::Arguments(task.function), &task.arguments),
                _ => {}
            }
        }
        self.streams
            .each_item(|value| count(Origin::Result(value.function), value));
        let mut holdings: Vec<Holding> = found
            .into_iter()
            .map(|(origin, (objects, bytes))| Holding {
                origin,
                objects,
                bytes,
            })
            .collect();
        holdings.sort_by_key(|holding| std::cmp::Reverse(holding.bytes));
        holdings
    }

    /// Objects to which each isolate has handles: the driver's first, then the workers'.
    pub fn handles(&self) -> Vec<usize> {
        let mailboxes = self.mailboxes();
        mailboxes.iter().map(|mailbox| mailbox.handles()).collect()
    }

    /// Asks every isolate for a major collection; `collecting` says how many have not answered.
    pub fn ask_to_collect(&self) {
        self.mailboxes()
            .iter()
            .for_each(|mailbox| mailbox.ask_to_collect());
    }

    /// Isolates that were asked for a collection and have not done it yet.
    pub fn collecting(&self) -> usize {
        let mailboxes = self.mailboxes();
        mailboxes
            .iter()
            .filter(|mailbox| mailbox.is_collecting())
            .count()
    }
}
