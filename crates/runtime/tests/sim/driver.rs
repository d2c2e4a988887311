//! The steps of the driver.

use std::collections::HashSet;

use mobula_runtime::Role;
use mobula_runtime::layout::status;
use mobula_sched::Key;

use crate::Sim;
use crate::support::isolate::Isolate;
use crate::worker::Worker;

/// Where tasks start others for ever, the driver submits none while so many are queued: those before one bound its patience.
const QUEUED_MAX: usize = 4;

#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) on: Vec<usize>,
    pub(crate) count: Option<u32>,
    pub(crate) ended: bool,
}

impl Sim {
    pub(crate) fn step_driver(&mut self, only_listens: bool) -> bool {
        let mut driver = self.driver.take().unwrap();
        let moved = self.step_driver_with(&mut driver, only_listens);
        self.driver = Some(driver);
        moved
    }

    pub(crate) fn step_driver_with(&mut self, driver: &mut Isolate, only_listens: bool) -> bool {
        let mut moved = false;
        if driver.port.has_mail() {
            moved = true;
            for (token, how) in driver.drain() {
                let wait = self.waits.remove(&token).expect("a wait completes once");
                driver.forget(token);
                if how == status::ENDED {
                    assert!(wait.ended, "nobody ended it");
                    continue;
                }
                let of_wait = |key: &&Key| wait.on.contains(&self.ids[*key]);
                let keys: Vec<Key> = self.handles.iter().filter(of_wait).copied().collect();
                let (outcomes, fresh) = self.fetch(driver, &keys);
                self.check_wait(&outcomes, wait.count, how);
                self.handles.extend(fresh);
            }
        }
        self.give_up(driver);
        if only_listens {
            driver.flush();
        } else {
            self.act(driver);
        }
        for _ in 0..std::mem::take(&mut driver.wanted) {
            moved = true;
            let start = self.workers.len() as u32;
            let isolate = Isolate::new(&self.runtime, Role::Worker { start });
            let isolate = isolate.expect("a place for one more worker");
            self.workers.push(Some(Worker::new(isolate, start)));
        }
        moved
    }

    pub(crate) fn act(&mut self, driver: &mut Isolate) {
        if self.rng.chance(4) {
            self.skip_time(driver);
            return;
        }
        match self.rng.below(13) {
            0..=4 if self.is_stormy && self.queue.len() >= QUEUED_MAX => {}
            0..=4 => {
                let known = self.handles.clone();
                let key = self.submit(driver, &known, None);
                if self.is_stormy {
                    driver.flush();
                }
                match key {
                    Some(key) if self.is_for_ever_pending(key) => self.pending.push(key),
                    key => self.handles.extend(key),
                }
            }
            5 => driver.flush(),
            6 | 7 if !self.handles.is_empty() => {
                let keys: Vec<Key> = (0..1 + self.rng.below(5))
                    .filter_map(|_| self.rng.pick(&self.handles))
                    .collect();
                let mut keys: Vec<Key> = keys;
                keys.sort_by_key(|key| self.ids[key]);
                keys.dedup();
                let count = self
                    .rng
                    .chance(50)
                    .then(|| self.rng.below(keys.len() + 1) as u32);
                let token = driver.wait_for(&keys, count);
                let on = keys.iter().map(|key| self.ids[key]).collect();
                self.waits.insert(
                    token,
                    Wait {
                        on,
                        count,
                        ended: false,
                    },
                );
            }
            8 => {
                let mut tokens: Vec<u32> = self.waits.keys().copied().collect();
                tokens.sort_unstable();
                if let Some(token) = self.rng.pick(&tokens) {
                    self.waits.get_mut(&token).unwrap().ended = true;
                    driver.end_wait(token);
                }
            }
            9 => {
                let open = |key: &Key| {
                    self.waits
                        .values()
                        .any(|wait| wait.on.contains(&self.ids[key]))
                };
                if let Some(key) = self.rng.pick(&self.handles)
                    && !open(&key)
                {
                    let at = self.handles.iter().position(|held| *held == key).unwrap();
                    self.handles.swap_remove(at);
                    driver.release(key);
                }
            }
            10 if !self.handles.is_empty() => {
                let key = self.rng.pick(&self.handles).unwrap();
                let (_, fresh) = self.fetch(driver, &[key]);
                self.handles.extend(fresh);
            }
            11 => {
                let mut all = [&self.handles[..], &self.pending[..]].concat();
                if self.rng.chance(50) {
                    // Most have started none.
                    let parents = self.tasks.iter().filter_map(|task| task.parent);
                    let parents: HashSet<usize> = parents.map(|(parent, _)| parent).collect();
                    let goes_on = |key: &Key| !driver.port.is_over(*key);
                    all.retain(|key| parents.contains(&self.ids[key]) && goes_on(key));
                }
                if let Some(key) = self.rng.pick(&all) {
                    let (struck, is_forced) = self.cancel(driver, key);
                    let workers = self.workers.iter_mut().flatten();
                    workers.for_each(|worker| worker.notes(&struck, None));
                    if is_forced {
                        self.watch(&struck, None);
                    }
                }
            }
            _ => {}
        }
    }
}
