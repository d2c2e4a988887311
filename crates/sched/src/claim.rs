//! What a worker was handed and has not begun: one word per record, changed by one exchange, so that others can take it back.
//!
//! A worker begins record `k` by changing its word from offered to claimed; a thief takes it back by changing it from
//! offered to taken. Each word also holds the round it belongs to, and a new round starts under the same lock that
//! thieves hold, so that no exchange can meet the wrong record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mobula_sync::Mutex;
use mobula_sync::atomic::{AtomicU32, Ordering};

use crate::key::Key;
use crate::words::Words;

/// Records handed out in one crossing, at most.
pub const BATCH_MAX: usize = 32;

const OFFERED: u32 = 1;
const CLAIMED: u32 = 2;
const TAKEN: u32 = 3;

/// Round numbers use the 30 bits that a claim word leaves them.
const ROUND_MASK: u32 = (1 << 30) - 1;

fn word(round: u32, state: u32) -> u32 {
    round << 2 | state
}

/// The claims of one worker.
#[derive(Debug)]
pub struct Claims {
    words: Arc<Words>,
    worker: usize,
    batch: Mutex<Batch>,
}

#[derive(Debug)]
struct Batch {
    round: u32,
    keys: Vec<Key>,
    handed: Option<Instant>,
    /// Begun inside of each other, and of a record of this round.
    nested: Vec<Key>,
}

impl Claims {
    /// No record handed out yet.
    pub fn new(words: Arc<Words>, worker: usize) -> Self {
        words.reset(worker);
        Self {
            words,
            worker,
            batch: Mutex::new(Batch {
                round: 0,
                keys: Vec::with_capacity(BATCH_MAX),
                handed: None,
                nested: Vec::new(),
            }),
        }
    }

    fn words(&self) -> &[AtomicU32] {
        self.words.claims(self.worker)
    }

    /// Ends the last round: calls `begun` for each record that the worker began. Records it did not begin, if the round
    /// ends early, are appended to `unbegun`.
    pub fn end_round(&self, mut begun: impl FnMut(Key), unbegun: &mut Vec<Key>) {
        let mut batch = self.batch.lock();
        let round = batch.round;
        for (k, key) in batch.keys.iter().enumerate() {
            if self.take(k, round) {
                unbegun.push(*key);
            } else if self.words()[k].load(Ordering::Acquire) == word(round, CLAIMED) {
                begun(*key);
            }
        }
        batch.keys.clear();
        batch.handed = None;
        batch.nested.drain(..).for_each(begun);
    }

    /// The worker begins one that was not handed out with the round, inside of what it began last.
    pub fn nest(&self, key: Key) {
        self.batch.lock().nested.push(key);
    }

    /// True for such a one that has not ended.
    pub fn has_nested(&self, key: Key) -> bool {
        self.batch.lock().nested.contains(&key)
    }

    /// Such a one has ended, or did not begin after all. False: it is none of those.
    pub fn unnest(&self, key: Key) -> bool {
        let nested = &mut self.batch.lock().nested;
        let at = nested.iter().rposition(|other| *other == key);
        at.map(|at| nested.remove(at)).is_some()
    }

    /// Starts a round with these records, handed out `now`; returns its number, which the worker needs to claim them.
    pub fn start_round(&self, keys: &[Key], now: Instant) -> u32 {
        debug_assert!(keys.len() <= BATCH_MAX);
        let mut batch = self.batch.lock();
        batch.round = (batch.round + 1) & ROUND_MASK;
        batch.keys.clear();
        batch.keys.extend_from_slice(keys);
        batch.handed = Some(now);
        for k in 0..keys.len() {
            self.words()[k].store(word(batch.round, OFFERED), Ordering::Release);
        }
        batch.round
    }

