//! Faults that tests have happen: named points that code passes, and what is to happen there, the how manieth time.
//!
//! Nothing is set most of the time. Then a point costs a look at a word that nobody writes, and only where something slow happens
//! anyway: a wake-up, a completion, bytes that are stored. JavaScript has the word in the header of its area with every crossing.

use std::sync::Arc;
use std::time::Duration;

use mobula_sched::Bell;
use mobula_sync::Mutex;
use mobula_sync::atomic::{AtomicU32, Ordering};

use crate::value::{Bytes, Value};

/// Where something may happen.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Point {
    /// A worker thread is about to be ready.
    WorkerStart = 0,
    /// A worker has begun a task, and is about to call its function.
    BeforeRun = 1,
    /// The function has returned or thrown, or its promise has settled.
    AfterRun = 2,
    /// The result is encoded, and about to be stored.
    BeforeSeal = 3,
    /// A value that was put, or that a task returned, is in the store.
    Lose = 4,
    /// An isolate that sleeps is about to be woken.
    Wake = 5,
    /// A wait is over, and about to be told to the isolate that waits.
    Completion = 6,
}

impl Point {
    /// All of them, by number.
    pub const ALL: [Point; 7] = [
        Point::WorkerStart,
        Point::BeforeRun,
        Point::AfterRun,
        Point::BeforeSeal,
        Point::Lose,
        Point::Wake,
        Point::Completion,
    ];

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Point::WorkerStart => "worker.start",
            Point::BeforeRun => "task.beforeRun",
            Point::AfterRun => "task.afterRun",
            Point::BeforeSeal => "result.beforeSeal",
            Point::Lose => "object.lose",
            Point::Wake => "wake",
            Point::Completion => "completion",
        }
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// What happens.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The thread ends.
    Kill,
    /// So much time passes.
    Delay(Duration),
    /// What should happen does not.
    Drop,
}

/// What happens at a point, and when.
#[derive(Copy, Clone, Debug)]
pub struct Fault {
    /// What.
    pub action: Action,
    /// From this pass on, the first being 1. With a seed: at one pass in so many.
    pub nth: u64,
    /// At so many passes.
    pub times: u64,
    /// Chooses the passes.
    pub seed: Option<u64>,
}

#[derive(Debug)]
struct Plan {
    fault: Fault,
    passes: u64,
    strikes: u64,
}

impl Plan {
    fn pass(&mut self) -> Option<Action> {
        self.passes += 1;
        let Fault {
            action,
            nth,
            times,
            seed,
        } = self.fault;
        let strikes = match seed {
            Some(seed) => mix(seed ^ mix(self.passes)).is_multiple_of(nth),
            None => self.passes >= nth,
        };
        (strikes && self.strikes < times).then(|| {
            self.strikes += 1;
            action
        })
    }
}

/// Splitmix64's last step (Steele, Lea and Flood, 2014): one bit changed changes half of them.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

/// What is to happen, for all threads of a process. Passes are counted from when a fault is set.
#[derive(Debug, Default)]
pub struct Faults {
    /// A bit for each point at which something is set.
    set: AtomicU32,
    plans: Mutex<[Option<Plan>; Point::ALL.len()]>,
}

impl Faults {
    /// Something is to happen at a point, instead of what was set there before.
    pub fn set(&self, point: Point, fault: Fault) {
        let mut plans = self.plans.lock();
        plans[point as usize] = Some(Plan {
            fault,
            passes: 0,
            strikes: 0,
        });
        self.set.fetch_or(point.bit(), Ordering::Relaxed);
    }

    /// Nothing happens any more.
    pub fn clear(&self) {
        let mut plans = self.plans.lock();
        *plans = Default::default();
        self.set.store(0, Ordering::Relaxed);
    }

    /// A bit for each point at which something is set.
    pub fn mask(&self) -> u32 {
        self.set.load(Ordering::Relaxed)
    }

