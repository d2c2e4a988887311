//! Resources and worker threads: who has how much, how many threads there are, how many are wanted. One lock, so that a task
//! gets all that it needs at once or nothing.
//!
//! CPU bounds running code. A worker holds some while it runs tasks, gives it up when it parks or blocks, and must have it
//! again before code that blocked goes on; such code goes before new tasks. Whatever else a task needs is its own, not the
//! worker's: a grant, from its hand-out until its code has ended.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mobula_sched::Key;
use mobula_sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use mobula_sync::{Condvar, Mutex};

use crate::budget::{Budget, Granted, Holder};
use crate::resources::{Demand, Shape, Totals, WHOLE};

#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    freed: Condvar,
    /// Tasks that have a grant: where there are none, nobody looks for his.
    grants: AtomicUsize,
    /// Workers with unfinished async tasks: where there are none, nobody asks who might do what they pass by.
    encumbered: AtomicUsize,
    /// Since when work is passed by that may block a thread, in milliseconds from `began` on, plus one; 0: none is.
    passed_since: AtomicU64,
    /// By worker place: it should end, unless there is work for it when it hears of that.
    asked_to_leave: Box<[AtomicBool]>,
    /// By worker place: when it last had something to do, in milliseconds from `began` on. That it slept does not say it: V8 wakes
    /// idle threads, too.
    busy_until: Box<[AtomicU64]>,
    began: Instant,
    /// So many workers are kept, however long they are idle.
    kept: u32,
    /// CPU under running code, by worker place. A worker that looks for work holds CPU, and shows none.
    shown: Box<[AtomicU64]>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) budget: Budget,
    workers_max: u32,
    /// Workers inside of a blocking wait.
    blocked: u32,
    /// Threads that run our loop.
    live: u32,
    /// Threads asked for that have not reported yet.
    starting: u32,
    /// Numbers of the starts that reported, until their threads end.
    reported: HashSet<u32>,
    /// Starts that came to nothing since a thread was last handed work.
    failed_starts: u32,
    /// Blocking waits that ended so far: while this stands still, nobody has gone on.
    resumed: u64,
    /// Since when nobody is there though somebody is starting, as far as anybody looked.
    stalled_since: Option<Instant>,
    /// When a thread was last asked for or came up, while one is starting.
    asked: Option<Instant>,
    /// When the driver last took such a wish to start it, while one is starting.
    taken: Option<Instant>,
    /// One waiter was told to give up and has not gone on yet.
    is_breaking: bool,
    /// Of those that live: they take no more work, and end.
    leaving: u32,
    /// Of those that live: their threads are being terminated, which may take long.
    abandoned: u32,
    /// Of those that live: they run actors.
    hosts: u32,
    /// Threads that start for an actor alone each.
    singles: u32,
}

impl State {
    /// A blocking wait is over, for whatever reason.
    fn end_wait(&mut self, wait: &mut Resuming) {
        if std::mem::take(&mut wait.is_owed) {
            self.budget.no_longer_owe(wait.cpu);
        }
        self.blocked -= 1;
        self.resumed += 1;
        self.is_breaking = false;
    }

    /// Workers that are idle, or starting, and so many that are not meant left out: they will take their share.
    fn hands(&self, resting: u32) -> u32 {
        let busy = self.budget.holders()
            + self.blocked
            + resting
            + self.leaving
            + self.abandoned
            + self.hosts;
        self.live.saturating_sub(busy) + self.starting
    }

    fn spares(&self, kept: u32) -> u32 {
        self.live
            .saturating_sub(self.leaving + self.blocked + self.hosts + kept)
    }

    /// Threads at most: those that are being terminated are replaced before they have ended.
    fn threads_max(&self) -> u32 {
        self.workers_max + self.abandoned.min(ABANDONED_MAX)
    }

    /// How long one of the threads that are starting should still be waited for.
    fn start_patience(&self) -> Duration {
        let left = |since: Option<Instant>, most: Duration| {
            most.saturating_sub(since.map_or(most, |since| since.elapsed()))
        };
        if self.starting == 0 {
            return Duration::ZERO;
        }
        left(self.asked, START_PATIENCE).max(left(self.taken, TAKEN_PATIENCE))
    }

