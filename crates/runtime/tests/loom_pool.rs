//! Every interleaving of giving resources up and asking for them back: no CPU lies idle while someone who looked after it was
//! given up wants one, and code that blocked goes on. Drives the `Pool` that ships.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-runtime --release --test loom_pool`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, unreachable_pub, reason = "the runtime uses the rest")]
#[path = "../src/budget.rs"]
mod budget;
#[allow(dead_code, unreachable_pub, reason = "the runtime uses the rest")]
#[path = "../src/pool.rs"]
mod pool;
#[allow(dead_code, unreachable_pub, reason = "the runtime uses the rest")]
#[path = "../src/resources.rs"]
mod resources;

use std::sync::Arc;
use std::time::Duration;

use budget::Holder;
use loom::thread;
use mobula_sched::Key;
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
    (0..3).for_each(|start| pool.joined(start));
    pool
}

fn at(place: usize) -> Holder {
    Holder { place, cpu: None }
}

fn holding(pool: &Pool, place: usize) -> Holder {
    let mut at = at(place);
    assert!(pool.acquire(&mut at), "a CPU is free");
    at
}

fn db() -> Arc<Shape> {
    let demand = Demand {
        named: vec![("db".to_owned(), WHOLE)],
        ..Demand::default()
    };
    Arc::new(pool(1).shape(&demand).unwrap())
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
