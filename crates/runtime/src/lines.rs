//! Where tasks wait that are not common: one line for each shape of resources and priority, first in first out. Common tasks
//! (one CPU, priority 0) lie in deques and the injector, and take their turn among the lines as if they were one.
//!
//! Whose turn it is: the line that was passed over too often, whatever its priority; else the highest priority, and among
//! equals the one passed over most often. Nobody starves:
//!
//! - A line whose first task could begin is *due* once `PATIENCE` others were handed out before it, and goes next. So each
//!   waits for at most `PATIENCE` hand-outs and one for each line that became due before it.
//! - One that is due and cannot begin has a *claim*: what it lacks goes to nobody else for some time. If that was too short for
//!   those who have it to come to their end, the others go on, and its next claim lasts twice as long. So at some time it is
//!   long enough; and nobody is kept from running for much longer than the line had waited by then, which matters if those
//!   who have what it lacks wait for one of those that it keeps from running.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mobula_sched::{Key, Lane};
use mobula_sync::Mutex;
use mobula_sync::atomic::{AtomicUsize, Ordering};

use crate::budget::{Budget, Holder};
use crate::pool::Pool;
use crate::resources::{Kind, Shape};

/// The line of common tasks: it has no queue here.
pub(crate) const COMMON: u32 = 0;
/// The line of common tasks that are known to be async, the same.
pub(crate) const COMMON_ASYNC: u32 = 1;
/// No line: what waits with an actor, or for a place for it.
pub(crate) const OF_ACTOR: u32 = u32::MAX - 1;
/// The line of tasks that can never begin, since they need more than there is: they are kept nowhere.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// A line that was passed over so often is due.
const PATIENCE: u32 = 64;
/// How long a line's first claim lasts.
const CLAIM_AT_FIRST: Duration = Duration::from_millis(5);

/// The lane of the queues that stands for a line, if one does.
pub(crate) fn lane_of(line: u32) -> Option<Lane> {
    match line {
        COMMON => Some(Lane::Plain),
        COMMON_ASYNC => Some(Lane::Async),
        _ => None,
    }
}

#[derive(Debug)]
pub(crate) struct Lines {
    /// Tasks in all lines, as of the last change: where there are none, nobody looks at the lines.
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The first two are the common ones.
    lines: Vec<Line>,
    waiting: usize,
}

#[derive(Debug)]
struct Line {
    shape: Arc<Shape>,
    priority: i8,
    lane: Lane,
    queue: VecDeque<Key>,
    turn: Turn,
}

impl Line {
    fn new(shape: Shape, priority: i8, lane: Lane) -> Self {
        Self {
            shape: Arc::new(shape),
            priority,
            lane,
            queue: VecDeque::new(),
            turn: Turn::default(),
        }
    }
}

#[derive(Debug, Default)]
struct Turn {
    /// Hand-outs to others since its first task is the first.
    passed: u32,
    /// Since when it has a claim.
    since: Option<Instant>,
    /// Claims that were too short.
    failed: u32,
}

impl Turn {
    fn is_due(&self) -> bool {
        self.passed >= PATIENCE
    }

    fn claim_ends(&self, since: Instant) -> Duration {
        let factor = 1_u32.checked_shl(self.failed).unwrap_or(u32::MAX);
        CLAIM_AT_FIRST
            .saturating_mul(factor)
            .saturating_sub(since.elapsed())
    }

    /// How long it may keep from others what it lacks. Who only looks makes and ends no claims.
    fn claim(&mut self, only_looks: bool) -> Option<Duration> {
        if !self.is_due() {
            return None;
        }
        let since = match self.since {
            None if only_looks => return None,
            since => *self.since.insert(since.unwrap_or_else(Instant::now)),
        };
        let left = self.claim_ends(since);
        if !left.is_zero() {
            return Some(left);
        }
        if !only_looks {
            *self = Self {
                failed: self.failed.saturating_add(1),
                ..Self::default()
            };
        }
        None
    }
}

/// What a worker looks with.
pub(crate) struct Looker<'a> {
    pub(crate) pool: &'a Pool,
    /// Common tasks are queued, by lane.
    pub(crate) has_common: [bool; 2],
    /// It takes only what is known to be async.
    pub(crate) passes_plain: bool,
    /// False for entries of tasks that began elsewhere, or failed in the queue.
    pub(crate) is_ready: &'a dyn Fn(Key) -> bool,
}