    /// One thread less is starting.
    fn started(&mut self) {
        self.starting = self.starting.saturating_sub(1);
        self.asked = (self.starting > 0).then(Instant::now);
        self.taken = self.taken.filter(|_| self.starting > 0);
    }

    /// A thread that was starting does not any more. True if that was the last straw.
    fn fail_start(&mut self) -> bool {
        self.started();
        self.failed_starts += 1;
        self.failed_starts >= FAILED_STARTS_MAX
    }
}

/// What code that blocked needs to go on.
#[derive(Debug, Default)]
pub(crate) struct Resuming {
    pub(crate) cpu: u64,
    /// It waits for it, so that others see that it is owed.
    is_owed: bool,
}

/// How things stand for common tasks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// So many could begin now on workers that hold nothing.
    pub(crate) free: u32,
    /// For each of them there is a worker, or one that starts: no more are wanted, however much is queued.
    pub(crate) has_hands: bool,
}

/// What queued work needs that no idle worker will take.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// So many more threads.
    Threads(u32),
    /// Threads cannot be started, and all that live wait for others.
    Hopeless,
}

/// How a worker that took part ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// It was never handed work.
    Idle,
    Worked,
    /// It was one too many.
    Retired,
}

/// When a thread that was asked for ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It took part before.
    AfterJoining,
    /// It never took part; no more are tried if this was the last straw.
    Early { is_last: bool },
}

/// Who could do what a worker with unfinished async tasks passes by.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Relief {
    /// A worker that is idle and has none.
    Idle,
    /// A thread that may be started, or was asked for: it need not be waited for any longer than this.
    Start(Duration),
    /// Nobody.
    Nobody,
}

/// How long a thread that was asked for may keep others from doing what is meant for it. The one who starts threads may be
/// busy for longer.
const START_PATIENCE: Duration = Duration::from_secs(1);
/// The same once the driver has begun to start it: its modules may be large, and the machine busy.
const TAKEN_PATIENCE: Duration = Duration::from_secs(10);
/// So long may work be passed by that others should take: then it is taken by whoever looks, unless a thread is coming up for it.
const PASS_BY_MAX: Duration = Duration::from_secs(1);

/// Threads that are being terminated and have not ended are replaced, so many of them at most.
pub(crate) const ABANDONED_MAX: u32 = 16;

/// Starts that may fail in a row before no more are tried.
const FAILED_STARTS_MAX: u32 = 3;

impl Pool {
    pub(crate) fn new(totals: &Totals, workers_max: u32) -> Self {
        let state = State {
            workers_max,
            budget: Budget::new(totals),
            blocked: 0,
            live: 0,
            starting: 0,
            reported: HashSet::new(),
            failed_starts: 0,
            resumed: 0,
            stalled_since: None,
            asked: None,
            taken: None,
            is_breaking: false,
            leaving: 0,
            abandoned: 0,
            hosts: 0,
            singles: 0,
        };
        Self {
            state: Mutex::new(state),
            freed: Condvar::new(),
            grants: AtomicUsize::new(0),
            encumbered: AtomicUsize::new(0),
            passed_since: AtomicU64::new(0),
            asked_to_leave: (0..workers_max + ABANDONED_MAX)
                .map(|_| AtomicBool::new(false))
                .collect(),
            busy_until: (0..workers_max + ABANDONED_MAX)
                .map(|_| AtomicU64::new(0))
                .collect(),
            began: Instant::now(),
            kept: (totals.cpu.div_ceil(WHOLE) as u32).max(1),
            shown: (0..workers_max + ABANDONED_MAX)
                .map(|_| AtomicU64::new(0))
                .collect(),
        }
    }

    /// In terms of what there is; `None`: more than there is.
    pub(crate) fn shape(&self, demand: &Demand) -> Option<Shape> {
        self.see_budget(|budget| budget.shape(demand))
    }

    /// Makes the worker one that holds CPU for a common task. False: there is none, and it holds nothing now.
    pub(crate) fn acquire(&self, at: &mut Holder) -> bool {
        let mut state = self.state.lock();
        let is_there = state.budget.has_cpu(at, WHOLE);
        if is_there {
            state.budget.set_cpu(at, WHOLE);
        } else {
            self.give_up(&mut state, at);
        }
        is_there
    }

