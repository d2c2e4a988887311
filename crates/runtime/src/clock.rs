//! What has to happen at some time though every thread may be busy: runs that take too long, and threads that should have come
//! back to their loops. A thread of its own waits for it, from the first time limit on until the runtime is stopped.
//!
//! Each worker keeps the limits of its tasks in a table of its own, so that starting and ending a run costs no more than a lock
//! that nobody else wants. The clock sleeps until the earliest limit that it saw; who starts an earlier one pokes it. None is
//! missed: while the clock looks around, `wakes_at` is `LOOKS`, and everybody pokes it.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use mobula_sched::{Key, Phase};
use mobula_sync::atomic::{AtomicBool, AtomicU64, Ordering};
use mobula_sync::{Condvar, Mutex};

use crate::cancel::{Why, Wish};
use crate::functions::is_bound;
use crate::refs::KeyMap;
use crate::runtime::Runtime;

/// Instead of a time: the clock looks around, or there is none.
const LOOKS: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Clock {
    began: Instant,
    /// Microseconds that a simulation has skipped.
    skipped: AtomicU64,
    /// By worker place: the tasks that run there under a limit.
    limits: Box<[Mutex<KeyMap<Limit>>]>,
    returns: Mutex<Vec<Return>>,
    /// There are some of those. A hint: where there are none, nobody looks.
    expects: AtomicBool,
    /// When the clock looks around again, in microseconds from `began` on.
    wakes_at: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_poked: bool,
    is_running: bool,
    is_stopped: bool,
}

#[derive(Debug, Copy, Clone)]
struct Limit {
    at: u64,
    limit: Duration,
}

/// The thread at a place should have ended the code of a task by then, or be back in its loop.
#[derive(Debug, Copy, Clone)]
struct Return {
    at: u64,
    place: usize,
    key: Key,
    start: u32,
    /// How often it had been there before.
    turns: u32,
}

impl Clock {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            skipped: AtomicU64::new(0),
            limits: (0..places).map(|_| Mutex::default()).collect(),
            returns: Mutex::default(),
            expects: AtomicBool::new(false),
            wakes_at: AtomicU64::new(LOOKS),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn now(&self) -> u64 {
        let skipped = self.skipped.load(Ordering::Relaxed);
        self.began.elapsed().as_micros() as u64 + skipped
    }

    fn after(&self, time: Duration) -> u64 {
        let time = u64::try_from(time.as_micros()).unwrap_or(LOOKS);
        self.now().saturating_add(time).min(LOOKS - 1)
    }

    /// A run begins that may take so long.
    fn start(&self, place: usize, key: Key, limit: Duration) -> u64 {
        let at = self.after(limit);
        self.limits[place].lock().insert(key, Limit { at, limit });
        at
    }

    /// It has ended, or will not begin here.
    pub(crate) fn end(&self, place: usize, key: Key) {
        self.limits[place].lock().remove(&key);
    }

    /// Its code has ended, or never began: nobody waits for its thread on its account.
    pub(crate) fn no_longer_expect(&self, key: Key) {
        if self.expects.load(Ordering::Relaxed) {
            let mut returns = self.returns.lock();
            returns.retain(|awaited| awaited.key != key);
            self.expects.store(!returns.is_empty(), Ordering::Relaxed);
        }
    }

    /// All that ran there has ended.
    pub(crate) fn end_all(&self, place: usize) {
        self.limits[place].lock().clear();
    }

    /// The clock's thread ends.
    pub(crate) fn stop(&self) {
        self.state.lock().is_stopped = true;
        self.changed.notify_all();
    }

    /// Has it look around if it would not do so until then. True for the one who has to start its thread.
    fn poke(&self, at: u64) -> bool {
        // What was written before is seen by a clock that looked before: it took the same lock after its `LOOKS`.
        if at >= self.wakes_at.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = self.state.lock();
        state.is_poked = true;
        let has_none = !state.is_running && !state.is_stopped;
        state.is_running |= has_none;
        drop(state);
        self.changed.notify_all();
        has_none
    }

    /// What is due now, and when the next will be.
    fn look(&self) -> (Vec<Event>, u64) {
        let now = self.now();
        let mut next = LOOKS;
        let mut due = Vec::new();
        for (place, limits) in self.limits.iter().enumerate() {
            for (key, limit) in &*limits.lock() {
                match limit.at <= now {
                    true => due.push(Event::Limit(place, *key, *limit)),
                    false => next = next.min(limit.at),
                }
            }
        }
        self.returns.lock().retain(|awaited| {
            let is_due = awaited.at <= now;
            if is_due {
                due.push(Event::Return(*awaited));
            } else {
                next = next.min(awaited.at);
            }
            !is_due
        });
        (due, next)
    }

