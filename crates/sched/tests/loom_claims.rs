//! Every interleaving of beginning records and taking them back: each record is begun or taken exactly once, and a round
//! that ended leaves nothing to take. Drives the `Claims` that ship.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-sched --release --test loom_claims`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::thread;
use mobula_sched::{Claims, Key, Words};
use mobula_sync::atomic::{AtomicU32, Ordering};

const NOW: Duration = Duration::ZERO;

fn keys<const N: usize>(first: u32) -> [Key; N] {
    std::array::from_fn(|k| Key {
        index: first + k as u32,
        generation: 1,
    })
}

fn claims() -> Arc<Claims> {
    Arc::new(Claims::new(Arc::new(Words::new(1)), 0))
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

fn each_once(mut all: Vec<Key>, count: u32) {
    all.sort_by_key(|key| key.index);
    let expected: Vec<u32> = (0..count).collect();
    assert_eq!(
        all.iter().map(|key| key.index).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn a_record_is_begun_or_taken_by_a_thief_or_by_name_and_once() {
    check(|| {
        let claims = claims();
        let records = keys::<2>(0);
        let round = claims.start_round(&records, Instant::now());
        let thief = thread::spawn({
            let claims = claims.clone();
            move || {
                let mut taken = Vec::new();
                claims.take_back(NOW, false, &mut taken);
                taken
            }
        });
        let canceller = thread::spawn({
            let claims = claims.clone();
            move || claims.take_one(records[1]).then_some(records[1])
        });
        let mut all = Vec::new();
        for (k, record) in records.iter().enumerate() {
            if claims.begin(k, round) {
                all.push(*record);
            }
        }
        all.extend(thief.join().unwrap());
        all.extend(canceller.join().unwrap());
        // Whoever took nothing lost to somebody: nothing is left.
        assert!(!claims.is_open());
        each_once(all, 2);
    });
}

#[test]
fn a_thief_of_one_round_never_touches_the_next() {
    check(|| {
        let claims = claims();
        let (first, second) = (keys::<1>(0), keys::<1>(1));
        let round = claims.start_round(&first, Instant::now());
        let thief = thread::spawn({
            let claims = claims.clone();
            move || {
                let mut taken = Vec::new();
                claims.take_back(NOW, true, &mut taken);
                taken
            }
        });
        let mut all = Vec::new();
        if claims.begin(0, round) {
            all.push(first[0]);
        }
        let (mut begun, mut unbegun) = (Vec::new(), Vec::new());
        claims.end_round(|key| begun.push(key), &mut unbegun);
        assert!(unbegun.is_empty(), "it was begun or taken");
        assert_eq!(begun, all);
        let round = claims.start_round(&second, Instant::now());
        if claims.begin(0, round) {
            all.push(second[0]);
        }
        all.extend(thief.join().unwrap());
        each_once(all, 2);
    });
}

#[test]
fn a_worker_that_dies_gives_back_what_no_thief_took() {
    check(|| {
        let claims = claims();
        let records = keys::<2>(0);
        let round = claims.start_round(&records, Instant::now());
        let thief = thread::spawn({
            let claims = claims.clone();
            move || {
                let mut taken = Vec::new();
                claims.take_back(NOW, true, &mut taken);
                taken
            }
        });
        let begins = claims.begin(0, round);
        let (mut begun, mut unbegun) = (Vec::new(), Vec::new());
        claims.end_round(|key| begun.push(key), &mut unbegun);
        assert_eq!(begun.len(), usize::from(begins));
        begun.extend(unbegun);
        begun.extend(thief.join().unwrap());
        each_once(begun, 2);
        let mut late = Vec::new();
        claims.take_back(NOW, true, &mut late);
        assert!(late.is_empty() && !claims.take_one(records[1]));
    });
}

/// A claim as a look and a write, instead of one exchange.
#[test]
#[should_panic(expected = "both have it")]
fn without_the_exchange_two_have_a_record() {
    check(|| {
        let word = Arc::new(AtomicU32::new(1));
        let claim = |word: &AtomicU32, state| {
            let mine = word.load(Ordering::Acquire) == 1;
            if mine {
                word.store(state, Ordering::Release);
            }
            mine
        };
        let thief = thread::spawn({
            let word = word.clone();
            move || claim(&word, 3)
        });
        let begun = claim(&word, 2);
        assert!(!(thief.join().unwrap() && begun), "both have it");
    });
}

/// Words without rounds, changed without the lock: an exchange of yesterday meets the record of today.
#[test]
#[should_panic(expected = "each once")]
fn without_rounds_a_thief_takes_the_wrong_record() {
    check(|| {
        let word = Arc::new(AtomicU32::new(1));
        let thief = thread::spawn({
            let word = word.clone();
            move || {
                // It has read that record 0 is offered here, and exchanges later.
                let exchanged = word.compare_exchange(1, 3, Ordering::AcqRel, Ordering::Acquire);
                exchanged.ok().map(|_| 0)
            }
        });
        let begin = || {
            word.compare_exchange(1, 2, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        };
        let mut all: Vec<u32> = begin().then_some(0).into_iter().collect();
        // The next round offers record 1 in the same word.
        word.store(1, Ordering::Release);
        all.extend(begin().then_some(1));
        all.extend(thief.join().unwrap());
        all.sort_unstable();
        assert!(all == [0, 1], "each once");
    });
}
