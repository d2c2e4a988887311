//! Every interleaving of going to sleep and being woken: work that was published is always found. Drives the `Idle` that
//! ships; the mutants, which must fail, leave out one thing each. The proof is in `src/idle/README.md`.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-sched --release --test loom_idle`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use loom::thread;
use mobula_sched::{Bell, Idle, Sleeper, Words};
use mobula_sync::atomic::{AtomicU32, Ordering, fence};
use mobula_sync::{Condvar, Mutex};

/// Sticky and coalescing, as an event loop's is. Who sleeps here with nobody left to ring makes loom report a deadlock.
#[derive(Debug)]
struct TestBell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl TestBell {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            rung: Mutex::new(false),
            ringing: Condvar::new(),
        })
    }

    fn sleep(&self) {
        let mut rung = self.rung.lock();
        while !*rung {
            rung = self.ringing.wait(rung);
        }
        *rung = false;
    }
}

impl Bell for TestBell {
    fn ring(&self) {
        *self.rung.lock() = true;
        self.ringing.notify_one();
    }
}

/// What a worker and a producer do about sleep: `Idle`, or a mutant of it.
trait Parking: Send + Sync {
    fn announce(&self, worker: usize, bell: Arc<TestBell>);
    fn retract(&self, worker: usize);
    fn notify(&self);
    fn start_search(&self) {}
    fn end_search(&self) {}
}

impl Parking for Idle {
    fn announce(&self, worker: usize, bell: Arc<TestBell>) {
        Idle::announce(self, worker, bell, Sleeper::Free);
    }

    fn retract(&self, worker: usize) {
        Idle::retract(self, worker);
    }

    fn notify(&self) {
        Idle::notify(self);
    }

    fn start_search(&self) {
        Idle::start_search(self);
    }

    fn end_search(&self) {
        Idle::end_search(self);
    }
}

fn shipped() -> Arc<dyn Parking> {
    Arc::new(Idle::new(Arc::new(Words::new(0))))
}

/// Which fences a copy of the protocol has.
#[derive(Clone, Copy)]
struct Fences {
    announce: bool,
    notify: bool,
    end_search: bool,
}

const ALL: Fences = Fences {
    announce: true,
    notify: true,
    end_search: true,
};

/// A copy of the protocol that can leave a fence out.
struct Mutant {
    fences: Fences,
    word: AtomicU32,
    parked: Mutex<Vec<(usize, Arc<TestBell>)>>,
}

const SEARCHING: u32 = 1 << 16;

fn fence_if(is_there: bool) {
    if is_there {
        fence(Ordering::SeqCst);
    }
}

fn mutant(fences: Fences) -> Arc<dyn Parking> {
    let (word, parked) = (AtomicU32::new(0), Mutex::new(Vec::new()));
    Arc::new(Mutant {
        fences,
        word,
        parked,
    })
}

impl Parking for Mutant {
    fn announce(&self, worker: usize, bell: Arc<TestBell>) {
        let mut parked = self.parked.lock();
        parked.push((worker, bell));
        self.word.fetch_add(1, Ordering::SeqCst);
        drop(parked);
        fence_if(self.fences.announce);
    }