    /// Begins record `k` of a round, as the worker's JavaScript does. False: it was taken back.
    pub fn begin(&self, k: usize, round: u32) -> bool {
        self.words()[k]
            .compare_exchange(
                word(round, OFFERED),
                word(round, CLAIMED),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    fn take(&self, k: usize, round: u32) -> bool {
        self.words()[k]
            .compare_exchange(
                word(round, OFFERED),
                word(round, TAKEN),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    /// Takes back what was not begun `after` so long a time, the newest first, half of it or all. Returns what is left
    /// to wait for: `Some(rest)` while unbegun records are too fresh to take.
    pub fn take_back(&self, after: Duration, all: bool, out: &mut Vec<Key>) -> Option<Duration> {
        let batch = self.batch.lock();
        let handed = batch.handed?;
        let offered =
            |k: &usize| self.words()[*k].load(Ordering::Acquire) == word(batch.round, OFFERED);
        let open: Vec<usize> = (0..batch.keys.len()).filter(offered).collect();
        if open.is_empty() {
            return None;
        }
        let age = handed.elapsed();
        if age < after {
            return Some(after - age);
        }
        let count = if all {
            open.len()
        } else {
            open.len().div_ceil(2)
        };
        for &k in open.iter().rev().take(count) {
            if self.take(k, batch.round) {
                out.push(batch.keys[k]);
            }
        }
        None
    }

    /// True if some record was not begun and may be taken back, now or later.
    pub fn is_open(&self) -> bool {
        let batch = self.batch.lock();
        let open = word(batch.round, OFFERED);
        (0..batch.keys.len()).any(|k| self.words()[k].load(Ordering::Acquire) == open)
    }

    /// The records of this round that the worker has begun.
    pub fn begun(&self) -> Vec<Key> {
        let batch = self.batch.lock();
        let claimed = word(batch.round, CLAIMED);
        let keys = batch.keys.iter().zip(self.words());
        keys.filter(|(_, state)| state.load(Ordering::Acquire) == claimed)
            .map(|(key, _)| *key)
            .chain(batch.nested.iter().copied())
            .collect()
    }

    /// True if this record is here and was not begun.
    pub fn has_open(&self, key: Key) -> bool {
        let batch = self.batch.lock();
        let open = word(batch.round, OFFERED);
        let at = batch.keys.iter().position(|k| *k == key);
        at.is_some_and(|k| self.words()[k].load(Ordering::Acquire) == open)
    }

    /// Whether this record of the round is the last that was begun; `None` if it is not of this round.
    pub fn is_latest(&self, key: Key) -> Option<bool> {
        let batch = self.batch.lock();
        if batch.nested.contains(&key) {
            return Some(batch.nested.last() == Some(&key));
        }
        let at = batch.keys.iter().position(|k| *k == key)?;
        if !batch.nested.is_empty() {
            return Some(false);
        }
        let claimed = word(batch.round, CLAIMED);
        let begun = |k: &usize| self.words()[*k].load(Ordering::Acquire) == claimed;
        Some((0..batch.keys.len()).rev().find(begun) == Some(at))
    }

    /// Takes back one record, if it is here and was not begun.
    pub fn take_one(&self, key: Key) -> bool {
        let batch = self.batch.lock();
        batch
            .keys
            .iter()
            .position(|k| *k == key)
            .is_some_and(|k| self.take(k, batch.round))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn key(index: u32) -> Key {
        Key {
            index,
            generation: 1,
        }
    }

    #[test]
    fn a_record_of_an_old_round_is_begun_by_nobody_when_the_numbers_begin_again() {
        let claims = Claims::new(Arc::new(Words::new(1)), 0);
        claims.batch.lock().round = ROUND_MASK - 2;
        let mut rounds = Vec::new();
        for index in 0..6 {
            let round = claims.start_round(&[key(2 * index), key(2 * index + 1)], Instant::now());
            // As JavaScript reckons, in integers with a sign.
            let offered = ((round as i32) << 2 | OFFERED as i32) as u32;
            assert_eq!(claims.words()[0].load(Ordering::Acquire), offered);
            assert!(rounds.iter().all(|old| !claims.begin(0, *old)));
            let (mut begun, mut taken) = (Vec::new(), Vec::new());
            assert!(claims.begin(0, round) && !claims.begin(0, round));
            assert_eq!(claims.begun(), [key(2 * index)]);
            if index % 2 == 0 {
                claims.take_back(Duration::ZERO, true, &mut taken);
            }
            claims.end_round(|key| begun.push(key), &mut taken);
            assert_eq!(
                (begun, taken),
                (vec![key(2 * index)], vec![key(2 * index + 1)])
            );
            assert!(!claims.begin(1, round), "the round is over");
            rounds.push(round);
        }
        assert_eq!(rounds[1..4], [ROUND_MASK, 0, 1]);
    }
}
