//! Waits that can never end: which threads block, what they hold up meanwhile, and whether anything that one of them waits
//! for can still move.
//!
//! The graph is small: a blocked thread needs objects; an object's task waits for its dependencies, or for resources that
//! other tasks hold, or was begun on a thread. A wait is dead if nothing that can move is reachable from it and it is reachable from itself. Whatever else may
//! end it (a failure elsewhere, a timeout) is something that can move, so no alarm is false; it may come late.
//!
//! A call of an actor whose thread blocks can move, too, if that thread may run it inside of its wait: it does so if its own wait needs
//! the call, which this search tells it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use mobula_sched::{Key, Phase};
use mobula_sync::Mutex;

use crate::cell::Body;
use crate::refs::{KeyMap, KeySet};
use crate::runtime::Runtime;

/// What a thread that blocks waits for, and until when.
#[derive(Debug, Default, Clone)]
pub(crate) struct Need {
    pub(crate) keys: Vec<Key>,
    /// So many of them must be settled.
    pub(crate) arrivals: usize,
    pub(crate) ends_on_failure: bool,
}

#[derive(Debug)]
struct Thread {
    need: Need,
    /// Tasks that were begun on it and can go on only after this wait.
    holds: Vec<Key>,
    /// What it cannot run inside of this wait.
    refused: KeySet,
    /// Its wait will end by itself: it has a time limit, or was told to give up.
    will_wake: bool,
}

/// The threads that block, by worker place.
#[derive(Debug, Default)]
pub(crate) struct Blocked {
    threads: Mutex<HashMap<usize, Thread>>,
}

/// One step along a cycle of waits: a task, and whether the step after it is a thread's wait, on which the task was begun.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) function: u32,
    pub(crate) is_on_thread: bool,
}

/// What becomes of a blocked thread's wait that nobody else can end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It can never end: the tasks on the way back to it.
    Dead(Vec<Step>),
    /// The thread itself can run something so that this call can end.
    Helps(Key),
}

/// When a blocked thread looks for a cycle: rarely enough that looking costs a few percent of a core at most.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    next: Option<Instant>,
}

impl Lookout {
    const PAUSE: Duration = Duration::from_millis(20);

    /// Calls `look` if it is time for it.
    pub(crate) fn look<T>(&mut self, look: impl FnOnce() -> Option<T>) -> Option<T> {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        let found = look();
        self.next = Some(Instant::now() + Self::PAUSE.max(now.elapsed() * 32));
        found
    }
}

impl Blocked {
    pub(crate) fn enter(
        &self,
        place: usize,
        need: Need,
        (holds, refused): (Vec<Key>, KeySet),
        will_wake: bool,
    ) {
        let thread = Thread {
            need,
            holds,
            refused,
            will_wake,
        };
        self.threads.lock().insert(place, thread);
    }

    pub(crate) fn leave(&self, place: usize) {
        self.threads.lock().remove(&place);
    }

    /// The thread was told to give up.
    pub(crate) fn give_up(&self, place: usize) {
        if let Some(thread) = self.threads.lock().get_mut(&place) {
            thread.will_wake = true;
        }
    }
}

/// A search from one thread's wait. Nodes are tasks; each knows by which node it was reached.
struct Search<'a> {
    runtime: &'a Runtime,
    threads: &'a HashMap<usize, Thread>,
    holders: KeyMap<usize>,
    seen: KeyMap<()>,
    entered: Vec<usize>,
    /// A call that the thread which asks can see to.
    helps: Option<Key>,
    nodes: Vec<(Key, Option<usize>, bool)>,
    /// What is ready and lacks a thread will have one.
    threads_come: bool,
}

/// Something that can move was met.
struct Moves;

impl<'a> Search<'a> {
    fn new(runtime: &'a Runtime, threads: &'a HashMap<usize, Thread>, threads_come: bool) -> Self {
        let mut holders = KeyMap::default();
        for (place, thread) in threads {
            holders.extend(thread.holds.iter().map(|key| (*key, *place)));
        }
        Self {
            runtime,
            threads,
            holders,
            seen: KeyMap::default(),
            entered: Vec::new(),
            helps: None,
            nodes: Vec::new(),
            threads_come,
        }
    }

    /// Goes through all that a thread waits for, whatever lies in between, the nearest first. Gives the node by which that comes back to
    /// the thread itself, if it does.
    fn go_through(&mut self, place: usize) -> Result<Option<usize>, Moves> {
        let mut closing = None;
        self.enter(place, None)?;
        let mut at = 0;
        while at < self.nodes.len() {
            if self.follow(at, place)? && closing.is_none() {
                closing = Some(at);
            }
            at += 1;
        }
        Ok(closing)
    }

    fn reach(&mut self, key: Key, from: Option<usize>) {
        let key = self.runtime.task_of(key);
        if self.seen.insert(key, ()).is_none() {
            self.nodes.push((key, from, false));
        }
    }

    /// What a blocked thread waits for is reached from the node that runs on it.
    fn enter(&mut self, place: usize, from: Option<usize>) -> Result<(), Moves> {
        let threads = self.threads;
        let thread = threads.get(&place).ok_or(Moves)?;
        // The one that asks has something to do until its time is over.
        let has_time = from.is_none() && !self.runtime.is_over(&thread.need);
        if self.runtime.will_wake(thread) && !has_time {
            return Err(Moves);
        }
        self.entered.push(place);
        for key in &thread.need.keys {
            if !self.runtime.is_settled(*key) {
                self.reach(*key, from);
            }
        }
        Ok(())
    }