    fn retract(&self, worker: usize) {
        let mut parked = self.parked.lock();
        if let Some(at) = parked.iter().position(|(id, _)| *id == worker) {
            parked.swap_remove(at);
            self.word.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn notify(&self) {
        fence_if(self.fences.notify);
        let word = self.word.load(Ordering::Relaxed);
        if word == 0 || word >= SEARCHING {
            return;
        }
        let mut parked = self.parked.lock();
        if let Some((_, bell)) = parked.pop() {
            self.word.fetch_sub(1, Ordering::SeqCst);
            drop(parked);
            bell.ring();
        }
    }

    fn start_search(&self) {
        self.word.fetch_add(SEARCHING, Ordering::SeqCst);
    }

    fn end_search(&self) {
        self.word.fetch_sub(SEARCHING, Ordering::SeqCst);
        fence_if(self.fences.end_search);
    }
}

/// Two queues as far as sleepers care: how many pieces of work are in each. Two, since one place orders more than a deque
/// and an injector do.
struct Queues {
    lens: [AtomicU32; 2],
    done: AtomicU32,
}

impl Queues {
    fn new() -> Arc<Self> {
        let [first, second, done] = [0; 3].map(AtomicU32::new);
        let lens = [first, second];
        Arc::new(Self { lens, done })
    }

    fn push(&self, to: usize) {
        self.lens[to].fetch_add(1, Ordering::Release);
    }

    /// Looks without promise, as the queues that ship do: may miss what others just wrote.
    fn has_work(&self) -> bool {
        self.lens.iter().any(|len| len.load(Ordering::Acquire) > 0)
    }

    fn take(&self) -> bool {
        let taken = self.lens.iter().any(|len| {
            len.load(Ordering::Acquire) > 0
                && len
                    .fetch_update(Ordering::AcqRel, Ordering::Acquire, |len| {
                        len.checked_sub(1)
                    })
                    .is_ok()
        });
        self.done.fetch_add(u32::from(taken), Ordering::AcqRel);
        taken
    }

    fn is_done(&self, all: u32) -> bool {
        self.done.load(Ordering::Acquire) == all
    }
}

/// Sleeps unless a last look finds something; the order of these lines is the protocol.
fn sleep(parking: &dyn Parking, worker: usize, bell: &Arc<TestBell>, look: impl Fn() -> bool) {
    parking.announce(worker, bell.clone());
    if !look() {
        bell.sleep();
    }
    parking.retract(worker);
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

fn one_worker(make: fn() -> Arc<dyn Parking>, producers: u32, searches: bool) {
    check(move || {
        let (parking, queues) = (make(), Queues::new());
        let threads: Vec<_> = (0..producers)
            .map(|k| {
                let (parking, queues) = (parking.clone(), queues.clone());
                thread::spawn(move || {
                    queues.push(k as usize);
                    parking.notify();
                })
            })
            .collect();
        let bell = TestBell::new();
        while !queues.is_done(producers) {
            if queues.take() {
                continue;
            }
            if searches {
                parking.start_search();
                let found = queues.has_work();
                parking.end_search();
                if found {
                    continue;
                }
            }
            sleep(&*parking, 0, &bell, || queues.has_work());
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

/// Two workers, one push of two: whoever is woken passes the wake on. Nobody may sleep beside work.
fn two_workers(passes_on: bool) {
    check(move || {
        let (parking, queues) = (shipped(), Queues::new());
        let bells = [TestBell::new(), TestBell::new()];
        let other = thread::spawn({
            let (parking, queues, bells) = (parking.clone(), queues.clone(), bells.clone());
            move || work_one(&*parking, &queues, 1, &bells[1], passes_on)
        });
        let producer = thread::spawn({
            let (parking, queues) = (parking.clone(), queues.clone());
            move || {
                queues.push(0);
                queues.push(1);
                parking.notify();
            }
        });
        work_one(&*parking, &queues, 0, &bells[0], passes_on);
        other.join().unwrap();
        producer.join().unwrap();
        assert!(queues.is_done(2));
    });
}

/// Does one piece of work and ends, busy with it.
fn work_one(
    parking: &dyn Parking,
    queues: &Queues,
    worker: usize,
    bell: &Arc<TestBell>,
    passes_on: bool,
) {
    while !queues.take() {
        sleep(parking, worker, bell, || queues.has_work());
    }
    if passes_on && queues.has_work() {
        parking.notify();
    }
}

/// A worker dies asleep while it may just be called: it must pass on what call it got.
fn dying(passes_on: bool) {
    check(move || {
        let (parking, queues) = (shipped(), Queues::new());
        let mortal = TestBell::new();
        // The mortal is the last to sleep, so it is the one to be called.
        let bell = TestBell::new();
        parking.announce(1, bell.clone());
        parking.announce(0, mortal);
        let producer = thread::spawn({
            let (parking, queues) = (parking.clone(), queues.clone());
            move || {
                queues.push(0);
                parking.notify();
            }
        });
        let dying = thread::spawn({
            let parking = parking.clone();
            move || {
                parking.retract(0);
                if passes_on {
                    parking.notify();
                }
            }
        });
        while !queues.take() {
            bell.sleep();
            parking.retract(1);
            if queues.take() {
                break;
            }
            parking.announce(1, bell.clone());
            if queues.has_work() {
                parking.retract(1);
            }
        }
        producer.join().unwrap();
        dying.join().unwrap();
    });
}

/// One sleeps, one searches; two producers rely on the searcher, who takes one thing and is busy with it.
fn searcher(make: fn() -> Arc<dyn Parking>) {
    check(move || {
        let (parking, queues) = (make(), Queues::new());
        let bell = TestBell::new();
        parking.announce(0, bell.clone());
        parking.start_search();
        let producers = [0, 1].map(|to| {
            let (parking, queues) = (parking.clone(), queues.clone());
            thread::spawn(move || {
                queues.push(to);
                parking.notify();
            })
        });
        let searcher = thread::spawn({
            let (parking, queues) = (parking.clone(), queues.clone());
            move || {
                parking.end_search();
                work_one(&*parking, &queues, 1, &TestBell::new(), true);
            }
        });
        while !queues.take() {
            bell.sleep();
            parking.retract(0);
            if queues.take() {
                break;
            }
            parking.announce(0, bell.clone());
            if queues.has_work() {
                bell.ring();
            }
        }
        producers
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        searcher.join().unwrap();
    });
}

#[test]
fn a_sleeper_hears_of_all_work() {
    one_worker(shipped, 1, false);
    one_worker(shipped, 2, false);
}

#[test]
fn who_searches_first_misses_nothing_that_others_left_to_it() {
    one_worker(shipped, 1, true);
    one_worker(shipped, 2, true);
}

#[test]
fn a_woken_worker_wakes_the_next() {
    two_workers(true);
}

#[test]
fn a_dying_worker_passes_its_wake_on() {
    dying(true);
}

#[test]
fn who_finds_one_thing_by_searching_calls_others_for_the_rest() {
    searcher(shipped);
}

#[test]
fn the_mutant_that_leaves_nothing_out_passes() {
    one_worker(|| mutant(ALL), 2, false);
    searcher(|| mutant(ALL));
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_in_end_search_the_rest_is_overlooked() {
    searcher(|| {
        mutant(Fences {
            end_search: false,
            ..ALL
        })
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_in_announce_a_wake_is_lost() {
    one_worker(
        || {
            mutant(Fences {
                announce: false,
                ..ALL
            })
        },
        1,
        false,
    );
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_in_notify_a_wake_is_lost() {
    one_worker(
        || {
            mutant(Fences {
                notify: false,
                ..ALL
            })
        },
        1,
        false,
    );
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_passing_on_the_second_sleeps_beside_work() {
    two_workers(false);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_passing_on_a_dead_worker_takes_the_wake_with_it() {
    dying(false);
}

/// An encumbered sleeper would be called first; work that is not for it finds the other one.
fn beside_an_encumbered(call: fn(&Idle) -> bool) {
    check(move || {
        let idle = Arc::new(Idle::new(Arc::new(Words::new(0))));
        let queues = Queues::new();
        idle.announce(1, TestBell::new(), Sleeper::Encumbered);
        let producer = thread::spawn({
            let (idle, queues) = (idle.clone(), queues.clone());
            move || {
                queues.push(0);
                call(&idle);
            }
        });
        let bell = TestBell::new();
        while !queues.take() {
            // Whoever announces reluctantly stands behind those that did before.
            idle.announce(0, bell.clone(), Sleeper::Reluctant);
            if !queues.has_work() {
                bell.sleep();
            }
            idle.retract(0);
        }
        producer.join().unwrap();
    });
}

#[test]
fn work_that_is_not_for_the_encumbered_wakes_another() {
    beside_an_encumbered(Idle::notify_unencumbered);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_telling_them_apart_the_encumbered_is_called_for_it() {
    beside_an_encumbered(Idle::notify);
}
