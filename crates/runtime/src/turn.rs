//! What a worker looks at between common tasks and those that wait in lines.

use std::sync::Arc;
use std::time::Duration;

use mobula_sched::{Key, Lane, Phase};
use mobula_sync::atomic::{Ordering, fence};

use crate::area::{Area, Heap};
use crate::budget::Holder;
use crate::functions::is_timed;
use crate::layout;
use crate::lines::{COMMON, COMMON_ASYNC, Found, Looker, NOWHERE, Next, OF_ACTOR, Sight};
use crate::port::{Port, Seat};
use crate::resources::{Shape, WHOLE};
use crate::runtime::Runtime;

/// Whose turn it was.
pub(crate) enum Turn {
    /// That of so many common tasks of a lane, at most.
    Common { most: usize, lane: Lane },
    /// That of a line, whose tasks these are; or nobody's.
    Over(Vec<Key>),
}

impl Port {
    /// Writes the records of tasks from the line whose turn it is, if it is not that of the common ones.
    pub(crate) fn gather_in_turn(&mut self, area: &mut Area<'_>, most: usize) -> Turn {
        let runtime = self.runtime.clone();
        loop {
            let Some(seat) = &mut self.seat else {
                return Turn::Over(Vec::new());
            };
            let passes_plain = seat.relief(&runtime).is_some();
            let next = runtime.with_looker(passes_plain, |looker| {
                runtime.lines.next(looker, &mut seat.holder, most)
            });
            let written = match next {
                Next::Common { most, lane } => return Turn::Common { most, lane },
                Next::Nothing => return Turn::Over(Vec::new()),
                Next::Tasks {
                    keys,
                    granted,
                    lane,
                } => {
                    seat.takes_from(lane, &runtime);
                    self.write_special(area, keys, granted)
                }
            };
            if !written.is_empty() {
                return Turn::Over(written);
            }
        }
    }

    /// Those of them that are still there to be run; what does not fit the area goes back to its place.
    fn write_special(&mut self, area: &mut Area<'_>, keys: Vec<Key>, granted: bool) -> Vec<Key> {
        let runtime = self.runtime.clone();
        let mut heap = Heap::new(layout::TASK_HEAP_AT);
        let mut written = Vec::new();
        let mut keys = keys.into_iter();
        let mut left = None;
        for key in keys.by_ref() {
            let limit = runtime.limit_of(key);
            // Alone: its time begins when it is handed out.
            let is_too_late = limit.is_some() && !written.is_empty();
            if is_too_late || !self.write_task(area, &mut heap, written.len(), key) {
                left = Some(key);
                break;
            }
            let is_mine = runtime.table.advance(key, Phase::Ready, Phase::Offered);
            match &mut self.seat {
                Some(seat) if is_mine => {
                    if granted {
                        seat.granted.insert(key);
                        seat.granted_now = Some(key);
                    }
                    written.push(key);
                    if limit.is_some() {
                        seat.timed_now = limit.map(|limit| (key, limit));
                        break;
                    }
                }
                // It failed meanwhile, or a thread that waited for it has taken it.
                _ => runtime.pool.withdraw(key),
            }
        }
        // The first of them last: to the front of its line.
        for key in keys.rev().chain(left) {
            runtime.lines.push(runtime.line_of(key), key, true);
        }
        written
    }
}

impl Seat {
    /// Makes a task this worker's that nobody has begun, to be run inside of the wait for it: on the CPU that is held here, if
    /// it is enough, and with a grant of its own.
    pub(crate) fn take(&mut self, runtime: &Runtime, key: Key) -> bool {
        let shape = match runtime.line_of(key) {
            // Code that goes on after an `await` holds no CPU, and is not counted.
            COMMON | COMMON_ASYNC if self.holder.cpu.is_none_or(|cpu| cpu >= WHOLE) => None,
            // That of an actor's code is where its instance is (`Port::take_call`).
            COMMON | COMMON_ASYNC | OF_ACTOR => return false,
            line => match runtime.lines.shape(line) {
                Some(shape) if self.holder.parts() >= shape.cpu => Some(shape),
                _ => return false,
            },
        };
        let taken = match runtime.table.phase(key) {
            Some(Phase::Ready) => self.take_ready(runtime, key, shape),
            Some(Phase::Offered) => self.take_offered(runtime, key, shape),
            _ => false,
        };
        if taken {
            let cell = runtime.cell(key);
            cell.place.store(self.place as u32, Ordering::Relaxed);
            cell.handed.store(runtime.history.now(), Ordering::Relaxed);
            // With the one in `struck`: it was settled before this, or whoever settles it finds it here.
            fence(Ordering::SeqCst);
        }
        let is_wanted = taken && runtime.table.phase(key) == Some(Phase::Running);
        if taken && !is_wanted {
            if self.granted.remove(&key) {
                runtime.withdraw_unused(key);
            }
            runtime.let_settled_linger_no_more(key);
        }
        is_wanted
    }