    /// Reaches what node `at` waits for. True if it runs on the thread that asks.
    fn follow(&mut self, at: usize, asker: usize) -> Result<bool, Moves> {
        let (key, _, _) = self.nodes[at];
        match self.runtime.table.phase(key) {
            Some(Phase::Waiting) => {
                let deps: Vec<Key> = match &*self.runtime.cell(key).body.lock() {
                    Body::Task(task) => task.deps.iter().map(|entry| entry.key).collect(),
                    _ => return Err(Moves),
                };
                let open = deps
                    .iter()
                    .filter(|dep| !self.runtime.is_settled(**dep))
                    .count();
                let failed = |dep: &Key| self.runtime.table.phase(*dep) == Some(Phase::Failed);
                if open == 0 || deps.iter().any(failed) {
                    return Err(Moves);
                }
                for dep in deps {
                    if !self.runtime.is_settled(dep) {
                        self.reach(dep, Some(at));
                    }
                }
                Ok(false)
            }
            Some(Phase::Ready) => {
                let holders = self.runtime.in_the_way(key);
                if holders.is_empty() {
                    return self.follow_to_host(at, asker);
                }
                for holder in holders {
                    self.reach(holder, Some(at));
                }
                Ok(false)
            }
            Some(Phase::Offered | Phase::Running) => {
                let place = *self.holders.get(&key).ok_or(Moves)?;
                self.nodes[at].2 = true;
                if place == asker {
                    return Ok(true);
                }
                if !self.entered.contains(&place) {
                    self.enter(place, Some(at))?;
                }
                Ok(false)
            }
            _ => Err(Moves),
        }
    }

    /// A call that could begin, if the thread of its actor did not block in another's; or what has no thread.
    fn follow_to_host(&mut self, at: usize, asker: usize) -> Result<bool, Moves> {
        let (key, _, _) = self.nodes[at];
        let Some(place) = self.runtime.host_of_call(key) else {
            return match self.threads_come || self.runtime.is_of_poor(key) {
                true => Err(Moves),
                false => Ok(false),
            };
        };
        let thread = self.threads.get(&place).ok_or(Moves)?;
        let first = self.runtime.first_before(key, place);
        if first.is_some_and(|first| !thread.refused.contains(&first)) {
            if place == asker {
                self.helps = Some(key);
            }
            return Err(Moves);
        }
        self.nodes[at].2 = true;
        if place == asker {
            return Ok(true);
        }
        if !self.entered.contains(&place) {
            self.enter(place, Some(at))?;
        }
        Ok(false)
    }

    fn step(&self, at: usize) -> Step {
        let (key, _, is_on_thread) = self.nodes[at];
        let function = match &*self.runtime.cell(key).body.lock() {
            Body::Task(task) => task.function,
            _ => u32::MAX,
        };
        Step {
            function,
            is_on_thread,
        }
    }
}

impl Runtime {
    /// Nothing more comes of it: it has settled, or is gone.
    pub(crate) fn is_settled(&self, key: Key) -> bool {
        let phase = self.table.phase(key);
        phase.is_none_or(|phase| phase.is_settled() || phase == Phase::Free)
    }

    /// The thread's wait is over, or will end by itself.
    fn will_wake(&self, thread: &Thread) -> bool {
        thread.will_wake || self.is_over(&thread.need)
    }

    fn is_over(&self, need: &Need) -> bool {
        let mut settled = 0;
        for key in need.keys.iter().filter(|key| self.is_settled(**key)) {
            settled += 1;
            if need.ends_on_failure && self.table.phase(*key) == Some(Phase::Failed) {
                return true;
            }
        }
        settled >= need.arrivals
    }

    /// True if one of the threads that block will go on, or may, though no thread comes up: by itself, or after code that goes on where
    /// actors run.
    pub(crate) fn somebody_may_go_on(&self) -> bool {
        let threads = self.blocked.threads.lock();
        threads.iter().any(|(place, thread)| {
            // What an actor waits for concerns those who wait for it.
            let waits_for_what_moves = || {
                let mut search = Search::new(self, &threads, false);
                !self.hosts.is_host(*place) && search.go_through(*place).is_err()
            };
            self.will_wake(thread) || waits_for_what_moves()
        })
    }

    /// The tasks on the way from this blocked thread's wait back to itself, if it can never end. The thread then counts as
    /// one that gives up, so that of all on a cycle only one does. Or what the thread can do itself for its wait.
    pub(crate) fn judge(&self, place: usize) -> Option<Verdict> {
        let mut threads = self.blocked.threads.lock();
        let mut search = Search::new(self, &threads, true);
        // Breadth first: the shortest cycle is the one to tell.
        let Ok(closing) = search.go_through(place) else {
            return search.helps.map(Verdict::Helps);
        };
        let mut steps = Vec::new();
        let mut on = closing;
        while let Some(at) = on {
            steps.push(search.step(at));
            on = search.nodes[at].1;
        }
        steps.reverse();
        match threads.get_mut(&place) {
            Some(thread) if !steps.is_empty() && !thread.will_wake => {
                thread.will_wake = true;
                Some(Verdict::Dead(steps))
            }
            _ => None,
        }
    }
}
