//! A task that was begun: what its code does, a step at a time.

use mobula_runtime::{Reason, WHOLE};
use mobula_sched::Key;

use crate::Sim;
use crate::plan::Plan;
use crate::support::isolate::Isolate;
use crate::support::record::{Outcome, TaskRecord};
use crate::task::{Written, bytes_of, task_of};
use crate::worker::Worker;

/// A task that was begun and has not ended.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) task: usize,
    pub(crate) key: Key,
    /// Handles of this isolate that the task's code has.
    pub(crate) held: Vec<Key>,
    pub(crate) children: Vec<Key>,
    pub(crate) helped: usize,
    pub(crate) left: usize,
    pub(crate) waiting: Waiting,
    /// Steps that it only computes.
    pub(crate) computes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    NotYet,
    For(u32),
    /// The wait is over; code that blocked needs a slot to go on.
    Over(u32),
    No,
}

impl Sim {
    pub(crate) fn begin(&mut self, isolate: &mut Isolate, record: &TaskRecord) -> Frame {
        let task = task_of(&record.bytes);
        assert_eq!(
            (record.function, self.ids[&record.key]),
            (self.terms[self.tasks[task].plan.terms].0, task)
        );
        assert!(self.exists(self.demand(task)), "there is not so much");
        if let Some(key) = self.tasks[task].brings {
            assert_eq!(record.refs.last(), Some(&key), "it is behind the others");
        }
        let held: Vec<Key> = record.deps.iter().chain(&record.refs).copied().collect();
        held.iter().for_each(|key| isolate.retain(*key));
        let of = &mut self.tasks[task];
        of.runs += 1;
        assert_eq!(of.runs, of.attempt + 1, "task {task} runs again");
        assert_eq!(of.cancelled, None, "nobody wants task {task}");
        assert!(!of.is_doomed, "nobody wants task {task}");
        assert_eq!(isolate.port.attempt(record.key), of.attempt);
        let deps: Vec<usize> = record.deps.iter().map(|key| self.ids[key]).collect();
        assert_eq!(deps, self.tasks[task].deps);
        let (outcomes, fresh) = self.fetch(isolate, &record.deps);
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Outcome::Value { .. })),
            "{outcomes:?}"
        );
        Frame {
            task,
            key: record.key,
            held: [held, fresh].concat(),
            children: Vec::new(),
            helped: 0,
            left: self.tasks[task].plan.children,
            waiting: Waiting::NotYet,
            computes: self.tasks[task].plan.computes,
        }
    }

    /// One step of a task. On the stack it blocks the thread when it waits; off the stack it awaits.
    pub(crate) fn move_frame(
        &mut self,
        place: usize,
        worker: &mut Worker,
        mut frame: Frame,
        is_sync: bool,
    ) -> bool {
        let plan = self.tasks[frame.task].plan.clone();
        let waits = matches!(frame.waiting, Waiting::For(_) | Waiting::Over(_));
        if worker.has_heard(frame.key) && !waits && self.rng.chance(30) {
            // Code that is told need not listen.
            self.seen
                .insert("code ends since it is told that nobody wants it");
            self.finish(place, &mut worker.isolate, frame, &plan);
            // Before it looks for work: what it ran inside of a wait counts until it is handed in, and no wait follows that would.
            worker.isolate.flush();
            return true;
        }
        if frame.computes > 0 {
            frame.computes -= 1;
            match is_sync {
                true => worker.stack.push(frame),
                false => worker.asyncs.push(frame),
            }
            return true;
        }
        let isolate = &mut worker.isolate;
        let mut moved = true;
        // A thread that blocks while async tasks live on it may wait for one of them for ever: such code is at fault.
        let may_wait = !is_sync || worker.asyncs.is_empty();
        if frame.left > 0 {
            frame.left -= 1;
            let known = [&frame.held[..], &frame.children[..]].concat();
            let child = self.submit(isolate, &known, Some((place, &frame)));
            frame.children.extend(child);
            if self.rng.chance(50) {
                isolate.flush();
            }
            if let Some(child) = self.rng.pick(&frame.children)
                && self.rng.chance(if self.is_stormy { 0 } else { 10 })
            {
                let (struck, is_forced) = self.cancel(isolate, child);
                worker.notes(&struck, Some(&frame));
                let workers = self.workers.iter_mut().flatten();
                workers.for_each(|worker| worker.notes(&struck, None));
                if is_forced {
                    self.watch(&struck, Some(worker));
                }
            }
        } else if frame.waiting == Waiting::NotYet
            && plan.waits
            && may_wait
            && !frame.children.is_empty()
        {
            if is_sync && plan.helps && frame.helped < frame.children.len() {
                let taken = isolate.take(frame.children[frame.helped]);
                frame.helped += 1;
                if let Some(record) = taken {
                    self.start_time(self.ids[&record.key]);
                    let inner = self.begin(isolate, &record);
                    if self.tasks[inner.task].plan.is_async && inner.task.is_multiple_of(2) {
                        // As for async functions: it is known only now that it cannot run here.
                        self.tasks[inner.task].runs -= 1;
                        inner.held.iter().for_each(|key| isolate.release(*key));
                        self.timed.remove(&inner.task);
                        isolate.hand_back(record.key);
                    } else {
                        worker.stack.push(frame);
                        worker.stack.push(inner);
                        return true;
                    }
                }
            } else {
                frame.waiting = Waiting::For(isolate.get(&frame.children));
            }
        } else if let Waiting::For(token) = frame.waiting {
            if is_sync {
                match isolate.park(0) {
                    reason if reason == Reason::Mail as u32 => worker.done.extend(isolate.drain()),
                    _ => {
                        // Code that goes on after an `await` holds none, and needs one from now on.
                        let needs = worker.cpu.take().unwrap_or(WHOLE.min(self.cpu));
                        if !std::mem::replace(&mut worker.is_blocked, true) {
                            worker.resumes = needs;
                        }
                        moved = false;
                    }
                }
            }
            if let Some(how) = worker.done.remove(&token) {
                isolate.forget(token);
                frame.waiting = Waiting::Over(how);
            }
        } else if let Waiting::Over(how) = frame.waiting {
            // Whether it gave its CPU up is known by what `park` said; asking without need is harmless.
            if worker.is_blocked {
                moved = self.cpu_in_use() + worker.resumes <= self.cpu;
                if moved {
                    assert_eq!(isolate.resume(), Reason::Resumed as u32);
                    worker.cpu = Some(worker.resumes);
                    worker.is_blocked = false;
                }
            }
            if moved {
                frame.waiting = Waiting::No;
                let (outcomes, fresh) = self.fetch(isolate, &frame.children);
                self.check_wait(&outcomes, None, how);
                frame.held.extend(fresh);
            }
        } else {
            self.finish(place, isolate, frame, &plan);
            return true;
        }
        match is_sync {
            true => worker.stack.push(frame),
            false => worker.asyncs.push(frame),
        }
        moved
    }

    pub(crate) fn finish(
        &mut self,
        place: usize,
        isolate: &mut Isolate,
        frame: Frame,
        plan: &Plan,
    ) {
        let refs = if plan.returns_refs {
            &frame.children[..]
        } else {
            &[]
        };
        let bytes = bytes_of(frame.task, plan.size);
        let retries = self.retries(frame.task);
        let of = &mut self.tasks[frame.task];
        let is_tried_again = of.attempt < plan.throws_again;
        if is_tried_again {
            isolate.fail_again(frame.key, &bytes);
        } else {
            isolate.result(frame.key, plan.throws, &bytes, refs);
        }
        if let Some(timed) = self.timed.get_mut(&frame.task) {
            timed.end = Some(Written {
                by: place,
                crossings: isolate.crossings,
            });
        }
        if is_tried_again && of.attempt < retries {
            of.attempt += 1;
            self.queue.unbegun.push(frame.task);
            of.tried_again = Some(Written {
                by: place,
                crossings: isolate.crossings,
            });
            self.seen.insert("a task that threw is run again");
        } else {
            (of.has_result, of.threw) = (true, is_tried_again || plan.throws);
        }
        frame
            .held
            .iter()
            .chain(&frame.children)
            .for_each(|key| isolate.release(*key));
        if self.rng.chance(50) {
            isolate.flush();
        }
    }
}
