//! Every interleaving of giving resources up and asking for them back: no CPU lies idle while someone who looked after it was
//! given up wants one, code that blocked goes on, and nobody sleeps beside work that has what it needs. Drives the `Pool`, the
//! `Lines` and the `Idle` that ship; the mutants, which must fail, leave out or misplace one step each.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-runtime --release --test loom_pool`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, unreachable_pub, reason = "the runtime uses the rest")]
#[path = "../src/budget.rs"]
mod budget;
#[allow(dead_code, unreachable_pub, reason = "the runtime uses the rest")]
#[path = "../src/lines.rs"]
mod lines;
#[allow(dead_code, unreachable_pub, reason = "the runtime uses the rest")]
#[path = "../src/pool.rs"]
mod pool;
#[allow(dead_code, unreachable_pub, reason = "the runtime uses the rest")]
#[path = "../src/resources.rs"]
mod resources;

use std::sync::Arc;
use std::time::Duration;

use budget::Holder;
use lines::{Lines, Looker, Next};
use loom::thread;
use mobula_sched::{Bell, Idle, Key, Lane, Sleeper, Words};
use mobula_sync::{Condvar, Mutex};
use pool::Pool;
use resources::{Demand, Shape, Totals, WHOLE};

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

/// Loom knows no time, so a wait that nobody ends is a deadlock.
const EVER: Duration = Duration::MAX;

/// A pool with so many CPUs and one piece of a named resource.
fn pool(cpus: u64) -> Arc<Pool> {
    let totals = Totals {
        cpu: cpus * WHOLE,
        gpus: 0,
        named: vec![("db".to_owned(), WHOLE)],
    };
    let pool = Arc::new(Pool::new(&totals, 4));
    (0..3).for_each(|start| pool.joined(start, false));
    pool
}

fn at(place: usize) -> Holder {
    Holder::at(place)
}

fn holding(pool: &Pool, place: usize) -> Holder {
    let mut at = at(place);
    assert!(pool.acquire(&mut at), "a CPU is free");
    at
}

/// One CPU and so much of the named resource.
fn part(of_db: u64) -> Shape {
    let demand = Demand {
        named: vec![("db".to_owned(), of_db)],
        ..Demand::default()
    };
    pool(1).shape(&demand).unwrap()
}

fn db() -> Arc<Shape> {
    Arc::new(part(WHOLE))
}

fn key(index: u32) -> Key {
    Key {
        index,
        generation: 1,
    }
}

#[test]
fn of_two_cpus_given_up_one_goes_to_who_blocked_and_one_to_who_looks() {
    check(|| {
        let pool = pool(2);
        let sleepers = [holding(&pool, 0), holding(&pool, 1)];
        let [mut first, second] = sleepers;
        let mut wait = pool.block(&mut first);
        let third = holding(&pool, 2);
        // One waits for a CPU; two give theirs up, and look for work after that.
        let sleepers = [second, third].map(|mut at| {
            let pool = pool.clone();
            thread::spawn(move || {
                pool.release(&mut at);
                let again = pool.free() > 0 && pool.acquire(&mut at);
                if again {
                    // It runs what it saw, and gives the CPU up for good.
                    pool.release(&mut at);
                }
                again
            })
        });
        while !pool.resume(&mut wait, &mut first, EVER) {}
        let again = sleepers.map(|thread| thread.join().unwrap());
        assert!(
            again.contains(&true),
            "a CPU is free, work is queued, and all sleep"
        );
        holding(&pool, 1);
        assert!(!pool.acquire(&mut at(2)), "one CPU is left, of two");
    });
}

#[test]
fn code_that_blocked_goes_before_new_tasks() {
    check(|| {
        let pool = pool(1);
        let mut blocked = holding(&pool, 0);
        let mut wait = pool.block(&mut blocked);
        let mut spare = holding(&pool, 1);
        let spare = thread::spawn({
            let pool = pool.clone();
            move || {
                // Between two rounds, and when it goes to sleep at the latest.
                let goes_on = pool.acquire(&mut spare);
                pool.release(&mut spare);
                assert!(
                    goes_on || !pool.acquire(&mut spare),
                    "it is owed until it is taken"
                );
            }
        });
        while !pool.resume(&mut wait, &mut blocked, EVER) {}
        assert!(!pool.acquire(&mut at(2)), "there is one");
        spare.join().unwrap();
    });
}

