//! The steps of workers: their loop, as the hook of the binding makes it, their rounds and their ends.

use std::collections::{HashMap, VecDeque};

use mobula_runtime::Forage;
use mobula_runtime::layout::header;
use mobula_sched::Key;

use crate::frame::{Frame, Waiting};
use crate::plan::Plan;
use crate::support::isolate::Isolate;
use crate::support::record::TaskRecord;
use crate::task::task_of;
use crate::{Sim, TURNS_OUT};

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) isolate: Isolate,
    pub(crate) stack: Vec<Frame>,
    pub(crate) round: VecDeque<TaskRecord>,
    /// It had no unfinished async tasks when the round began.
    pub(crate) was_free: bool,
    /// What it left of the last round goes back at once.
    pub(crate) is_cut_short: bool,
    pub(crate) asyncs: Vec<Frame>,
    pub(crate) done: HashMap<u32, u32>,
    pub(crate) mode: Mode,
    pub(crate) timer: bool,
    /// It was one too many: its thread is about to end.
    pub(crate) is_leaving: bool,
    /// It was given up: its thread is about to end.
    pub(crate) is_dying: bool,
    /// The number of its start.
    pub(crate) start: u32,
    /// How often it has been in its loop.
    pub(crate) turns: u64,
    /// CPU that it holds for running code; `None`: it may run none.
    pub(crate) cpu: Option<u64>,
    /// What code that blocked on it, and lost its CPU by that, needs to go on.
    pub(crate) resumes: u64,
    pub(crate) is_blocked: bool,
    /// Tasks that were cancelled while it ran them.
    pub(crate) should_hear: Vec<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Awake,
    Searching,
    /// It has looked and found nothing; others move before it says so.
    Leaving,
    Parked,
}

impl Sim {
    pub(crate) fn step_worker(&mut self, place: usize, only_what_must: bool) -> bool {
        let Some(mut worker) = self.workers[place].take() else {
            return false;
        };
        if !only_what_must && self.deaths > 0 && self.rng.chance(1) {
            self.deaths -= 1;
            self.die(worker);
            return true;
        }
        if worker.is_dying {
            if only_what_must || self.rng.chance(30) {
                self.die(worker);
            } else {
                self.workers[place] = Some(worker);
            }
            return true;
        }
        if worker.is_leaving {
            if only_what_must || self.rng.chance(30) {
                self.seen.insert("a worker retires");
                worker.isolate.close(Some(0), "");
                self.queue.count_rounds_anew();
            } else {
                self.workers[place] = Some(worker);
            }
            return true;
        }
        let moved = self.move_worker(place, &mut worker, only_what_must);
        self.workers[place] = Some(worker);
        moved
    }

    pub(crate) fn die(&mut self, worker: Worker) {
        let tasks = worker
            .keys()
            .chain(worker.round.iter().map(|record| record.key));
        for key in tasks {
            self.timed.remove(&self.ids[&key]);
        }
        for frame in worker.stack.iter().chain(&worker.asyncs) {
            let retries = self.retries(frame.task);
            let of = &mut self.tasks[frame.task];
            if of.cancelled.is_some() {
                continue;
            }
            if of.attempt < retries {
                of.attempt += 1;
                of.tried_again = None;
                self.queue.unbegun.push(frame.task);
                self.seen
                    .insert("a task that died with its worker is run again");
            } else {
                of.crashed = true;
            }
        }
        worker.isolate.close(Some(7), "died");
        self.queue.count_anew();
    }

    pub(crate) fn move_worker(
        &mut self,
        place: usize,
        worker: &mut Worker,
        only_what_must: bool,
    ) -> bool {
        if worker.mode == Mode::Parked {
            let whim = !only_what_must && self.rng.chance(3);
            // An async task's own timer or I/O wakes the loop too.
            let own = !worker.asyncs.is_empty()
                && worker.asyncs.iter().any(|frame| runnable(worker, frame));
            if !(worker.isolate.bell.take() || worker.timer || own || whim) {
                return false;
            }
            worker.timer = false;
            worker.isolate.port.retract();
            worker.mode = Mode::Awake;
            return true;
        }
        if worker.mode == Mode::Searching {
            let found = worker.isolate.port.has_mail() || worker.isolate.port.has_work();
            worker.isolate.port.end_search();
            worker.mode = if found { Mode::Awake } else { Mode::Leaving };
            return true;
        }
        if worker.mode == Mode::Leaving {
            worker.mode = Mode::Awake;
            self.park(worker);
            return true;
        }
        if let Some(frame) = worker.stack.pop() {
            return self.move_frame(place, worker, frame, true);
        }
        if let Some(record) = worker.round.pop_front() {
            let is_beside_others = !worker.asyncs.is_empty();
            let is_known = self.is_known(task_of(&record.bytes));
            if worker.was_free && is_beside_others && !is_known {
                worker.round.clear();
                worker.is_cut_short = true;
                return true;
            }
            if worker.isolate.begin(record.k) {
                assert!(
                    is_known || !is_beside_others,
                    "it may block those beside it, and others can be had"
                );
                let frame = self.begin(&mut worker.isolate, &record);
                let Plan {
                    is_async, terms, ..
                } = self.tasks[frame.task].plan;
                if !is_async {
                    worker.stack.push(frame);
                    return true;
                }
                worker.asyncs.push(frame);
                worker.isolate.hold(worker.asyncs.len());
                worker.isolate.flush();
                if terms == TURNS_OUT && !std::mem::replace(&mut self.has_turned_out, true) {
                    self.runtime.turns_out_async(record.function);
                    self.queue.count_anew();
                }
            }
            return true;
        }
        if std::mem::take(&mut worker.is_cut_short) {
            self.next_round(worker);
            return true;
        }
        let ready: Vec<usize> = (0..worker.asyncs.len())
            .filter(|k| runnable(worker, &worker.asyncs[*k]))
            .collect();
        if let Some(k) = self.rng.pick(&ready)
            && self.rng.chance(50)
        {
            let frame = worker.asyncs.swap_remove(k);
            let held = worker.asyncs.len();
            let moved = self.move_frame(place, worker, frame, false);
            if worker.asyncs.len() == held {
                worker.isolate.hold(held);
                worker.isolate.flush();
            }
            return moved;
        }
        self.turn(worker)
    }

