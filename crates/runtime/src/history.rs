//! What tasks went through: a record for every run, and for every end without one, in rings of a fixed length. What actors went through
//! is in a ring of its own (`actor/instances`).
//!
//! Clocks are read seldom, since a look at one costs a twentieth of a small task. The records of a round of short tasks share its
//! time evenly between the stamps that the worker takes, and the submissions of a burst share a look.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use mobula_sched::{Key, Phase};
use mobula_sync::atomic::Ordering;
use mobula_sync::{CachePadded, Mutex};

use crate::actor::Instance;
use crate::cell::{Body, Task};
use crate::failure::Kind;
use crate::runtime::{Member, Runtime};

/// Records that one ring keeps: 1 MiB of runs. There is a ring for each worker, and one for what ended on none.
const KEPT: usize = 16 * 1024;

/// Nanoseconds since the runtime was made; 0: not yet, or never.
pub type Stamp = u64;

/// How a run ended, or how far a task has come.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something that it depends on is not there.
    Waiting,
    /// It lacks a worker, or the resources that it needs.
    Queued,
    /// Its code was begun.
    Running,
    /// It returned a value.
    Returned,
    /// It threw. If its terms allow, another run follows, as after `Died`.
    Threw,
    /// Its worker died.
    Died,
    /// Somebody cancelled it.
    Cancelled,
    /// It took longer than it may.
    TimedOut,
    /// Somebody freed what it would have come to.
    Freed,
    /// What it returned is lost.
    Lost,
    /// Something that it depends on failed.
    Upstream,
    /// No worker could be started.
    Unstartable,
}

/// One run of a task; for one that was not begun, what there is of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The task's public id.
    pub id: [u32; 4],
    /// The number of its function.
    pub function: u32,
    /// How often the task had been begun before, in vain.
    pub attempt: u32,
    /// The start of the thread that it ran on.
    pub worker: Option<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was handed in.
    pub submitted: Stamp,
    /// When all that it depends on was there, or when it was queued again.
    pub ready: Stamp,
    /// When its code began.
    pub started: Stamp,
    /// When it ended.
    pub finished: Stamp,
}

impl Run {
    /// Each moment is told by another thread, as of when it began to cross: one that began a hair before may have met what came of
    /// another's.
    fn straighten(&mut self) {
        let mut last = self.submitted;
        for moment in [&mut self.ready, &mut self.started, &mut self.finished] {
            if *moment > 0 {
                *moment = last.max(*moment);
                last = *moment;
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct History {
    began: Instant,
    /// The same moment by the calendar.
    epoch: Duration,
    /// By the place of the worker that wrote it; the last is for all others.
    rings: Box<[CachePadded<Mutex<VecDeque<Run>>>]>,
    /// Of actors, those that are gone.
    instances: Mutex<VecDeque<Instance>>,
}

impl History {
    pub(crate) fn new(places: usize) -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            began: Instant::now(),
            epoch: since_epoch.unwrap_or_default(),
            rings: (0..=places).map(|_| CachePadded::default()).collect(),
            instances: Mutex::default(),
        }
    }

    pub(crate) fn at(&self, time: Instant) -> Stamp {
        // Never 0, which says never.
        time.saturating_duration_since(self.began).as_nanos() as Stamp + 1
    }

    pub(crate) fn now(&self) -> Stamp {
        self.at(Instant::now())
    }

    /// On no worker, or by another thread than its own.
    pub(crate) fn note(&self, run: Run) {
        self.keep(self.rings.len() - 1, run);
    }

    pub(crate) fn keep(&self, ring: usize, run: Run) {
        push(&mut self.rings[ring].lock(), run);
    }

    /// One is gone.
    pub(crate) fn note_instance(&self, instance: Instance) {
        push(&mut self.instances.lock(), instance);
    }

    pub(crate) fn instances(&self) -> Vec<Instance> {
        self.instances.lock().iter().cloned().collect()
    }
}

fn push<T>(ring: &mut VecDeque<T>, record: T) {
    if ring.len() == KEPT {
        ring.pop_front();
    }
    ring.push_back(record);
}

/// The end of a run that ended not long ago.
const JUST_NOW: Stamp = Stamp::MAX;

/// The runs of a worker that have ended, one after the other, and whose times are not known yet. They are in its ring already: who
/// hears that a task has ended finds its run.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// When the first of them began.
    since: Stamp,
    runs: u64,
}

impl Segment {
    /// What follows begins now.
    pub(crate) fn begin(&mut self, now: Stamp) {
        self.since = now;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs == 0
    }

    pub(crate) fn keep(&mut self, history: &History, place: usize, run: Run) {
        let (started, finished) = (self.since, JUST_NOW);
        history.keep(
            place,
            Run {
                started,
                finished,
                ..run
            },
        );
        self.runs += 1;
    }