#[test]
fn who_needs_two_cpus_to_go_on_does_not_take_the_wake_of_who_needs_one() {
    check(|| {
        let pool = pool(2);
        let both = pool.shape(&Demand {
            cpu: 2 * WHOLE,
            ..Demand::default()
        });
        let mut large = at(0);
        let both = Arc::new(both.unwrap());
        assert!(pool.with_budget(|budget| budget.take(key(1), &both, &mut large)));
        let mut large_wait = pool.block(&mut large);
        let mut small = holding(&pool, 1);
        let mut small_wait = pool.block(&mut small);
        let mut others = [holding(&pool, 2), holding(&pool, 3)];
        let large = thread::spawn({
            let pool = pool.clone();
            move || {
                while !pool.resume(&mut large_wait, &mut large, EVER) {}
                pool.release(&mut large);
            }
        });
        let small = thread::spawn({
            let pool = pool.clone();
            move || {
                while !pool.resume(&mut small_wait, &mut small, EVER) {}
                pool.release(&mut small);
            }
        });
        others.iter_mut().for_each(|at| pool.release(at));
        large.join().unwrap();
        small.join().unwrap();
        assert_eq!(pool.free(), 2);
    });
}

#[test]
fn what_a_task_held_is_there_for_who_looks_after_its_end() {
    check(|| {
        let (pool, db) = (pool(2), db());
        let mut first = at(0);
        assert!(pool.with_budget(|budget| budget.take(key(1), &db, &mut first)));
        let other = thread::spawn({
            let (pool, db) = (pool.clone(), db.clone());
            move || {
                let mut second = at(1);
                let taken = pool.with_budget(|budget| budget.take(key(2), &db, &mut second));
                // What was not taken left nothing behind.
                assert_eq!(second.cpu.is_some(), taken);
                if taken {
                    pool.withdraw(key(2));
                    pool.release(&mut second);
                }
            }
        });
        // It ends by its result and, as if the worker died at the same time, with its worker.
        pool.withdraw(key(1));
        pool.withdraw_all_of(0);
        pool.release(&mut first);
        other.join().unwrap();
        let mut last = at(2);
        assert!(pool.with_budget(|budget| budget.take(key(3), &db, &mut last)));
        assert_eq!(pool.free(), 1);
    });
}

/// Sticky, as an event loop's is. Who sleeps with nobody left to ring makes loom report a deadlock.
#[derive(Debug, Default)]
struct TestBell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl TestBell {
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

/// What the steps of going to sleep and of giving back stand on.
struct Scene {
    pool: Arc<Pool>,
    lines: Lines,
    idle: Idle,
    /// The line of tasks that need a part of the named resource.
    line: u32,
}

/// What a mutant leaves out, or does at the wrong time.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// Who gives back tells nobody.
    TellsNobody,
    /// Who gives back looks for waiting work first.
    AsksTooEarly,
    /// Who goes to sleep does not look once more.
    LooksNoMore,
    /// Who goes to sleep gives its CPU up after its last look.
    GivesUpTooLate,
    /// Who was called and took something calls nobody for the rest.
    PassesNothingOn,
}

impl Scene {
    /// So many CPUs, one piece of the named resource, and a line for tasks that need so much of it.
    fn new(cpus: u64, of_db: u64) -> Arc<Self> {
        let lines = Lines::new();
        let shape = if of_db > 0 {
            part(of_db)
        } else {
            Shape::common()
        };
        Arc::new(Self {
            line: lines.line(shape, 1, Lane::Plain),
            lines,
            pool: pool(cpus),
            idle: Idle::new(Arc::new(Words::new(0))),
        })
    }

    /// A worker that has begun a task of that line.
    fn begun(&self, task: u32, place: usize, shape: &Arc<Shape>) -> Holder {
        let mut at = at(place);
        let is_there = |budget: &mut budget::Budget| budget.take(key(task), shape, &mut at);
        assert!(self.pool.with_budget(is_there));
        at
    }