/// What is next for a worker.
#[derive(Debug)]
pub(crate) enum Next {
    /// Common tasks, so many at most: it holds nothing yet for them.
    Common {
        most: usize,
        lane: Lane,
    },
    /// These, for which it holds what they need; each has a grant if one has.
    Tasks {
        keys: Vec<Key>,
        granted: bool,
        lane: Lane,
    },
    Nothing,
}

/// What a worker would find.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Sight {
    pub(crate) finds: Option<Found>,
    /// Something that could begin is kept back for so long.
    pub(crate) later: Option<Duration>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Common(Lane),
    Line(usize),
}

impl State {
    fn has_some(&self, at: usize, has_common: [bool; 2]) -> bool {
        match lane_of(at as u32) {
            Some(lane) => has_common[lane as usize],
            None => !self.lines[at].queue.is_empty(),
        }
    }

    /// Drops entries from the front of each line that are no longer ready.
    fn purge(&mut self, is_ready: &dyn Fn(Key) -> bool) {
        for line in &mut self.lines {
            while line.queue.front().is_some_and(|key| !is_ready(*key)) {
                line.queue.pop_front();
                self.waiting -= 1;
            }
        }
    }

    fn choose(
        &mut self,
        looker: &Looker<'_>,
        budget: &Budget,
        at: &Holder,
        only_looks: bool,
    ) -> Sight {
        self.purge(looker.is_ready);
        let mut order: Vec<usize> = (0..self.lines.len())
            .filter(|line| self.has_some(*line, looker.has_common))
            .filter(|line| !looker.passes_plain || self.lines[*line].lane == Lane::Async)
            .collect();
        order.sort_by_key(|line| {
            let Line { turn, priority, .. } = &self.lines[*line];
            let priority = if turn.is_due() { i8::MAX } else { *priority };
            Reverse((priority, turn.passed))
        });
        let mut withheld: Vec<Kind> = Vec::new();
        let mut claim: Option<Duration> = None;
        let mut later = None;
        for line in order {
            let Line { shape, turn, .. } = &mut self.lines[line];
            let fits = budget.fits(at, shape);
            if withheld.iter().any(|kind| shape.wants(*kind)) {
                if fits {
                    later = claim;
                }
            } else if fits {
                let finds = match lane_of(line as u32) {
                    Some(lane) => Found::Common(lane),
                    None => Found::Line(line),
                };
                return Sight {
                    finds: Some(finds),
                    later,
                };
            } else if let Some(left) = turn.claim(only_looks) {
                claim = Some(claim.map_or(left, |other| other.min(left)));
                withheld.extend(budget.to_withhold(shape));
            }
        }
        Sight { finds: None, later }
    }

    fn hand_out(&mut self, from: usize, has_common: [bool; 2]) {
        for line in 0..self.lines.len() {
            if line == from {
                self.lines[line].turn = Turn::default();
            } else if self.has_some(line, has_common) {
                let passed = &mut self.lines[line].turn.passed;
                *passed = passed.saturating_add(1);
            }
        }
    }

    /// Tasks from the front of a line, with what they need. Tasks of the common shape share one CPU, one after another.
    fn take_from(
        &mut self,
        line: usize,
        most: usize,
        looker: &Looker<'_>,
        (budget, at): (&mut Budget, &mut Holder),
    ) -> Vec<Key> {
        let Line { queue, shape, .. } = &mut self.lines[line];
        let most = if shape.is_common() { most } else { 1 };
        let mut keys = Vec::new();
        while keys.len() < most
            && let Some(key) = queue.pop_front()
        {
            self.waiting -= 1;
            // An entry of a task that somebody else was granted since: it has another, or had.
            if (looker.is_ready)(key) && budget.take(key, shape, at) {
                keys.push(key);
            }
        }
        keys
    }
}

