//! Every interleaving of going to sleep and being woken: work that was published is always found. Drives the `Idle` that
//! ships; the mutants, which must fail, leave out one thing each. The proof is in `src/idle/README.md`.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-sched --release --test loom_idle`
#![cfg(loom)]

use std::sync::Arc;

use loom::thread;
use mobula_sched::{Bell, Idle, Words};
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
        Idle::announce(self, worker, bell);
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

/// The same protocol for one worker, with a fence left out.
struct Mutant {
    parked: AtomicU32,
    bell: Mutex<Option<Arc<TestBell>>>,
    fence_in_announce: bool,
    fence_in_notify: bool,
}

impl Mutant {
    fn new(fence_in_announce: bool, fence_in_notify: bool) -> Arc<dyn Parking> {
        let (parked, bell) = (AtomicU32::new(0), Mutex::new(None));
        Arc::new(Self {
            parked,
            bell,
            fence_in_announce,
            fence_in_notify,
        })
    }
}

impl Parking for Mutant {
    fn announce(&self, _worker: usize, bell: Arc<TestBell>) {
        let mut hung = self.bell.lock();
        *hung = Some(bell);
        self.parked.fetch_add(1, Ordering::SeqCst);
        drop(hung);
        if self.fence_in_announce {
            fence(Ordering::SeqCst);
        }
    }

    fn retract(&self, _worker: usize) {
        if self.bell.lock().take().is_some() {
            self.parked.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn notify(&self) {
        if self.fence_in_notify {
            fence(Ordering::SeqCst);
        }
        if self.parked.load(Ordering::Relaxed) == 0 {
            return;
        }
        let woken = self.bell.lock().take();
        if let Some(bell) = woken {
            self.parked.fetch_sub(1, Ordering::SeqCst);
            bell.ring();
        }
    }
}

/// A queue as far as sleepers care: how many pieces of work there are.
struct Queue {
    len: AtomicU32,
    done: AtomicU32,
}

impl Queue {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            len: AtomicU32::new(0),
            done: AtomicU32::new(0),
        })
    }

    fn push(&self) {
        self.len.fetch_add(1, Ordering::Release);
    }

    /// Looks without promise, as `has_work` does: may miss what others just wrote.
    fn has_work(&self) -> bool {
        self.len.load(Ordering::Acquire) > 0
    }

    fn take(&self) -> bool {
        if !self.has_work() {
            return false;
        }
        let taken = self
            .len
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |len| {
                len.checked_sub(1)
            });
        self.done
            .fetch_add(u32::from(taken.is_ok()), Ordering::AcqRel);
        taken.is_ok()
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
        let (parking, queue) = (make(), Queue::new());
        let threads: Vec<_> = (0..producers)
            .map(|_| {
                let (parking, queue) = (parking.clone(), queue.clone());
                thread::spawn(move || {
                    queue.push();
                    parking.notify();
                })
            })
            .collect();
        let bell = TestBell::new();
        while !queue.is_done(producers) {
            if queue.take() {
                continue;
            }
            if searches {
                parking.start_search();
                let found = queue.has_work();
                parking.end_search();
                if found {
                    continue;
                }
            }
            sleep(&*parking, 0, &bell, || queue.has_work());
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

/// Two workers, one push of two: whoever is woken passes the wake on. Nobody may sleep beside work.
fn two_workers(passes_on: bool) {
    check(move || {
        let (parking, queue) = (shipped(), Queue::new());
        let bells = [TestBell::new(), TestBell::new()];
        let other = thread::spawn({
            let (parking, queue, bells) = (parking.clone(), queue.clone(), bells.clone());
            move || work_one(&*parking, &queue, 1, &bells[1], passes_on)
        });
        let producer = thread::spawn({
            let (parking, queue) = (parking.clone(), queue.clone());
            move || {
                queue.push();
                queue.push();
                parking.notify();
            }
        });
        work_one(&*parking, &queue, 0, &bells[0], passes_on);
        other.join().unwrap();
        producer.join().unwrap();
        assert!(queue.is_done(2));
    });
}

/// Does one piece of work and ends, busy with it.
fn work_one(
    parking: &dyn Parking,
    queue: &Queue,
    worker: usize,
    bell: &Arc<TestBell>,
    passes_on: bool,
) {
    while !queue.take() {
        sleep(parking, worker, bell, || queue.has_work());
    }
    if passes_on && queue.has_work() {
        parking.notify();
    }
}

/// A worker dies asleep while it may just be called: it must pass on what call it got.
fn dying(passes_on: bool) {
    check(move || {
        let (parking, queue) = (shipped(), Queue::new());
        let mortal = TestBell::new();
        // The mortal is the last to sleep, so it is the one to be called.
        let bell = TestBell::new();
        parking.announce(1, bell.clone());
        parking.announce(0, mortal);
        let producer = thread::spawn({
            let (parking, queue) = (parking.clone(), queue.clone());
            move || {
                queue.push();
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
        while !queue.take() {
            bell.sleep();
            parking.retract(1);
            if queue.take() {
                break;
            }
            parking.announce(1, bell.clone());
            if queue.has_work() {
                parking.retract(1);
            }
        }
        producer.join().unwrap();
        dying.join().unwrap();
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
fn the_mutant_that_leaves_nothing_out_passes() {
    one_worker(|| Mutant::new(true, true), 2, false);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_in_announce_a_wake_is_lost() {
    one_worker(|| Mutant::new(false, true), 1, false);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_in_notify_a_wake_is_lost() {
    one_worker(|| Mutant::new(true, false), 1, false);
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