    fn with_looker<T>(&self, then: impl FnOnce(&Looker<'_>) -> T) -> T {
        then(&Looker {
            pool: &self.pool,
            has_common: [false; 2],
            passes_plain: false,
            is_ready: &|_| true,
        })
    }

    /// The steps of `Runtime::ask_for_workers`, as far as sleepers hear of it.
    fn ask(&self) {
        let room = match self.lines.is_waiting() {
            true => self.with_looker(|looker| self.lines.room(looker, [0; 2], 4)),
            false => self.pool.free(),
        };
        if room > 0 {
            self.idle.notify();
        }
    }

    /// The steps of `next` and `announce`: takes one task, or sleeps until it is called. Returns with what the task needs.
    fn take_one(&self, place: usize, bell: &Arc<TestBell>, fault: Fault) -> (Key, Holder) {
        let mut at = at(place);
        loop {
            let next = self.with_looker(|looker| self.lines.next(looker, &mut at, 1));
            if let Next::Tasks { keys, .. } = next {
                if fault != Fault::PassesNothingOn && self.lines.is_waiting() {
                    self.ask();
                }
                return (keys[0], at);
            }
            self.sleep(&mut at, bell, fault);
        }
    }

    fn sleep(&self, at: &mut Holder, bell: &Arc<TestBell>, fault: Fault) {
        if fault != Fault::GivesUpTooLate {
            self.pool.release(at);
        }
        self.idle.announce(at.place, bell.clone(), Sleeper::Free);
        let sees = self.with_looker(|looker| self.lines.look(looker, at, true).finds.is_some());
        if fault == Fault::GivesUpTooLate {
            self.pool.release(at);
        }
        if fault == Fault::LooksNoMore || !sees {
            bell.sleep();
        }
        self.idle.retract(at.place);
    }
}

/// A task ends in the middle of other code of its worker; another worker, for whom there is CPU, goes to sleep since the
/// queued task lacks what that one held.
fn a_grant_comes_back(fault: Fault) {
    check(move || {
        let (scene, db) = (Scene::new(2, WHOLE), db());
        let mut first = scene.begun(1, 0, &db);
        scene.lines.push(scene.line, key(2), false);
        let sleeper = thread::spawn({
            let scene = scene.clone();
            move || {
                let (taken, mut at) = scene.take_one(1, &Arc::default(), fault);
                assert_eq!(taken, key(2));
                scene.pool.withdraw(taken);
                scene.pool.release(&mut at);
            }
        });
        scene.pool.withdraw(key(1));
        if fault != Fault::TellsNobody {
            scene.ask();
        }
        sleeper.join().unwrap();
        scene.pool.release(&mut first);
        assert_eq!(scene.pool.free(), 2);
    });
}

#[test]
fn who_slept_for_want_of_a_resource_is_called_when_it_comes_back() {
    a_grant_comes_back(Fault::Nothing);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_a_word_about_what_came_back_a_worker_sleeps_beside_work() {
    a_grant_comes_back(Fault::TellsNobody);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_a_look_after_the_announcement_what_came_back_is_overlooked() {
    a_grant_comes_back(Fault::LooksNoMore);
}

/// A task is submitted while what it needs comes back: the one finds nothing free, the other nothing queued.
fn a_grant_comes_back_to_new_work(fault: Fault) {
    check(move || {
        let (scene, db) = (Scene::new(2, WHOLE), db());
        let mut first = scene.begun(1, 0, &db);
        let bell = Arc::<TestBell>::default();
        scene.idle.announce(1, bell.clone(), Sleeper::Free);
        let producer = thread::spawn({
            let scene = scene.clone();
            move || {
                scene.lines.push(scene.line, key(2), false);
                scene.ask();
            }
        });
        let returner = thread::spawn({
            let scene = scene.clone();
            move || {
                let is_waited_for = scene.lines.is_waiting();
                scene.pool.withdraw(key(1));
                if fault != Fault::AsksTooEarly || is_waited_for {
                    scene.ask();
                }
            }
        });
        bell.sleep();
        scene.idle.retract(1);
        let (taken, mut at) = scene.take_one(1, &bell, fault);
        assert_eq!(taken, key(2));
        producer.join().unwrap();
        returner.join().unwrap();
        scene.pool.withdraw(taken);
        scene.pool.release(&mut first);
        scene.pool.release(&mut at);
    });
}

#[test]
fn who_submits_and_who_gives_back_do_not_rely_on_each_other() {
    a_grant_comes_back_to_new_work(Fault::Nothing);
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_looks_for_work_before_it_gives_back_leaves_a_sleeper_beside_it() {
    a_grant_comes_back_to_new_work(Fault::AsksTooEarly);
}

/// Somebody who waits for a task is granted what it needs, and finds that it failed. Meanwhile another looks for the same.
fn a_grant_comes_to_nothing(fault: Fault) {
    check(move || {
        let (scene, db) = (Scene::new(2, WHOLE), db());
        let mut first = holding(&scene.pool, 0);
        scene.lines.push(scene.line, key(2), false);
        let sleeper = thread::spawn({
            let scene = scene.clone();
            move || {
                let (taken, mut at) = scene.take_one(1, &Arc::default(), fault);
                scene.pool.withdraw(taken);
                scene.pool.release(&mut at);
            }
        });
        if scene.pool.grant(key(1), &db, 0) {
            scene.pool.withdraw(key(1));
            if fault != Fault::TellsNobody && scene.lines.is_waiting() {
                scene.ask();
            }
        }
        sleeper.join().unwrap();
        scene.pool.release(&mut first);
    });
}

#[test]
fn a_grant_that_was_not_used_is_no_reason_to_sleep_on() {
    a_grant_comes_to_nothing(Fault::Nothing);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_a_word_about_a_grant_that_was_not_used_a_worker_sleeps_beside_work() {
    a_grant_comes_to_nothing(Fault::TellsNobody);
}

/// What one task held is enough for two: who is called first calls the second.
fn a_grant_is_enough_for_two(fault: Fault) {
    check(move || {
        let (scene, db) = (Scene::new(3, WHOLE / 2), db());
        let mut first = scene.begun(1, 0, &db);
        for task in [2, 3] {
            scene.lines.push(scene.line, key(task), false);
        }
        let sleepers = [1, 2].map(|place| {
            let scene = scene.clone();
            let bell = Arc::<TestBell>::default();
            scene.idle.announce(place, bell.clone(), Sleeper::Free);
            thread::spawn(move || {
                bell.sleep();
                scene.idle.retract(place);
                // It runs what it took, and does not come back.
                scene.take_one(place, &bell, fault).0
            })
        });
        scene.pool.withdraw(key(1));
        scene.ask();
        let taken = sleepers.map(|thread| thread.join().unwrap());
        assert!(taken[0] != taken[1]);
        scene.pool.release(&mut first);
        assert_eq!(scene.pool.free(), 1);
    });
}

#[test]
fn what_is_enough_for_two_calls_two() {
    a_grant_is_enough_for_two(Fault::Nothing);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_passing_on_the_second_sleeps_beside_what_it_needs() {
    a_grant_is_enough_for_two(Fault::PassesNothingOn);
}

/// The only CPU is with a worker that goes to sleep while a task is submitted.
fn the_last_cpu_is_given_up(fault: Fault) {
    check(move || {
        let scene = Scene::new(1, 0);
        let mut first = holding(&scene.pool, 0);
        let producer = thread::spawn({
            let scene = scene.clone();
            move || {
                scene.lines.push(scene.line, key(1), false);
                scene.ask();
            }
        });
        let bell = Arc::default();
        // When it looked between two rounds nothing was queued.
        scene.sleep(&mut first, &bell, fault);
        let (taken, mut at) = scene.take_one(0, &bell, fault);
        assert_eq!(taken, key(1));
        producer.join().unwrap();
        scene.pool.release(&mut at);
    });
}

#[test]
fn a_producer_who_finds_no_cpu_is_seen_by_who_gives_it_up() {
    the_last_cpu_is_given_up(Fault::Nothing);
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_gives_its_cpu_up_after_its_last_look_sleeps_beside_work() {
    the_last_cpu_is_given_up(Fault::GivesUpTooLate);
}
