//! Tasks from their submission on: what they came to, and cancelling them.

use mobula_sched::Key;

use crate::Sim;
use crate::frame::Frame;
use crate::plan::{Plan, SIZES};
use crate::support::isolate::{Given, Isolate};
use crate::support::record::Outcome;

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) key: Key,
    pub(crate) plan: Plan,
    pub(crate) deps: Vec<usize>,
    /// What its function brings along.
    pub(crate) brings: Option<Key>,
    /// The task whose code submitted it, and which run of that it was.
    pub(crate) parent: Option<(usize, u32)>,
    /// Where it was written.
    pub(crate) written: Option<Written>,
    /// Times that it was begun.
    pub(crate) runs: u32,
    /// Runs that were in vain, and others followed or will.
    pub(crate) attempt: u32,
    /// Where the end of the last of these was written.
    pub(crate) tried_again: Option<Written>,
    pub(crate) has_result: bool,
    pub(crate) threw: bool,
    pub(crate) crashed: bool,
    /// It was cancelled, and all that it starts or not.
    pub(crate) cancelled: Option<bool>,
    /// It was not handed in when its parent was cancelled with all that it starts: it will be cancelled when it is.
    pub(crate) is_doomed: bool,
    /// A run of it took too long.
    pub(crate) is_late: bool,
    pub(crate) is_object: bool,
}

/// A worker that wrote something, and how often it had crossed by then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) by: usize,
    pub(crate) crossings: u64,
}

/// Bytes that name a task, of some size.
pub(crate) fn bytes_of(task: usize, size: usize) -> Vec<u8> {
    let mut bytes = (task as u32).to_le_bytes().to_vec();
    bytes.resize(size, task as u8);
    bytes
}

pub(crate) fn task_of(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize
}

impl Sim {
    /// Submits a task, in the code of another or on a driver.
    pub(crate) fn submit(
        &mut self,
        isolate: &mut Isolate,
        known: &[Key],
        parent: Option<(usize, &Frame)>,
    ) -> Option<Key> {
        self.budget = self.budget.checked_sub(1)?;
        let task = self.tasks.len();
        let plan = match self.is_stormy {
            true => self.plan_of_storm(parent.map(|(_, frame)| frame)),
            false => self.plan(parent.is_some()),
        };
        let mut some = |most: usize, percent| -> Vec<Key> {
            let picks = (0..most).filter_map(|_| self.rng.pick(known));
            let picks: Vec<Key> = picks.collect();
            picks
                .into_iter()
                .filter(|_| self.rng.chance(percent))
                .collect()
        };
        let (deps, refs) = (some(4, 40), some(3, 20));
        let again = isolate.brought.filter(|key| known.contains(key));
        let brings = match self.rng.below(3) {
            0 => None,
            1 => self.rng.pick(known),
            _ => again,
        };
        let size = SIZES[self.rng.below(SIZES.len())];
        // Nothing but a cancel or a death ends a storm.
        let deps = if plan.storms { Vec::new() } else { deps };
        let is_object = !plan.storms && self.rng.chance(10);
        let key = if is_object {
            isolate.put(&bytes_of(task, size), &refs)
        } else {
            let (function, _) = self.terms[plan.terms];
            let bytes = bytes_of(task, size);
            let nobody = Key {
                index: 0,
                generation: 0,
            };
            if brings.is_some() && isolate.brought == brings {
                self.seen
                    .insert("a task brings along what the one before did");
            }
            let given = Given {
                deps: &deps,
                refs: &refs,
                brings,
            };
            let parent = parent.map_or(nobody, |(_, frame)| frame.key);
            isolate.submit_in(parent, function, &bytes, &given)
        };
        let deps: Vec<usize> = deps.iter().map(|key| self.ids[key]).collect();
        self.tasks.push(Task {
            key,
            plan: Plan { size, ..plan },
            deps: if is_object { Vec::new() } else { deps },
            brings: brings.filter(|_| !is_object),
            parent: parent.map(|(_, frame)| (frame.task, self.tasks[frame.task].runs)),
            written: parent.map(|(by, _)| Written {
                by,
                crossings: isolate.crossings,
            }),
            runs: 0,
            attempt: 0,
            tried_again: None,
            has_result: is_object,
            threw: false,
            crashed: false,
            cancelled: None,
            is_doomed: false,
            is_late: false,
            is_object,
        });
        self.ids.insert(key, task);
        if !is_object {
            self.queue.unbegun.push(task);
        }
        if let Some((_, frame)) = parent {
            self.submitted_late(isolate, frame, key);
        }
        Some(key)
    }