    /// Common tasks that could begin now on workers that hold nothing.
    pub(crate) fn free(&self) -> u32 {
        self.see_budget(Budget::room_of_common)
    }

    /// What can be told of common tasks without a look at how many there are.
    pub(crate) fn outlook(&self) -> Outlook {
        let state = self.state.lock();
        let free = state.budget.room_of_common();
        Outlook {
            free,
            has_hands: free <= state.hands(0) && state.failed_starts < FAILED_STARTS_MAX,
        }
    }

    /// Workers that may run code of tasks.
    pub(crate) fn running(&self) -> u32 {
        self.see_budget(Budget::holders)
    }

    /// True if the worker could begin a common task.
    pub(crate) fn has_room(&self, at: &Holder) -> bool {
        at.cpu == Some(WHOLE) || self.state.lock().budget.has_cpu(at, WHOLE)
    }

    /// The worker holds no CPU any more.
    pub(crate) fn release(&self, at: &mut Holder) {
        self.give_up(&mut self.state.lock(), at);
    }

    fn give_up(&self, state: &mut State, at: &mut Holder) {
        state.budget.give_up(at);
        if state.budget.is_owed() {
            // All of them: the first may need more than this, and the next not.
            self.freed.notify_all();
        }
    }

    /// The worker enters a blocking wait; its CPU, if it had some, is free. Returns what it needs to go on: code that had gone
    /// on by itself after an `await` is not counted, but needs a CPU from now on.
    pub(crate) fn block(&self, at: &mut Holder) -> Resuming {
        let mut state = self.state.lock();
        if at.is_host {
            state.budget.change(at, |at| at.is_blocked = true);
            return Resuming::default();
        }
        let cpu = at.cpu.unwrap_or(WHOLE.min(state.budget.cpu()));
        self.give_up(&mut state, at);
        state.blocked += 1;
        state.budget.change(at, |at| at.is_blocked = true);
        Resuming {
            cpu,
            is_owed: false,
        }
    }

    /// The blocking wait is over: waits up to `time` for CPU to go on with. True once the worker holds it; until then it is
    /// owed, also in the pauses between such calls.
    pub(crate) fn resume(&self, wait: &mut Resuming, at: &mut Holder, time: Duration) -> bool {
        let mut state = self.state.lock();
        if at.is_host {
            state.budget.change(at, |at| at.is_blocked = false);
            return true;
        }
        if !state.budget.can_resume(wait.cpu) {
            if !std::mem::replace(&mut wait.is_owed, true) {
                state.budget.owe(wait.cpu);
            }
            (state, _) = self.freed.wait_timeout(state, time);
        }
        let is_there = state.budget.can_resume(wait.cpu);
        if is_there {
            state.end_wait(wait);
            let cpu = wait.cpu;
            let goes_on = |at: &mut Holder| (at.is_blocked, at.cpu) = (false, Some(cpu));
            state.budget.change(at, goes_on);
        }
        is_there
    }

    /// A worker died inside of a blocking wait.
    pub(crate) fn abandon_block(&self, wait: &mut Resuming) {
        let mut state = self.state.lock();
        state.end_wait(wait);
        // What it was owed may do for another.
        self.freed.notify_all();
    }