    /// Sleeps until then, or until somebody has something earlier. False: it was stopped.
    fn sleep(&self, until: u64) -> bool {
        let mut state = self.state.lock();
        if !state.is_poked && !state.is_stopped {
            self.wakes_at.store(until, Ordering::Relaxed);
            // Waits of many years overflow.
            let time = Duration::from_micros(until.saturating_sub(self.now()).min(1 << 50));
            (state, _) = self.changed.wait_timeout(state, time);
        }
        // Under the lock: from now on everybody pokes.
        self.wakes_at.store(LOOKS, Ordering::Relaxed);
        state.is_poked = false;
        !state.is_stopped
    }
}

#[derive(Debug)]
enum Event {
    Limit(usize, Key, Limit),
    Return(Return),
}

impl Runtime {
    /// A task begins on a worker that may take so long.
    pub(crate) fn start_time(&self, place: usize, key: Key, limit: Duration) {
        let at = self.clock.start(place, key, limit);
        self.wake_clock(at);
    }

    /// The thread of this start should have ended the code of a task after this time, or have been back in its loop.
    pub(crate) fn expect_return(
        &self,
        place: usize,
        (key, start, turns): (Key, u32, u32),
        after: Duration,
    ) {
        let at = self.clock.after(after);
        let awaited = Return {
            at,
            place,
            key,
            start,
            turns,
        };
        {
            let mut returns = self.clock.returns.lock();
            returns.push(awaited);
            self.clock.expects.store(true, Ordering::Relaxed);
        }
        self.wake_clock(at);
    }

    fn wake_clock(&self, at: u64) {
        if !self.clock.poke(at) {
            return;
        }
        let (clock, runtime) = (self.clock.clone(), self.me.clone());
        let thread = std::thread::Builder::new().name("mobula-clock".to_owned());
        if thread.spawn(move || run(&clock, &runtime)).is_err() {
            // Without one the driver looks now and then.
            self.clock.state.lock().is_running = false;
        }
    }

    /// The driver looks now and then, should the clock have no thread: the system may have none left.
    pub fn tend_clock(&self) {
        if !self.clock.state.lock().is_running {
            self.tick();
        }
    }

    /// For simulations: as if so much time had passed, for limits and for threads that should be back. From the first call on the
    /// caller is the clock: what is due happens in its calls, and no thread waits for it.
    pub fn skip_time(&self, time: Duration) {
        self.clock.state.lock().is_running = true;
        let time = time.as_micros() as u64;
        self.clock.skipped.fetch_add(time, Ordering::Relaxed);
        self.tick();
    }

    /// Does what is due, and tells when the next will be.
    fn tick(&self) -> u64 {
        loop {
            let (due, next) = self.clock.look();
            if due.is_empty() {
                return next;
            }
            for event in due {
                match event {
                    Event::Limit(place, key, limit) => self.time_out(place, key, limit),
                    Event::Return(Return {
                        place,
                        key,
                        start,
                        turns,
                        ..
                    }) => self.give_up_thread(place, (key, start, turns)),
                }
            }
        }
    }

    fn time_out(&self, place: usize, key: Key, due: Limit) {
        // Before the lock, which those take who have the lock of the members.
        let member = self.member(place);
        {
            let mut limits = self.clock.limits[place].lock();
            // Ended meanwhile, or another run of it.
            let Some(limit) = limits.get_mut(&key).filter(|limit| limit.at == due.at) else {
                return;
            };
            let is_unbegun = self.table.phase(key) == Some(Phase::Offered)
                && member.is_some_and(|member| member.claims.has_open(key));
            if is_unbegun {
                // Handed to a thread that has not run since.
                limit.at = self.clock.after(due.limit);
                return;
            }
            limits.remove(&key);
        }
        let is_here = self.cell(key).place.load(Ordering::Relaxed) == place as u32;
        if !is_here {
            // Taken back unbegun from a thread that has not run since: it is queued, or its time is counted elsewhere.
            return;
        }
        if self.is_settled(key) {
            if is_bound(self.cell(key).function.load(Ordering::Relaxed)) {
                return;
            }
            // It was cancelled, and its code runs on.
            self.stop_thread(key, place, self.cell(key).function.load(Ordering::Relaxed));
            return;
        }
        let wish = Wish {
            why: Why::TimedOut { limit: due.limit },
            is_forced: true,
            is_recursive: true,
        };
        self.cancel(key, wish);
        self.ask_for_workers();
    }
}