    /// What a task starts after it was cancelled with all that it starts is cancelled as soon as it is handed in.
    pub(crate) fn submitted_late(&mut self, isolate: &mut Isolate, parent: &Frame, key: Key) {
        let task = self.ids[&key];
        if self.tasks[parent.task].cancelled != Some(true) || self.tasks[task].is_object {
            return;
        }
        isolate.flush();
        assert!(isolate.port.is_over(key), "nobody wants it");
        self.tasks[task].cancelled = Some(true);
        self.seen
            .insert("a task is cancelled as soon as it is handed in");
    }

    /// What was written has been handed in. Whoever moves now hands everything in first.
    pub(crate) fn is_handed_in(&self, written: Option<Written>) -> bool {
        written.is_none_or(|Written { by, crossings }| {
            let worker = self.workers[by].as_ref();
            worker.is_none_or(|worker| worker.isolate.crossings > crossings)
        })
    }

    /// What a task has started that goes with it.
    pub(crate) fn children_of(&self, parent: usize) -> Vec<usize> {
        let of = &self.tasks[parent];
        if of.attempt == of.runs && self.is_handed_in(of.tried_again) {
            // A run that was in vain, which is over.
            return Vec::new();
        }
        let is_child = |task: &Task| task.parent == Some((parent, of.runs)) && !task.is_object;
        let tasks = self.tasks.iter().enumerate();
        let children = tasks.filter(|(_, task)| is_child(task));
        children.map(|(child, _)| child).collect()
    }

    /// Cancels a task. Tells which were struck by it.
    pub(crate) fn cancel(&mut self, isolate: &mut Isolate, key: Key) -> (Vec<Key>, bool) {
        isolate.flush();
        let is_recursive = self.rng.chance(60);
        let mut struck = Vec::new();
        let mut open = vec![self.ids[&key]];
        while let Some(task) = open.pop() {
            let of = &self.tasks[task];
            if isolate.port.is_over(of.key) {
                continue;
            }
            if !self.is_handed_in(of.written) {
                self.tasks[task].is_doomed = true;
                continue;
            }
            struck.push(task);
            if is_recursive {
                open.extend(self.children_of(task));
            }
        }
        let is_forced = self.rng.chance(40);
        isolate.cancel(key, is_forced, is_recursive);
        for (k, task) in struck.iter().enumerate() {
            let of = &mut self.tasks[*task];
            of.cancelled = Some(is_recursive);
            self.seen.insert(match of.runs > of.attempt {
                true => "a task is cancelled that was begun",
                false => "a task is cancelled that was not begun",
            });
            if k > 0 {
                self.seen
                    .insert("a task is cancelled with the one that started it");
            }
            assert!(isolate.port.is_over(of.key), "it is cancelled at once");
        }
        if !struck.is_empty() {
            assert_eq!(isolate.fetch(&[key]), [Outcome::Cancelled]);
        }
        let struck = struck.iter().map(|task| self.tasks[*task].key).collect();
        (struck, is_forced)
    }

    pub(crate) fn fails(&self, task: usize) -> bool {
        let of = &self.tasks[task];
        of.crashed
            || of.threw
            || of.cancelled.is_some()
            || of.is_doomed
            || of.deps.iter().any(|dep| self.fails(*dep))
    }
}