    /// The last of them ended then: they share the time evenly.
    pub(crate) fn close(&mut self, history: &History, place: usize, until: Stamp) {
        let (since, count) = (self.since.min(until), std::mem::take(&mut self.runs));
        self.since = until;
        if count == 0 {
            return;
        }
        let share = |k: u64| since + (until - since) * k / count;
        let mut ring = history.rings[place].lock();
        let open = ring.iter_mut().rev().filter(|run| run.finished == JUST_NOW);
        for (k, run) in (0..count).rev().zip(open) {
            (run.started, run.finished) = (share(k), share(k + 1));
        }
    }
}

/// The clock of an isolate, which counts microseconds in 32 bits: it overflows after 71 minutes.
#[derive(Debug, Default)]
pub(crate) struct OwnClock {
    shows: u32,
    at: Stamp,
}

impl OwnClock {
    pub(crate) fn showing(shows: u32, at: Stamp) -> Self {
        Self { shows, at }
    }

    /// When it showed this, which is less than its range ago.
    pub(crate) fn moment(&self, shown: u32, now: Stamp) -> Stamp {
        let passed = ((now - self.at) / 1000) as u32;
        let ago = passed.wrapping_sub(shown.wrapping_sub(self.shows));
        // A hair ahead of us, since the two were read one after the other.
        let ago = if ago > u32::MAX - 1000 { 0 } else { ago };
        now.saturating_sub(u64::from(ago) * 1000)
    }
}

/// When an isolate submits: it looks at the clock for each of a slow sequence, and where a worker has to be woken, which takes longer;
/// and for one in four of a burst.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    last: Stamp,
    /// So many more share the last look.
    left: u32,
    /// As many as shared it.
    shared: u32,
}

/// Slower than this, in nanoseconds, each submission has a look of its own.
const BURST_PACE: u64 = 10_000;
const BURST: u32 = 4;

impl Burst {
    pub(crate) fn stamp(&mut self, history: &History, is_idle: bool) -> Stamp {
        if is_idle {
            self.is_over();
        }
        if self.left == 0 {
            let now = history.now();
            let pace = (now - self.last) / u64::from(self.shared.max(1));
            self.shared = if pace < BURST_PACE { BURST } else { 1 };
            (self.last, self.left) = (now, self.shared);
        }
        self.left -= 1;
        self.last
    }

    /// Time has passed unseen.
    pub(crate) fn is_over(&mut self) {
        self.left = 0;
    }
}

impl Outcome {
    pub(crate) fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Thrown(_) => Self::Threw,
            Kind::Crashed { .. } | Kind::ActorDied { .. } | Kind::ActorUnavailable { .. } => {
                Self::Died
            }
            Kind::Setup { .. } => Self::Unstartable,
            Kind::Cancelled { .. } => Self::Cancelled,
            Kind::TimedOut { .. } => Self::TimedOut,
            Kind::Freed => Self::Freed,
            Kind::Lost => Self::Lost,
        }
    }
}

impl Runtime {
    /// A run of a task, as far as it is known. Under the lock of its body, or before its slot can be another's.
    pub(crate) fn run_of(&self, key: Key, task: &Task, outcome: Outcome) -> Run {
        let cell = self.cell(key);
        Run {
            id: task.id,
            function: task.function,
            attempt: task.attempt,
            worker: None,
            outcome,
            submitted: task.submitted,
            ready: cell.ready.load(Ordering::Relaxed),
            started: cell.handed.load(Ordering::Relaxed),
            finished: 0,
        }
    }

    /// The same with the worker that it was begun on, if it was.
    fn placed(&self, key: Key, run: Run) -> Run {
        let phase = self.table.phase(key);
        let is_begun = |member: &Member| match phase {
            Some(Phase::Offered) => !member.claims.has_open(key),
            phase => phase == Some(Phase::Running),
        };
        let place = self.cell(key).place.load(Ordering::Relaxed) as usize;
        let member = self.member(place).filter(is_begun);
        Run {
            started: if member.is_some() { run.started } else { 0 },
            worker: member.map(|member| member.start),
            ..run
        }
    }

    /// A run ends now, by another's doing than that of its worker. Under the lock of the task's body, before anybody can hear of it.
    pub(crate) fn note_end(&self, key: Key, run: Run) {
        self.history.note(Run {
            finished: self.history.now(),
            ..self.placed(key, run)
        });
    }

