//! Who holds what: a count per slot over all holders.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use mobula_sched::Key;
use mobula_sync::atomic::Ordering;

use crate::actor::ACTOR;
use crate::cell::Body;
use crate::failure::Failure;
use crate::functions::is_stream;
use crate::runtime::Runtime;
use crate::streams::STREAM;
use crate::value::{RefEntry, Value};

/// Multiplies once; keys are small numbers that nobody chooses maliciously.
#[derive(Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, word: u32) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Of an actor that has not ended, and that only one beside itself holds.
const LAST_OF_ACTOR: u32 = ACTOR | 2;
/// The same of a stream whose producer has not ended.
const LAST_OF_STREAM: u32 = STREAM | 2;

pub(crate) type KeyMap<V> = HashMap<Key, V, BuildHasherDefault<KeyHasher>>;
pub(crate) type KeySet = HashSet<Key, BuildHasherDefault<KeyHasher>>;

impl Runtime {
    /// One holder more. The caller knows of another holder that stays until this returns.
    pub(crate) fn retain(&self, key: Key) {
        self.cell(key).holders.fetch_add(1, Ordering::Relaxed);
    }

    /// One holder more of a living actor, of whose holders the caller may know none but the actor itself. `None`: it is no actor, or
    /// has ended. False: it ends at this very moment.
    pub(crate) fn retain_actor(&self, key: Key) -> Option<bool> {
        let holders = &self.cell(key).holders;
        if holders.load(Ordering::Relaxed) & ACTOR == 0 {
            return None;
        }
        // The actor's own hold keeps the slot for as long as the bit is set.
        let one_more = |holders| (holders & ACTOR != 0).then_some(holders + 1);
        let held = holders.fetch_update(Ordering::AcqRel, Ordering::Relaxed, one_more);
        Some(held.is_ok())
    }

    pub(crate) fn retain_all(&self, refs: &[RefEntry]) {
        refs.iter().for_each(|entry| self.retain(entry.key));
    }

    /// One holder less for each key; what nobody holds is freed, and what only it held.
    pub(crate) fn release(&self, keys: impl IntoIterator<Item = Key>) {
        let mut open = Vec::new();
        let mut dead = Vec::new();
        let mut out_of_scope = Vec::new();
        for key in keys {
            // Without a list for those that others hold, too: nearly all.
            // AcqRel: the last one sees what all holders did with it.
            match self.cell(key).holders.fetch_sub(1, Ordering::AcqRel) {
                1 => {
                    self.bury(key, &mut open);
                    dead.push(key);
                }
                LAST_OF_ACTOR | LAST_OF_STREAM => out_of_scope.push(key),
                _ => {}
            }
        }
        loop {
            while let Some(key) = open.pop() {
                // AcqRel: the last one sees what all holders did with it.
                match self.cell(key).holders.fetch_sub(1, Ordering::AcqRel) {
                    1 => {
                        self.bury(key, &mut open);
                        dead.push(key);
                    }
                    LAST_OF_ACTOR | LAST_OF_STREAM => out_of_scope.push(key),
                    _ => {}
                }
            }
            if !dead.is_empty() {
                self.table.free_many(&dead);
                dead.clear();
            }
            // An actor that ends may be the last that holds another.
            let Some(key) = out_of_scope.pop() else {
                return;
            };
            open = match is_stream(self.cell(key).function.load(Ordering::Relaxed)) {
                true => {
                    self.leave_stream(key);
                    Vec::new()
                }
                false => self.out_of_scope(key),
            };
        }
    }

    /// Empties the cell of what nobody holds; what it held is one holder less.
    fn bury(&self, key: Key, open: &mut Vec<Key>) {
        let body = std::mem::take(&mut *self.cell(key).body.lock());
        match body {
            Body::Value(value) => open.extend(keys_of(&value)),
            Body::Failed(failure) => open.extend(self.refs_of_last(failure)),
            Body::Task(task) => {
                open.extend(keys_of(&task.arguments));
                open.extend(task.deps.iter().chain(&task.brought).map(|entry| entry.key));
            }
            Body::Return(_) | Body::Waiter(_) | Body::Struck(_) | Body::End | Body::Vacant => {}
        }
        // Of a slot that was a stream's in an earlier life there is none.
        if is_stream(self.cell(key).function.load(Ordering::Relaxed)) {
            self.forget_stream(key, open);
        }
    }

    /// The refs that a failure holds, if the caller's is its last share.
    fn refs_of_last(&self, failure: Arc<Failure>) -> Vec<Key> {
        // `into_inner` gives the failure to exactly one of those who let go of it at the same time.
        let thrown = Arc::into_inner(failure).and_then(|failure| failure.kind.into_thrown());
        thrown.map_or_else(Vec::new, |value| keys_of(&value).collect())
    }
}

pub(crate) fn keys_of(value: &Value) -> impl Iterator<Item = Key> + '_ {
    value.refs.iter().map(|entry| entry.key)
}