    /// The worker has unfinished async tasks, or has none any more.
    pub(crate) fn encumber(&self, at: &mut Holder, is_encumbered: bool) {
        if at.is_encumbered == is_encumbered {
            return;
        }
        let mut state = self.state.lock();
        state
            .budget
            .change(at, |at| at.is_encumbered = is_encumbered);
        // Under the lock, though it is read without: a hint, the lock has the truth.
        if is_encumbered {
            self.encumbered.fetch_add(1, Ordering::Relaxed);
        } else {
            self.encumbered.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// True if some worker has unfinished async tasks.
    pub(crate) fn has_encumbered(&self) -> bool {
        self.encumbered.load(Ordering::Relaxed) > 0
    }

    /// Who could do what workers with unfinished async tasks pass by.
    pub(crate) fn relief(&self) -> Relief {
        let state = self.state.lock();
        let left = state.start_patience();
        if self.passed_for() >= PASS_BY_MAX {
            let is_coming = state.taken.is_some() && !left.is_zero();
            return if is_coming {
                Relief::Start(left)
            } else {
                Relief::Nobody
            };
        }
        let budget = &state.budget;
        let others =
            budget.holders() + budget.resting() + state.blocked + state.leaving + state.hosts;
        if state.live > others {
            return Relief::Idle;
        }
        if state.starting > 0 {
            return if left.is_zero() {
                Relief::Nobody
            } else {
                Relief::Start(left)
            };
        }
        if state.live + state.singles < state.threads_max()
            && state.failed_starts < FAILED_STARTS_MAX
        {
            Relief::Start(START_PATIENCE)
        } else {
            Relief::Nobody
        }
    }

    /// Looks at the budget.
    pub(crate) fn see_budget<T>(&self, look: impl FnOnce(&Budget) -> T) -> T {
        look(&self.state.lock().budget)
    }

    /// Changes the budget, all at once.
    pub(crate) fn with_budget<T>(&self, change: impl FnOnce(&mut Budget) -> T) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state.budget);
        self.grants.store(state.budget.grants(), Ordering::Release);
        if state.budget.is_owed() {
            self.freed.notify_all();
        }
        result
    }

    /// Gives a task all that it is to hold until its end, or nothing. False, too, if it has it on another worker.
    pub(crate) fn grant(&self, key: Key, shape: &Arc<Shape>, place: usize) -> bool {
        self.with_budget(|budget| budget.grant(key, shape, place))
    }

    /// The task, and its grant with it, is another worker's now.
    pub(crate) fn move_grant(&self, key: Key, place: usize) {
        self.with_budget(|budget| budget.move_grant(key, place));
    }

    /// The code of a task has ended, or was never begun: what it held is free.
    pub(crate) fn withdraw(&self, key: Key) {
        // Acquire: whoever was handed the task, or took it back, learnt of it after its grant was noted.
        if self.grants.load(Ordering::Acquire) > 0 {
            self.with_budget(|budget| budget.withdraw(key));
        }
    }

    /// A worker is gone, and all code that it ran.
    pub(crate) fn withdraw_all_of(&self, place: usize) {
        self.with_budget(|budget| budget.withdraw_all_of(place));
        self.show(place, 0);
    }

    /// What a task holds besides CPU, if anything.
    pub(crate) fn granted(&self, key: Key) -> Option<Granted> {
        self.see_budget(|budget| budget.granted(key))
    }

    /// From here on code of tasks runs on so much CPU of this worker's. Release: who sees a task's end sees this, too.
    pub(crate) fn show(&self, place: usize, cpu: u64) {
        self.shown[place].store(cpu, Ordering::Release);
    }

    /// Name, total and what is left of each resource. CPU counts where code of tasks runs.
    pub(crate) fn figures(&self) -> Vec<(String, u64, u64)> {
        let state = self.state.lock();
        let shown: u64 = self
            .shown
            .iter()
            .map(|cpu| cpu.load(Ordering::Acquire))
            .sum::<u64>()
            + state.budget.reserved();
        let total = state.budget.cpu();
        let cpu = ("CPU", total, total.saturating_sub(shown));
        let all = std::iter::once(cpu).chain(state.budget.figures());
        all.map(|(name, total, free)| (name.to_owned(), total, free))
            .collect()
    }

    /// Says whether all workers wait for others and no more can be started. The figure changes when one goes on: as long
    /// as it stands still over some time, no wait among them can end.
    pub(crate) fn wedge(&self) -> Option<u64> {
        let state = self.state.lock();
        let is_wedged = state.blocked == state.live - state.hosts
            && state.starting == 0
            && state.live >= state.threads_max();
        (is_wedged && !state.is_breaking).then_some(state.resumed)
    }