    /// The last runs of all tasks, and those that have not ended, in the order of their submission. Walks the whole table, and copies
    /// up to a megabyte for each worker.
    pub fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        for ring in &self.history.rings {
            runs.extend(ring.lock().iter());
        }
        for index in (0..).take_while(|index| self.cells.get(*index).is_some()) {
            runs.extend(self.unfinished(index));
        }
        let now = self.history.now();
        for run in &mut runs {
            run.finished = run.finished.min(now);
            run.straighten();
        }
        runs.sort_by_key(|run| (run.submitted, run.id, run.attempt));
        runs
    }

    fn unfinished(&self, index: u32) -> Option<Run> {
        let cell = self.cells.get(index)?;
        let body = cell.body.lock();
        let Body::Task(task) = &*body else {
            return None;
        };
        let (key, phase) = self.table.occupant(index)?;
        let run = self.placed(key, self.run_of(key, task, Outcome::Queued));
        let (outcome, ready) = match phase {
            Phase::Waiting => (Outcome::Waiting, 0),
            Phase::Ready => (Outcome::Queued, run.ready),
            Phase::Offered | Phase::Running if run.worker.is_none() => (Outcome::Queued, run.ready),
            Phase::Offered | Phase::Running => (Outcome::Running, run.ready),
            _ => return None,
        };
        Some(Run {
            outcome,
            ready,
            ..run
        })
    }

    /// Milliseconds of the calendar.
    pub fn date(&self, stamp: Stamp) -> f64 {
        (self.history.epoch + Duration::from_nanos(stamp)).as_nanos() as f64 / 1e6
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn run(attempt: u32) -> Run {
        Run {
            id: [0; 4],
            function: 0,
            attempt,
            worker: None,
            outcome: Outcome::Returned,
            submitted: 1,
            ready: 1,
            started: 0,
            finished: 0,
        }
    }

    fn times(history: &History, ring: usize) -> Vec<(u32, Stamp, Stamp)> {
        let ring = history.rings[ring].lock();
        ring.iter()
            .map(|run| (run.attempt, run.started, run.finished))
            .collect()
    }

    #[test]
    fn runs_between_two_looks_share_the_time_and_others_keep_theirs() {
        let history = History::new(1);
        let mut segment = Segment::default();
        segment.begin(100);
        segment.keep(&history, 0, run(1));
        segment.keep(&history, 0, run(2));
        let (started, finished) = (7, 150);
        let other = run(9);
        history.keep(
            0,
            Run {
                started,
                finished,
                ..other
            },
        );
        segment.keep(&history, 0, run(3));
        segment.close(&history, 0, 400);
        segment.keep(&history, 0, run(4));
        segment.close(&history, 0, 450);
        segment.close(&history, 0, 500);
        assert_eq!(
            times(&history, 0),
            [
                (1, 100, 200),
                (2, 200, 300),
                (9, 7, 150),
                (3, 300, 400),
                (4, 400, 450)
            ]
        );
    }

    #[test]
    fn a_segment_longer_than_the_ring_ends_when_the_last_of_it_did() {
        let history = History::new(0);
        let mut segment = Segment::default();
        segment.begin(1);
        let count = KEPT as u32 + 5;
        for attempt in 0..count {
            segment.keep(&history, 0, run(attempt));
        }
        segment.close(&history, 0, 1 + u64::from(count));
        let times = times(&history, 0);
        assert_eq!((times.len(), times[0].0), (KEPT, 5));
        for (attempt, started, finished) in times {
            let begin = 1 + u64::from(attempt);
            assert_eq!((started, finished), (begin, begin + 1));
        }
    }

    #[test]
    fn stamps_are_understood_when_their_clock_has_overflowed() {
        let range = 1_000 << 32;
        for passed in [0, 5_000, range - 1_000, range + 3_000, 7 * range + 123_000] {
            for ago in [0_u64, 1, 1_000, 3_000_000_000] {
                let clock = OwnClock::showing(u32::MAX - 2, 42);
                let (now, us) = (42 + passed, passed / 1_000);
                if us < ago {
                    continue;
                }
                let shown = (u32::MAX - 2).wrapping_add((us - ago) as u32);
                assert_eq!(
                    clock.moment(shown, now),
                    now - ago * 1_000,
                    "{passed} {ago}"
                );
            }
        }
        let clock = OwnClock::showing(10, 1_000_000);
        assert_eq!(clock.moment(12, 1_000_000), 1_000_000, "not in the future");
    }

    #[test]
    fn a_burst_shares_looks_and_a_slow_sequence_does_not() {
        let history = History::new(0);
        let mut burst = Burst::default();
        let stamps: Vec<Stamp> = (0..4 * 100).map(|_| burst.stamp(&history, false)).collect();
        assert!(stamps.is_sorted() && stamps[0] > 0);
        let looks = stamps.chunk_by(|a, b| a == b).count();
        assert!(looks < 4 * 100, "{looks}");
        burst.is_over();
        let slowly = || {
            std::thread::sleep(Duration::from_millis(1));
            burst.stamp(&history, false)
        };
        let stamps: Vec<Stamp> = std::iter::repeat_with(slowly).take(20).collect();
        // The first of them may still have been taken for the end of the burst.
        assert!(stamps[BURST as usize..].is_sorted_by(|a, b| a < b));
    }
}