    fn take_ready(&mut self, runtime: &Runtime, key: Key, shape: Option<Arc<Shape>>) -> bool {
        let shape = shape.filter(|shape| shape.holds());
        if let Some(shape) = &shape
            && !runtime.pool.grant(key, shape, self.place)
        {
            return false;
        }
        let is_mine = runtime.table.advance(key, Phase::Ready, Phase::Running);
        match (shape, is_mine) {
            (Some(_), true) => drop(self.granted.insert(key)),
            (Some(_), false) => runtime.withdraw_unused(key),
            (None, _) => {}
        }
        is_mine
    }

    /// Out of the round of another worker, which keeps its CPU; the grant comes along.
    fn take_offered(&mut self, runtime: &Runtime, key: Key, shape: Option<Arc<Shape>>) -> bool {
        let mut others = runtime.others(self.place).into_iter();
        if !others.any(|claims| claims.take_one(key)) {
            return false;
        }
        let is_mine = runtime.table.advance(key, Phase::Offered, Phase::Running);
        if !is_mine {
            // Settled meanwhile, by one who took it for begun.
            runtime.let_settled_linger_no_more(key);
        }
        if !shape.is_some_and(|shape| shape.holds()) {
            return is_mine;
        }
        if is_mine {
            runtime.pool.move_grant(key, self.place);
            self.granted.insert(key);
        } else {
            runtime.withdraw_unused(key);
        }
        is_mine
    }
}

impl Runtime {
    /// How long a run of this task may take.
    pub(crate) fn limit_of(&self, key: Key) -> Option<Duration> {
        let function = self.cell(key).function.load(Ordering::Relaxed);
        if !is_timed(function) {
            return None;
        }
        self.functions.get(function)?.terms.limit
    }

    /// Calls `then` with all that a look at the lines takes.
    pub(crate) fn with_looker<T>(
        &self,
        passes_plain: bool,
        then: impl FnOnce(&Looker<'_>) -> T,
    ) -> T {
        let is_ready = |key: Key| self.table.phase(key) == Some(Phase::Ready);
        // Common tasks, if there is so much CPU in all.
        let has_common = |lane| self.has_cpu && self.queues.has_work_in(lane);
        then(&Looker {
            pool: &self.pool,
            has_common: Lane::ALL.map(has_common),
            passes_plain,
            is_ready: &is_ready,
        })
    }

    /// What a worker would find in the queues and lines, which may pass by all that is not known to be async.
    pub(crate) fn look(&self, at: &Holder, only_looks: bool, passes_plain: bool) -> Sight {
        if self.lines.is_waiting() {
            let look = |looker: &Looker<'_>| self.lines.look(looker, at, only_looks);
            return self.with_looker(passes_plain, look);
        }
        let lanes = if passes_plain {
            &Lane::ALL[1..]
        } else {
            &Lane::ALL
        };
        let lane = lanes.iter().find(|lane| self.queues.has_work_in(**lane));
        Sight {
            finds: lane
                .filter(|_| self.pool.has_room(at))
                .map(|lane| Found::Common(*lane)),
            later: None,
        }
    }

    /// Something is queued that is known to be async, or may be.
    pub(crate) fn has_async(&self) -> bool {
        self.queues.has_work_in(Lane::Async) || self.lines.is_waiting()
    }

    /// Something is queued that is not known to be async.
    pub(crate) fn has_plain(&self) -> bool {
        self.queues.has_work_in(Lane::Plain) || self.lines.has_plain()
    }

    /// How many of the queued tasks could begin now on idle workers.
    pub(crate) fn room(&self) -> u32 {
        let common = Lane::ALL.map(|lane| match self.has_cpu {
            true => self.queues.len_of(lane),
            false => 0,
        });
        self.with_looker(false, |looker| {
            self.lines.room(looker, common, self.config.workers_max)
        })
    }

    /// The tasks whose end a queued one waits for, since they hold what it lacks.
    pub(crate) fn in_the_way(&self, key: Key) -> Vec<Key> {
        match self.line_of(key) {
            COMMON | COMMON_ASYNC | NOWHERE => Vec::new(),
            OF_ACTOR => self.before_call(key),
            line => self.lines.shape(line).map_or_else(Vec::new, |shape| {
                self.pool.see_budget(|budget| budget.in_the_way(&shape))
            }),
        }
    }

    /// What a task was granted that came to nothing: others may have looked meanwhile, found it gone, and fallen asleep.
    pub(crate) fn withdraw_unused(&self, key: Key) {
        self.pool.withdraw(key);
        if self.has_queued() {
            self.ask_for_workers();
        }
    }

    /// True if something is queued that this worker or another may take next.
    pub(crate) fn has_queued(&self) -> bool {
        self.queues.has_work() || self.lines.is_waiting()
    }
}