fn run(clock: &Clock, runtime: &Weak<Runtime>) {
    loop {
        // Not held while it sleeps: nobody waits for it to end.
        let Some(runtime) = runtime.upgrade() else {
            return;
        };
        let next = runtime.tick();
        drop(runtime);
        if !clock.sleep(next) {
            return;
        }
    }
}

/// Every interleaving of the clock's look and sleep with what begins meanwhile: nothing earlier is missed. Loom knows no time, so a
/// clock that sleeps for something later sleeps for ever, which loom reports.
#[cfg(all(test, loom))]
mod loom_tests {
    use loom::thread;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn check(model: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = builder.preemption_bound.or(Some(2));
        builder.check(model);
    }

    fn key(index: u32) -> Key {
        Key {
            index,
            generation: 1,
        }
    }

    /// A clock with a thread of its own, and with what is due in ten hours.
    fn clock() -> Arc<Clock> {
        let clock = Clock::new(2);
        clock.state.lock().is_running = true;
        clock.start(0, key(0), 10 * HOUR);
        clock
    }

    /// It has seen what is due in so many hours, or a little later.
    fn sees(clock: &Clock, hours: u32) {
        let until = clock.after(hours * HOUR + HOUR / 2);
        loop {
            let (_, next) = clock.look();
            if next <= until {
                return;
            }
            assert!(clock.sleep(next));
        }
    }

    fn start(clock: &Arc<Clock>, place: usize, hours: u32) -> thread::JoinHandle<()> {
        let clock = clock.clone();
        thread::spawn(move || {
            let at = clock.start(place, key(hours), hours * HOUR);
            assert!(!clock.poke(at), "its thread runs");
        })
    }

    #[test]
    fn the_earliest_of_two_limits_is_not_missed() {
        check(|| {
            let clock = clock();
            let others = [start(&clock, 0, 3), start(&clock, 1, 1)];
            sees(&clock, 1);
            for thread in others {
                thread.join().unwrap();
            }
        });
    }

    #[test]
    fn a_thread_that_should_come_back_earlier_is_not_missed() {
        check(|| {
            let clock = clock();
            let other = thread::spawn({
                let clock = clock.clone();
                move || {
                    let at = clock.after(HOUR);
                    let awaited = Return {
                        at,
                        place: 0,
                        key: key(1),
                        start: 1,
                        turns: 0,
                    };
                    clock.returns.lock().push(awaited);
                    assert!(!clock.poke(at), "its thread runs");
                }
            });
            sees(&clock, 1);
            other.join().unwrap();
        });
    }

    #[test]
    fn a_clock_that_is_stopped_ends() {
        check(|| {
            let clock = clock();
            let other = start(&clock, 1, 1);
            let stops = thread::spawn({
                let clock = clock.clone();
                move || clock.stop()
            });
            while clock.sleep(clock.look().1) {}
            other.join().unwrap();
            stops.join().unwrap();
        });
    }

    #[test]
    fn one_of_those_who_come_first_starts_its_thread() {
        check(|| {
            let clock = Clock::new(2);
            let other = thread::spawn({
                let clock = clock.clone();
                move || clock.poke(clock.start(1, key(1), HOUR))
            });
            let starts = clock.poke(clock.start(0, key(0), HOUR));
            assert!(starts != other.join().unwrap(), "one thread");
        });
    }

    /// One limit and a clock that has seen none, with what may be left out.
    fn mutant(says_that_it_looks: bool, remembers: bool) {
        check(move || {
            let clock = clock();
            let other = thread::spawn({
                let clock = clock.clone();
                move || {
                    let at = clock.start(1, key(1), HOUR);
                    if at < clock.wakes_at.load(Ordering::Relaxed) {
                        clock.state.lock().is_poked = remembers;
                        clock.changed.notify_all();
                    }
                }
            });
            if !says_that_it_looks {
                // As if the last sleep had left it there, which was for less.
                clock
                    .wakes_at
                    .store(clock.after(HOUR / 2), Ordering::Relaxed);
            }
            sees(&clock, 1);
            other.join().unwrap();
        });
    }

    #[test]
    fn the_parts_of_the_mutants_make_a_clock() {
        mutant(true, true);
    }

    /// The time of the last sleep stays while it looks around: who comes after its look believes that it will look again before that.
    #[test]
    #[should_panic(expected = "deadlock")]
    fn a_clock_that_does_not_say_that_it_looks_misses_one() {
        mutant(false, true);
    }

    /// Who comes between its look and its sleep rings when nobody listens.
    #[test]
    #[should_panic(expected = "deadlock")]
    fn a_clock_whose_pokes_are_forgotten_misses_one() {
        mutant(true, false);
    }
}