    /// One turn of the loop, as the hook of the binding makes it.
    pub(crate) fn turn(&mut self, worker: &mut Worker) -> bool {
        if worker.isolate.port.has_mail() {
            worker.done.extend(worker.isolate.drain());
            worker.is_leaving =
                worker.isolate.header(header::LEAVE) != 0 && worker.isolate.port.leave_if_idle();
            return true;
        }
        worker.turns += 1;
        match worker.isolate.port.forage() {
            Forage::Work => {
                self.next_round(worker);
                return true;
            }
            Forage::Later(_) => worker.timer = true,
            Forage::Nothing => worker.timer = false,
        }
        // With unfinished async tasks it holds CPU only while it has something to run.
        worker.cpu = worker.cpu.filter(|_| worker.asyncs.is_empty());
        if self.rng.chance(50) {
            worker.isolate.port.start_search();
            worker.mode = Mode::Searching;
        } else {
            worker.mode = Mode::Leaving;
        }
        true
    }

    pub(crate) fn next_round(&mut self, worker: &mut Worker) {
        worker.turns += 1;
        worker.was_free = worker.asyncs.is_empty();
        worker.round = worker.isolate.next().into();
        let Some(first) = worker.round.front() else {
            worker.cpu = None;
            return;
        };
        let cpu = self.demand(task_of(&first.bytes)).cpu;
        let others = self.cpu_in_use();
        assert!(others + cpu <= self.cpu, "more CPU is used than there is");
        worker.cpu = Some(cpu);
        for record in &worker.round {
            let task = task_of(&record.bytes);
            self.start_time(task);
            let is_alone = worker.round.len() == 1 || !self.timed.contains_key(&task);
            assert!(is_alone, "its time begins with the round");
        }
        if self.is_stormy {
            let records: Vec<TaskRecord> = worker.round.iter().cloned().collect();
            self.note_round(worker, &records);
        }
        for record in &worker.round {
            let cpu = self.demand(task_of(&record.bytes)).cpu;
            assert_eq!(
                Some(cpu),
                worker.cpu,
                "all of a round have the CPU they need"
            );
        }
    }

    pub(crate) fn park(&mut self, worker: &mut Worker) {
        // What was written is handed in before a thread sleeps: nobody else can.
        worker.isolate.flush();
        if worker.isolate.port.hears_to_leave() {
            return;
        }
        let had_mail = worker.isolate.port.has_mail();
        let parks = worker.isolate.port.announce();
        assert!(!(had_mail && parks), "it sleeps on its mail");
        // With mail it keeps its CPU: it did not go to sleep.
        worker.cpu = worker.cpu.filter(|_| had_mail);
        if parks {
            worker.mode = Mode::Parked;
        }
    }

    /// CPU of the workers that may run code; the one that moves is not among them.
    pub(crate) fn cpu_in_use(&self) -> u64 {
        let workers = self.workers.iter().flatten();
        workers.filter_map(|worker| worker.cpu).sum()
    }
}

impl Worker {
    pub(crate) fn new(isolate: Isolate, start: u32) -> Self {
        Self {
            isolate,
            stack: Vec::new(),
            round: VecDeque::new(),
            was_free: true,
            is_cut_short: false,
            asyncs: Vec::new(),
            done: HashMap::new(),
            mode: Mode::Awake,
            timer: false,
            is_leaving: false,
            is_dying: false,
            start,
            turns: 0,
            cpu: None,
            resumes: 0,
            is_blocked: false,
            should_hear: Vec::new(),
        }
    }

    /// Some tasks were cancelled: of those that run here it should hear, the one that moves among them.
    pub(crate) fn notes(&mut self, struck: &[Key], moving: Option<&Frame>) {
        let frames = self.stack.iter().chain(&self.asyncs).chain(moving);
        let run_here = frames.map(|frame| frame.key);
        self.should_hear
            .extend(run_here.filter(|key| struck.contains(key)));
    }

    /// The tasks whose code has begun here and has not ended, but for the one that moves.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> {
        let frames = self.stack.iter().chain(&self.asyncs);
        frames.map(|frame| frame.key)
    }

    /// It was told that nobody wants this task any more.
    pub(crate) fn has_heard(&self, key: Key) -> bool {
        let mut unwanted = self.isolate.unwanted.iter();
        unwanted.any(|(other, _)| *other == key)
    }
}

/// An async task can go on unless it waits for something that is not there yet.
pub(crate) fn runnable(worker: &Worker, frame: &Frame) -> bool {
    match frame.waiting {
        Waiting::For(token) => worker.done.contains_key(&token),
        _ => true,
    }
}