impl Lines {
    pub(crate) fn new() -> Self {
        let lines = Lane::ALL.map(|lane| Line::new(Shape::common(), 0, lane));
        Self {
            waiting: AtomicUsize::new(0),
            state: Mutex::new(State {
                lines: lines.into(),
                waiting: 0,
            }),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        // Release: pairs with `is_waiting`. That a sleeper sees it is for the fences of `Idle`.
        self.waiting.store(state.waiting, Ordering::Release);
        result
    }

    /// True if anything waits here; if not, there are only common tasks.
    pub(crate) fn is_waiting(&self) -> bool {
        self.len() > 0
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// The line of a shape, a priority and a lane.
    pub(crate) fn line(&self, shape: Shape, priority: i8, lane: Lane) -> u32 {
        self.with(|state| {
            let lines = &mut state.lines;
            let known = |line: &Line| {
                *line.shape == shape && (line.priority, line.lane) == (priority, lane)
            };
            let at = lines.iter().position(known);
            let at = at.unwrap_or_else(|| {
                lines.push(Line::new(shape, priority, lane));
                lines.len() - 1
            });
            at as u32
        })
    }

    pub(crate) fn shape(&self, line: u32) -> Option<Arc<Shape>> {
        let state = self.state.lock();
        state
            .lines
            .get(line as usize)
            .map(|line| line.shape.clone())
    }

    /// A task is ready: at the end of its line, or, where it had been taken from there, at the front.
    pub(crate) fn push(&self, line: u32, key: Key, is_back: bool) {
        if line == NOWHERE {
            return;
        }
        self.with(|state| {
            let queue = &mut state.lines[line as usize].queue;
            match is_back {
                true => queue.push_front(key),
                false => queue.push_back(key),
            }
            state.waiting += 1;
        });
    }

    /// What a worker would find now. Who `only_looks` changes nothing.
    pub(crate) fn look(&self, looker: &Looker<'_>, at: &Holder, only_looks: bool) -> Sight {
        self.with(|state| {
            let pool = looker.pool;
            pool.see_budget(|budget| state.choose(looker, budget, at, only_looks))
        })
    }

    /// Takes what is next for a worker, with what it needs.
    pub(crate) fn next(&self, looker: &Looker<'_>, at: &mut Holder, most: usize) -> Next {
        self.with(|state| {
            let pool = looker.pool;
            pool.with_budget(|budget| {
                while let Some(found) = state.choose(looker, budget, at, false).finds {
                    match found {
                        Found::Common(lane) => {
                            let is_due = state.lines[lane as usize].turn.is_due();
                            state.hand_out(lane as usize, looker.has_common);
                            let most = if is_due { 1 } else { most };
                            return Next::Common { most, lane };
                        }
                        Found::Line(line) => {
                            let keys = state.take_from(line, most, looker, (budget, at));
                            if !keys.is_empty() {
                                state.hand_out(line, looker.has_common);
                                let granted = state.lines[line].shape.holds();
                                let lane = state.lines[line].lane;
                                return Next::Tasks {
                                    keys,
                                    granted,
                                    lane,
                                };
                            }
                        }
                    }
                }
                Next::Nothing
            })
        })
    }

    /// How many of those in the lines, and of so many common ones, could begin now on idle workers.
    pub(crate) fn room(&self, looker: &Looker<'_>, common: [usize; 2], most: u32) -> u32 {
        self.with(|state| {
            state.purge(looker.is_ready);
            let lines = state.lines.iter();
            let queued = lines.enumerate().map(|(at, line)| {
                let count = match lane_of(at as u32) {
                    Some(lane) => common[lane as usize],
                    None => line.queue.len(),
                };
                (&*line.shape, count)
            });
            looker.pool.see_budget(|budget| budget.room(queued, most))
        })
    }

    /// Something waits here that is not known to be async.
    pub(crate) fn has_plain(&self) -> bool {
        self.is_waiting()
            && self.with(|state| {
                let mut lines = state.lines.iter();
                lines.any(|line| line.lane == Lane::Plain && !line.queue.is_empty())
            })
    }

    /// Takes everything out of a line, in order.
    pub(crate) fn empty(&self, line: u32) -> Vec<Key> {
        self.with(|state| {
            let Some(line) = state.lines.get_mut(line as usize) else {
                return Vec::new();
            };
            state.waiting -= line.queue.len();
            line.queue.drain(..).collect()
        })
    }

    /// Takes everything out.
    pub(crate) fn drain(&self) -> Vec<Key> {
        self.with(|state| {
            state.waiting = 0;
            let lines = state.lines.iter_mut();
            lines.flat_map(|line| line.queue.drain(..)).collect()
        })
    }
}