    /// Somebody is at a point.
    pub fn pass(&self, point: Point) -> Option<Action> {
        match self.mask() & point.bit() {
            0 => None,
            _ => self.plans.lock()[point as usize].as_mut()?.pass(),
        }
    }

    /// These bytes were stored, and are lost.
    pub(crate) fn lose(&self, value: &Value) -> bool {
        matches!(value.bytes, Bytes::Stored(_)) && self.pass(Point::Lose).is_some()
    }
}

/// A bell that may be late, or not ring.
#[derive(Debug)]
pub(crate) struct FaultyBell {
    pub(crate) bell: Arc<dyn Bell>,
    pub(crate) faults: Arc<Faults>,
}

impl Bell for FaultyBell {
    fn ring(&self) {
        match self.faults.pass(Point::Wake) {
            None => self.bell.ring(),
            Some(Action::Delay(time)) => {
                let bell = self.bell.clone();
                later(time, move || bell.ring());
            }
            Some(_) => {}
        }
    }
}

/// Does something after a time, on a thread of its own; at once, if so many wait already, or there is no thread.
pub(crate) fn later(time: Duration, act: impl FnOnce() + Send + 'static) {
    const MOST: u32 = 256;
    static WAITING: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    if WAITING.fetch_add(1, Ordering::Relaxed) >= MOST {
        WAITING.fetch_sub(1, Ordering::Relaxed);
        return act();
    }
    let act = Arc::new(Mutex::new(Some(act)));
    let of_thread = act.clone();
    let thread = std::thread::Builder::new().spawn(move || {
        std::thread::sleep(time);
        WAITING.fetch_sub(1, Ordering::Relaxed);
        take(&of_thread);
    });
    if thread.is_err() {
        WAITING.fetch_sub(1, Ordering::Relaxed);
        take(&act);
    }
}

fn take(act: &Mutex<Option<impl FnOnce()>>) {
    let act = act.lock().take();
    if let Some(act) = act {
        act();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn strikes(fault: Fault, passes: usize) -> Vec<usize> {
        let faults = Faults::default();
        faults.set(Point::BeforeRun, fault);
        let strikes = |_: &usize| faults.pass(Point::BeforeRun).is_some();
        (1..=passes).filter(strikes).collect()
    }

    const KILL: Fault = Fault {
        action: Action::Kill,
        nth: 1,
        times: 1,
        seed: None,
    };

    #[test]
    fn a_fault_strikes_from_its_pass_on_as_often_as_it_should() {
        assert_eq!(strikes(KILL, 5), [1]);
        let (nth, times) = (3, 2);
        assert_eq!(strikes(Fault { nth, times, ..KILL }, 9), [3, 4]);
    }

    #[test]
    fn a_seed_chooses_one_pass_in_so_many_and_the_same_ones_again() {
        let fault = |seed| Fault {
            nth: 10,
            times: u64::MAX,
            seed: Some(seed),
            ..KILL
        };
        let chosen = strikes(fault(7), 10_000);
        assert!((900..1100).contains(&chosen.len()), "{}", chosen.len());
        assert_eq!(chosen, strikes(fault(7), 10_000));
        assert_ne!(chosen, strikes(fault(8), 10_000));
        let few = Fault {
            times: 3,
            ..fault(7)
        };
        assert_eq!(strikes(few, 10_000), chosen[..3]);
    }

    #[test]
    fn points_are_apart_and_nothing_happens_after_a_clear() {
        let faults = Faults::default();
        let times = u64::MAX;
        faults.set(Point::Wake, Fault { times, ..KILL });
        assert_eq!(faults.mask(), 1 << 5);
        assert_eq!(faults.pass(Point::BeforeRun), None);
        assert_eq!(faults.pass(Point::Wake), Some(Action::Kill));
        faults.clear();
        assert_eq!((faults.mask(), faults.pass(Point::Wake)), (0, None));
    }

    #[test]
    fn points_have_the_number_that_they_have_in_the_list() {
        for (number, point) in Point::ALL.into_iter().enumerate() {
            assert_eq!(point as usize, number);
        }
    }
}