    /// One waiter gives up, so that the others can go on. True for one of those who ask.
    pub(crate) fn break_wedge(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().is_breaking, true)
    }

    /// Whether workers should be started for so much queued work that no idle worker will take, of which so much has room;
    /// `None`: there are common tasks alone. It may be `for_the_free` only: for those without unfinished async tasks.
    pub(crate) fn want(&self, queued: usize, room: Option<u32>, for_the_free: bool) -> Want {
        let mut state = self.state.lock();
        // What was free a moment ago may be held by workers that were idle then: they would not count, and it would.
        let room = room.unwrap_or_else(|| state.budget.room_of_common());
        if state.failed_starts >= FAILED_STARTS_MAX {
            let is_hopeless = state.live - state.hosts == state.blocked && state.starting == 0;
            return if is_hopeless {
                Want::Hopeless
            } else {
                Want::Threads(0)
            };
        }
        let resting = if for_the_free {
            state.budget.resting()
        } else {
            0
        };
        let useful = room.saturating_sub(state.hands(resting));
        let allowed = state
            .threads_max()
            .saturating_sub(state.live + state.starting + state.singles);
        let queued = (queued as u32).saturating_sub(state.starting);
        let count = useful.min(allowed).min(queued);
        if count > 0 {
            state.asked = Some(Instant::now());
        }
        state.starting += count;
        Want::Threads(count)
    }

    pub(crate) fn joined(&self, start: u32, is_single: bool) {
        let mut state = self.state.lock();
        state.reported.insert(start);
        match is_single {
            true => state.singles -= 1,
            false => state.started(),
        }
        state.live += 1;
    }

    /// The driver is about to start threads that were asked for.
    pub(crate) fn starts_taken(&self) {
        let mut state = self.state.lock();
        state.taken = (state.starting > 0).then(Instant::now);
    }

    /// A thread that came up was handed work: threads can be had.
    pub(crate) fn proved(&self) {
        self.state.lock().failed_starts = 0;
    }

    /// A thread ended. Another may start in its place, whatever failed before; but one that was never handed work may have
    /// died of its start. True if that was the last straw.
    pub(crate) fn left(&self, how: Departure) -> bool {
        let mut state = self.state.lock();
        state.live -= 1;
        state.leaving -= u32::from(how == Departure::Retired);
        state.failed_starts = if how == Departure::Idle {
            state.failed_starts + 1
        } else {
            0
        };
        state.failed_starts >= FAILED_STARTS_MAX
    }

    /// Workers beyond those that are kept.
    pub(crate) fn spares(&self) -> u32 {
        let state = self.state.lock();
        state.spares(self.kept_now())
    }

    /// Those aside that cannot take everything, one for each CPU is kept.
    fn kept_now(&self) -> u32 {
        self.kept + self.encumbered.load(Ordering::Relaxed) as u32
    }

    /// A worker passes something by. How long it will go on like that if nobody comes.
    pub(crate) fn pass_by(&self) -> Duration {
        let now = self.began.elapsed().as_millis() as u64 + 1;
        let began =
            self.passed_since
                .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        let since = began.err().unwrap_or(now);
        PASS_BY_MAX.saturating_sub(Duration::from_millis(now.saturating_sub(since)))
    }

    fn passed_for(&self) -> Duration {
        match self.passed_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => self
                .began
                .elapsed()
                .saturating_sub(Duration::from_millis(since - 1)),
        }
    }

    /// Somebody took of it, or there is none.
    pub(crate) fn passed_none(&self) {
        if self.passed_since.load(Ordering::Relaxed) != 0 {
            self.passed_since.store(0, Ordering::Relaxed);
        }
    }

    /// The worker had something to do until then.
    pub(crate) fn was_busy(&self, place: usize, until: Instant) {
        let until = until.saturating_duration_since(self.began).as_millis() as u64;
        self.busy_until[place].store(until, Ordering::Relaxed);
    }

    /// It had nothing to do for so long.
    pub(crate) fn has_been_idle(&self, place: usize, now: Instant, time: Duration) -> bool {
        let until = Duration::from_millis(self.busy_until[place].load(Ordering::Relaxed));
        now.saturating_duration_since(self.began + until) >= time
    }

    /// The worker should end if it is still idle when it hears of this.
    pub(crate) fn ask_to_leave(&self, place: usize) {
        self.asked_to_leave[place].store(true, Ordering::Relaxed);
    }

    /// There is work for it, or another has its place.
    pub(crate) fn forget_to_leave(&self, place: usize) {
        self.hears_to_leave(place);
    }

    /// True, once, for a worker that was asked to leave.
    pub(crate) fn hears_to_leave(&self, place: usize) -> bool {
        let asked = &self.asked_to_leave[place];
        asked.load(Ordering::Relaxed) && asked.swap(false, Ordering::Relaxed)
    }

    /// The worker ends, if it is still one too many.
    pub(crate) fn may_leave(&self) -> bool {
        let mut state = self.state.lock();
        let may = state.spares(self.kept_now()) > 0;
        state.leaving += u32::from(may);
        may
    }

    /// The worker ends, however many there are.
    pub(crate) fn resign(&self) {
        self.state.lock().leaving += 1;
    }

    /// True if workers were asked for, and for so long a time none has come up and none was there.
    pub(crate) fn is_stalled(&self, patience: Duration) -> bool {
        let mut state = self.state.lock();
        if state.live > state.hosts || state.starting == 0 {
            state.stalled_since = None;
            return false;
        }
        state
            .stalled_since
            .get_or_insert_with(Instant::now)
            .elapsed()
            >= patience
    }

    /// The thread of this start says itself that nothing comes of it; that it ended is no news then. True if that was the
    /// last straw.
    pub(crate) fn start_failed(&self, start: u32) -> bool {
        let mut state = self.state.lock();
        state.reported.insert(start);
        state.fail_start()
    }

    /// The thread of this start ended. What it meant to the pool while it lived, `left` has said.
    pub(crate) fn thread_ended(&self, start: u32) -> Ended {
        let mut state = self.state.lock();
        if state.reported.remove(&start) {
            return Ended::AfterJoining;
        }
        Ended::Early {
            is_last: state.fail_start(),
        }
    }

    /// The worker runs actors from now on.
    pub(crate) fn hosts_more(&self, at: &mut Holder) {
        let mut state = self.state.lock();
        at.is_host = true;
        state.hosts += 1;
    }

    /// It does not any more.
    pub(crate) fn hosts_less(&self, at: &mut Holder) {
        let mut state = self.state.lock();
        (at.is_host, at.is_blocked) = (false, false);
        state.hosts -= 1;
    }

    /// A thread may be started for an actor alone. False: there are as many as there may be.
    pub(crate) fn want_single(&self) -> bool {
        let mut state = self.state.lock();
        let may = state.live + state.starting + state.singles < state.threads_max();
        state.singles += u32::from(may);
        may
    }

    /// It need not be.
    pub(crate) fn want_single_no_more(&self) {
        self.state.lock().singles -= 1;
    }

    /// The thread of this start, which was started for an actor alone, has ended.
    pub(crate) fn single_ended(&self, start: u32) {
        let mut state = self.state.lock();
        if !state.reported.remove(&start) {
            state.singles -= 1;
        }
    }

    /// So many actors wait for a thread: how many more should be started for them, and how many find none.
    pub(crate) fn want_hosts(&self, waiting: u32) -> (u32, u32) {
        let mut state = self.state.lock();
        if state.failed_starts >= FAILED_STARTS_MAX {
            return (0, waiting);
        }
        // Those with unfinished async tasks take none.
        let missing = waiting.saturating_sub(state.hands(state.budget.resting()));
        let mut allowed = state
            .threads_max()
            .saturating_sub(state.live + state.starting + state.singles);
        if state.hosts == 0 && state.starting == 0 && state.live <= state.threads_max() {
            // One there is for actors in any case, and no more than that.
            allowed = allowed.max(1);
        }
        let count = missing.min(allowed);
        if count > 0 {
            state.asked = Some(Instant::now());
        }
        state.starting += count;
        (count, missing - count)
    }

    /// The thread of a worker is being terminated.
    pub(crate) fn abandon(&self) {
        self.state.lock().abandoned += 1;
    }

    /// It has ended.
    pub(crate) fn no_longer_abandoned(&self) {
        self.state.lock().abandoned -= 1;
    }

    pub(crate) fn abandoned(&self) -> u32 {
        self.state.lock().abandoned
    }

    pub(crate) fn threads_max(&self) -> u32 {
        self.state.lock().threads_max()
    }

    pub(crate) fn live(&self) -> u32 {
        self.state.lock().live
    }
}
