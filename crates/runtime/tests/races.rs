//! Threads that run tasks for each other over plain memory, for ThreadSanitizer (`npm run test:long -- --only
//! sanitizers`): what a task wrote, those who waited for it read, with no order between them but the runtime's own.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../sync/tests/support/acquiring.rs"]
mod acquiring;
mod support;

use std::cell::UnsafeCell;
use std::sync::Arc;

use mobula_sched::Key;
use support::crew::{Crew, Ended};
use support::record::Outcome;
use support::rng::Rng;
use support::{assert_empty, runtime};

#[global_allocator]
static ALLOCATOR: acquiring::Acquiring = acquiring::Acquiring;

const TASKS: usize = 3000;
const AT_ONCE: usize = 300;

/// What each task wrote beside its result.
struct Cells(Vec<UnsafeCell<u64>>);

// SAFETY: a task writes its own cell, and others read it when they have its result.
unsafe impl Sync for Cells {}
// SAFETY: the numbers in it belong to no thread.
unsafe impl Send for Cells {}

impl Cells {
    fn read(&self, task: usize) -> u64 {
        // SAFETY: the task has ended.
        unsafe { *self.0[task].get() }
    }

    fn write(&self, task: usize, number: u64) {
        // SAFETY: a task is run once, and nobody reads before it has ended.
        unsafe { *self.0[task].get() = number };
    }
}

fn number(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize
}

fn value(outcome: &Outcome) -> &[u8] {
    match outcome {
        Outcome::Value { bytes, .. } => bytes,
        other => panic!("a value was expected, not {other:?}"),
    }
}

/// Some go through the area, some through the store.
fn bytes(task: usize) -> Vec<u8> {
    let len = [4, 200, 3000, 40_000][task % 4];
    let mut bytes = vec![task as u8; len];
    bytes[..4].copy_from_slice(&(task as u32).to_le_bytes());
    bytes
}

fn main() {
    let mut rng = Rng(1);
    let mut crew = Crew::new(runtime(3, 12));
    let cells = Arc::new(Cells((0..2 * TASKS).map(|_| UnsafeCell::new(0)).collect()));
    let child = crew.define("child", {
        let cells = cells.clone();
        move |_, record| {
            let task = number(&record.bytes);
            cells.write(TASKS + task, 7);
            Ok(Ended::Value(bytes(task)))
        }
    });
    let task = crew.define("task", {
        let cells = cells.clone();
        move |context, record| {
            let task = number(&record.bytes);
            assert_eq!(record.bytes, bytes(task));
            let deps = context.fetch(&record.deps);
            let mut sum = 1;
            for dep in &deps {
                sum += cells.read(number(value(dep)));
            }
            if task.is_multiple_of(10) {
                let part = context.submit(child, &bytes(task), &[]);
                let outcomes = context.get(&[part], task.is_multiple_of(20))?;
                assert_eq!(value(&outcomes[0]), bytes(task));
                assert_eq!(cells.read(TASKS + task), 7);
                context.release(part);
            }
            cells.write(task, sum % 1000);
            Ok(if task % 97 == 96 && record.deps.is_empty() {
                Ended::Exit(3)
            } else {
                Ended::Value(bytes(task))
            })
        }
    });
    for start in (0..TASKS).step_by(AT_ONCE) {
        let mut keys: Vec<Key> = Vec::new();
        let mut expected: Vec<Option<u64>> = Vec::new();
        for k in 0..AT_ONCE {
            let number = start + k;
            let on: Vec<usize> = (0..rng.below(3))
                .filter(|_| k > 0 && number % 97 != 96)
                .map(|_| rng.below(k))
                .collect();
            let sum = on
                .iter()
                .try_fold(1, |sum, dep| Some(sum + expected[*dep]?));
            expected.push(sum.filter(|_| number % 97 != 96).map(|sum| sum % 1000));
            let deps: Vec<Key> = on.iter().map(|dep| keys[*dep]).collect();
            keys.push(crew.driver.submit(task, &bytes(number), &deps, &[]));
        }
        let token = crew.driver.wait_for(&keys, Some(AT_ONCE as u32));
        crew.run_until(token);
        for (k, outcome) in crew.driver.fetch(&keys).iter().enumerate() {
            match expected[k] {
                Some(sum) => {
                    assert_eq!(value(outcome), bytes(start + k));
                    assert_eq!(cells.read(start + k), sum);
                }
                None => assert!(matches!(outcome, Outcome::Crashed { .. }), "{outcome:?}"),
            }
        }
        keys.into_iter().for_each(|key| crew.driver.release(key));
    }
    let runtime = crew.runtime.clone();
    crew.stop();
    assert_empty(&runtime);
}
