//! An isolate's door to the runtime: what it holds, what it waits for, and, on a worker, what it runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mobula_sched::{Bell, Claims, Key, Lane, Local, Phase, Sleeper};
use mobula_store::{Object, Reader, View};

use crate::actor::{Actor, Bound, Host, Name};
use crate::area::Area;
use crate::brought::Brought;
use crate::budget::Holder;
use crate::cell::Body;
use crate::deadlock::{Lookout, Need};
use crate::failure::Kind;
use crate::history::{Burst, Outcome, OwnClock, Run, Segment, Stamp};
use crate::layout::{self, header, how, letter};
use crate::ledger::Ledger;
use crate::mailbox::{Letter, Mailbox};
use crate::pool::{Departure, Relief, Resuming};
use crate::refs::KeySet;
use crate::runtime::Runtime;
use crate::seniority::Seniority;
use crate::value::{RefEntry, Stored, Value, Which};

/// What an isolate does.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It called `init`; it also starts the workers.
    Driver,
    /// It runs tasks; `start` is the number under which the driver started its thread.
    Worker {
        /// Unique among the starts of the runtime.
        start: u32,
    },
    /// It will run tasks when it has taken its seat; until then its thread is starting, though it may use the runtime.
    Newcomer {
        /// As a worker's.
        start: u32,
    },
    /// The same for one that is started for an actor alone.
    Single {
        /// As a worker's.
        start: u32,
    },
}

/// One isolate's part in a runtime. Used by the isolate's own thread only.
#[derive(Debug)]
pub struct Port {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) ledger: Ledger,
    pub(crate) reader: Arc<Reader>,
    /// By token: the wait that will complete it.
    pub(crate) waits: Vec<Option<Key>>,
    pub(crate) outstanding: u32,
    /// Carried by the next record.
    pub(crate) refs: Vec<RefEntry>,
    /// What tasks bring along.
    pub(crate) brought: Brought,
    /// Awaited by the next wait.
    pub(crate) keys: Vec<Key>,
    /// Let go of by records of this flush.
    pub(crate) released: Vec<Key>,
    /// Large bytes that this isolate put into the store and has not named in a record yet: few.
    pub(crate) written: Vec<Stored>,
    /// Slots last put in stock.
    pub(crate) stock: Vec<Key>,
    pub(crate) seat: Option<Seat>,
    is_driver: bool,
    /// The number of its thread's start (workers).
    start: Option<u32>,
    own_clock: OwnClock,
    pub(crate) burst: Burst,
    /// When this crossing began, once somebody has asked.
    pub(crate) crossed: Option<Instant>,
    /// Tasks were queued since others were last told.
    pub(crate) queued: bool,
    /// When it last looked for lost wake-ups while it blocked (driver).
    pub(crate) tended: Option<Instant>,
    /// Said that it is about to sleep, and not yet that it is awake.
    is_announced: bool,
    /// Tells calls of no task's code on this thread from those on others.
    pub(crate) number: u32,
    /// The actor that the next record calls, and in which group.
    pub(crate) to: Option<(Key, u32)>,
    /// The actor that was called last.
    pub(crate) callee: Option<Arc<Actor>>,
    /// The name of the next actor that a record creates.
    pub(crate) naming: Option<Arc<Name>>,
    /// The last actor that a record created.
    pub(crate) created: Option<Arc<Actor>>,
    /// The next such record comes to nothing, since there is one of that name.
    pub(crate) creates_in_vain: bool,
    /// Its thread was started for an actor alone.
    is_single: bool,
}

/// The part of a port that only workers have.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) place: usize,
    pub(crate) local: Local,
    pub(crate) claims: Arc<Claims>,
    pub(crate) holder: Holder,
    /// What the code that blocks needs to go on.
    pub(crate) resuming: Resuming,
    /// The pool's figure when all were seen to wait, and for how many slices it has stood still.
    pub(crate) wedged: Option<(u64, u32)>,
    pub(crate) is_searching: bool,
    /// The last look found records of others that may be taken later: it will look again by itself.
    pub(crate) sees_open_records: bool,
    /// The last look found something that a claim keeps back: it will look again by itself.
    pub(crate) sees_claim: bool,
    /// The last look passed something by for a thread that may be long in coming: it will look again by itself.
    pub(crate) awaits_relief: bool,
    /// Until then it leaves its CPU to a worker that takes what it passes by.
    pub(crate) yields_until: Option<Instant>,
    /// Where the tasks of the last round came from.
    pub(crate) lane: Lane,
    pub(crate) seniority: Seniority,
    /// Begun and not settled: async tasks, and tasks run inside of a wait.
    pub(crate) in_flight: KeySet,
    /// Claimed in this round and queued again, since it was given back unbegun or may be tried again: no longer this worker's.
    pub(crate) returned: KeySet,
    /// Handed to this worker with a grant, and not ended yet.
    pub(crate) granted: KeySet,
    /// Such a record of this round.
    pub(crate) granted_now: Option<Key>,
    /// Tasks that run here under a time limit.
    pub(crate) timed: KeySet,
    /// The task of this round that has one, with it.
    pub(crate) timed_now: Option<(Key, Duration)>,
    /// What the last wait is for: the one that the thread blocks in.
    pub(crate) need: Need,
    pub(crate) lookout: Lookout,
    /// It takes no more work: its thread ends.
    pub(crate) is_leaving: bool,
    /// It was handed records at least once.
    pub(crate) has_worked: bool,
    pub(crate) round_len: u32,
    pub(crate) round_started: Option<Instant>,
    /// What has ended of this round, and when that was.
    pub(crate) segment: Segment,
    /// Nanoseconds that one record takes, as a moving average.
    pub(crate) pace: u64,
    /// It runs actors, and no tasks.
    pub(crate) host: Option<Host>,
}

impl Seat {
    /// So many tasks more may be begun on this worker. Those that wait for others are not counted, one for each wait of the
    /// port: what they wait for may be queued behind them, so that counting them could hold it up for ever.
    pub(crate) fn room(&self, runtime: &Runtime, outstanding: u32) -> usize {
        let counted = self.in_flight.len().saturating_sub(outstanding as usize);
        (runtime.config.async_max as usize).saturating_sub(counted)
    }

    /// True if this worker could begin a common task now, if there was one. `forage` and `announce` must agree on it, or a
    /// loop that calls them in turn would neither run nor sleep.
    pub(crate) fn has_cpu(&self, runtime: &Runtime) -> bool {
        self.may_run(runtime) && runtime.pool.has_room(&self.holder)
    }

    /// Nothing goes on here, or what went on of actors that have ended: it may run actors from now on.
    pub(crate) fn can_host(&self, runtime: &Runtime) -> bool {
        let is_free = match &self.host {
            None => self.in_flight.is_empty(),
            Some(host) => !host.is_single && runtime.hosts.is_vacant(self.place),
        };
        is_free && !self.holder.is_encumbered && !self.holder.is_blocked && !self.is_leaving
    }

    /// It has something to do as a host: a turn of some actor's, a place for one, or, since its last one has ended, to be a worker like
    /// others. `forage` and `announce` must agree on it, and `next` has to do it.
    pub(crate) fn host_finds(&self, runtime: &Runtime, host: &Host) -> bool {
        runtime.hosts.has_turn(self.place)
            || (host.is_idle() && self.in_flight.is_empty() && runtime.hosts.is_vacant(self.place))
            || (runtime.hosts.unplaced() > 0 && self.can_host(runtime))
    }

    /// False while it is blocked, and when everything has come to its end.
    pub(crate) fn may_run(&self, runtime: &Runtime) -> bool {
        !runtime.is_stopped()
            && !self.holder.is_blocked
            && !self.is_leaving
            && !runtime.conduct.is_dying(self.place)
    }

    /// Who else could do what may block this thread, if it has unfinished async tasks: those cannot go on then, and may be
    /// what such code waits for. As long as there is somebody it passes all by that is not known to be async.
    pub(crate) fn relief(&self, runtime: &Runtime) -> Option<Relief> {
        if !self.holder.is_encumbered {
            return None;
        }
        Some(runtime.pool.relief()).filter(|relief| *relief != Relief::Nobody)
    }

    /// How long it leaves its CPU to another, if it does.
    pub(crate) fn yields(&self) -> Option<Duration> {
        let until = self.yields_until.filter(|_| self.holder.is_encumbered)?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The last look before it sleeps.
    fn finds(&self, runtime: &Runtime, relief: Option<Relief>) -> bool {
        if self.yields().is_some() {
            return false;
        }
        let waits_unseen = relief.is_some() && !self.awaits_relief && runtime.has_plain();
        let sight = runtime.look(&self.holder, true, relief.is_some());
        // Whoever made the claim may have had no CPU for what it keeps back, and sleeps without a timer.
        let claim_is_unseen = sight.later.is_some() && !self.sees_claim;
        waits_unseen
            || claim_is_unseen
            || sight.finds.is_some()
            || (self.has_cpu(runtime) && self.overlooks_records(runtime))
    }

    /// Something of the last round was begun and has not ended. A round that had async tasks is not ended by itself.
    fn has_begun(&self, runtime: &Runtime) -> bool {
        let goes_on = |key: &Key| runtime.goes_on(*key) && !self.returned.contains(key);
        self.claims.begun().iter().any(goes_on)
    }

    fn sleeper(&self, runtime: &Runtime) -> Sleeper {
        // Also those of a round that has not been ended, since the loop left it for them.
        if self.holder.is_encumbered {
            Sleeper::Encumbered
        } else if self.in_flight.is_empty() && !self.has_begun(runtime) {
            Sleeper::Free
        } else {
            Sleeper::Reluctant
        }
    }

    /// True if others were handed records since this worker last looked, which they may leave lying.
    fn overlooks_records(&self, runtime: &Runtime) -> bool {
        !self.sees_open_records
            && runtime
                .others(self.place)
                .iter()
                .any(|claims| claims.is_open())
    }
}

impl Port {
    /// Takes part in a runtime. `None` if no more workers are allowed.
    pub fn new(runtime: Arc<Runtime>, role: Role, bell: Arc<dyn Bell>) -> Option<Self> {
        let mailbox = Mailbox::new(bell, &runtime.config.faults);
        let is_driver = role == Role::Driver;
        runtime.join(&mailbox, is_driver);
        let start = match role {
            Role::Driver => None,
            Role::Worker { start } | Role::Newcomer { start } | Role::Single { start } => {
                Some(start)
            }
        };
        let mut port = Self {
            reader: Reader::new(runtime.store()),
            mailbox,
            ledger: Ledger::default(),
            waits: Vec::new(),
            outstanding: 0,
            refs: Vec::new(),
            brought: Brought::default(),
            keys: Vec::new(),
            released: Vec::new(),
            written: Vec::new(),
            stock: Vec::new(),
            seat: None,
            is_driver,
            start,
            own_clock: OwnClock::default(),
            burst: Burst::default(),
            crossed: None,
            queued: false,
            tended: None,
            is_announced: false,
            number: runtime.next_port(),
            to: None,
            callee: None,
            naming: None,
            created: None,
            creates_in_vain: false,
            is_single: matches!(role, Role::Single { .. }),
            runtime,
        };
        let is_there = !matches!(role, Role::Worker { .. }) || port.take_seat().is_some();
        is_there.then_some(port)
    }

    /// A newcomer is a worker from now on, at this place. `None` if no more are allowed.
    pub fn take_seat(&mut self) -> Option<usize> {
        let (place, claims) = self
            .runtime
            .seat((self.start?, self.is_single), &self.mailbox)?;
        self.seat = Some(Seat {
            place,
            local: self.runtime.queues.join(place),
            claims,
            holder: Holder::at(place),
            resuming: Resuming::default(),
            wedged: None,
            is_searching: false,
            sees_open_records: false,
            sees_claim: false,
            awaits_relief: false,
            yields_until: None,
            lane: Lane::Plain,
            seniority: Seniority::default(),
            in_flight: KeySet::default(),
            returned: KeySet::default(),
            granted: KeySet::default(),
            granted_now: None,
            timed: KeySet::default(),
            timed_now: None,
            need: Need::default(),
            lookout: Lookout::default(),
            is_leaving: false,
            has_worked: false,
            round_len: 0,
            round_started: None,
            segment: Segment::default(),
            pace: crate::work::PACE_AT_FIRST,
            host: None,
        });
        Some(place)
    }

    /// What the clock shows, in microseconds, with which this isolate stamps its results. They may overflow.
    pub fn set_clock(&mut self, own: u32) {
        self.own_clock = OwnClock::showing(own, self.runtime.history.now());
    }

    /// When this crossing began.
    pub(crate) fn now(&mut self) -> Stamp {
        let crossed = *self.crossed.get_or_insert_with(Instant::now);
        self.runtime.history.at(crossed)
    }

    /// The run of a task has ended, with this value; of a call, with whose it is. `own` is when it began by this isolate's clock, if that
    /// was looked at. True: it is run again.
    pub(crate) fn end_run(
        &mut self,
        (key, actor): (Key, Option<&Arc<Actor>>),
        how: u32,
        value: Value,
        own: u32,
    ) -> bool {
        let now = self.now();
        let Self {
            runtime,
            seat: Some(seat),
            start,
            own_clock,
            ..
        } = self
        else {
            return false;
        };
        // Others went on beside those of the round, or inside of one.
        let is_of_round = !seat.in_flight.remove(&key);
        let (history, place, segment) = (&runtime.history, seat.place, &mut seat.segment);
        if is_of_round && own != 0 {
            segment.close(history, place, own_clock.moment(own, now));
        }
        let mut tell = |run| {
            let (worker, finished) = (*start, now);
            let run = Run { worker, ..run };
            match is_of_round {
                true => segment.keep(history, place, run),
                false => history.keep(place, Run { finished, ..run }),
            }
        };
        match how {
            how::DONE => {
                runtime.complete(key, value, Some(&mut seat.local), now, tell);
                self.queued = true;
            }
            how::FAILED_AGAIN if runtime.run_again((key, actor), Outcome::Threw, &mut tell) => {
                // The round may not be over yet.
                seat.returned.insert(key);
                self.queued = true;
                return true;
            }
            _ => runtime.fail_run(key, Kind::Thrown(value), tell),
        }
        false
    }

    /// All that has ended has ended by now.
    pub(crate) fn close_segment(&mut self) {
        if self
            .seat
            .as_ref()
            .is_some_and(|seat| !seat.segment.is_empty())
        {
            let now = self.now();
            if let Some(seat) = &mut self.seat {
                seat.segment.close(&self.runtime.history, seat.place, now);
            }
        }
    }

    /// True for the isolate that called `init`.
    pub fn is_driver(&self) -> bool {
        self.is_driver
    }

    /// The runtime behind this port.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// Which worker this is, once it is one; it also says where its claims lie among the words.
    pub fn place(&self) -> Option<usize> {
        self.seat.as_ref().map(|seat| seat.place)
    }

    /// Waits that have not completed: while there are any, the isolate's loop must stay alive.
    pub fn outstanding(&self) -> u32 {
        self.outstanding
    }

    /// Handles that this isolate holds, by slot.
    pub fn handles(&self) -> usize {
        self.ledger.len()
    }

    /// How many threads may help this one to copy something large: as many as cores have none of our code to run.
    pub fn copy_helpers(&self) -> u32 {
        let runs_in_slot = self
            .seat
            .as_ref()
            .is_some_and(|seat| seat.holder.cpu.is_some());
        let busy = self.runtime.pool.running() + u32::from(!runs_in_slot);
        let idle = self.runtime.config.cores.saturating_sub(busy);
        idle.min(self.runtime.config.copy_threads.saturating_sub(1))
    }

    /// True if `drain` would bring something.
    pub fn has_mail(&self) -> bool {
        self.mailbox.has_mail()
    }

    /// Hands out completions and what else there is to know.
    pub fn drain(&mut self, area: &mut [u8]) {
        self.notice_awake();
        let mut area = Area::new(area);
        let mut at = layout::COMPLETIONS_AT;
        let mut tokens = Vec::new();
        let count = self.mailbox.take(layout::COMPLETIONS_MAX, |token, how| {
            tokens.push(token);
            area.set_words(at, &[token, how]);
            at += layout::COMPLETION_BYTES;
        });
        for token in tokens {
            if let Some(wait) = self.waits.get_mut(token as usize) {
                *wait = None;
            }
        }
        self.outstanding = self.outstanding.saturating_sub(count as u32);
        area.set_header(header::COMPLETIONS, count as u32);
        self.report_wanted(&mut area);
        self.hand_out_letters(&mut area);
        area.set_header(header::COLLECT, u32::from(self.mailbox.take_collect()));
        area.set_header(header::LEAVE, self.mailbox.take_leave());
        area.set_header(header::STOPPED, u32::from(self.mailbox.hear_stop()));
        area.set_header(header::OUTSTANDING, self.outstanding);
    }

    fn hand_out_letters(&self, area: &mut Area<'_>) {
        let letters = self.mailbox.take_letters(layout::LETTERS_MAX);
        for (k, letter) in letters.iter().enumerate() {
            let words = match *letter {
                Letter::Cancel { key, is_timeout } => {
                    let kind = match is_timeout {
                        true => letter::TIMED_OUT,
                        false => letter::CANCELLED,
                    };
                    [kind, key.index, key.generation, 0]
                }
                Letter::Terminate { start } => [letter::TERMINATE, start, 0, 0],
                Letter::DropActor { key } => [letter::DROP_ACTOR, key.index, key.generation, 0],
                Letter::StartFor { key, class } => {
                    [letter::START_FOR, key.index, key.generation, class]
                }
                Letter::Resume { key } => [letter::RESUME, key.index, key.generation, 0],
            };
            area.set_words(layout::LETTERS_AT + k * layout::LETTER_BYTES, &words);
        }
        area.set_header(header::LETTERS, letters.len() as u32);
    }

    /// Adds to the workers that the isolate should start; it zeroes the word when it has.
    pub(crate) fn report_wanted(&self, area: &mut Area<'_>) {
        if self.is_driver {
            let taken = self.mailbox.take_wanted();
            if taken > 0 {
                self.runtime.pool.starts_taken();
            }
            let wanted = area.header(header::WANTED) + taken;
            area.set_header(header::WANTED, wanted);
        }
    }

    /// A sealed object of the store is this isolate's until a record names it.
    pub fn keep(&mut self, object: Object, len: u64) {
        let store = self.runtime.store().clone();
        self.written.push(Stored::new(store, object, len));
    }

    /// The code of a task has ended on this worker, or will not be run by it: what it held is free. Others may wait for it.
    pub(crate) fn withdraw(&mut self, key: Key) {
        if let Some(seat) = &mut self.seat
            && seat.granted.remove(&key)
        {
            self.runtime.pool.withdraw(key);
            self.queued = true;
        }
    }

    /// The run of a task has ended, or has not really begun: its time is not counted any more.
    pub fn end_time(&mut self, key: Key) {
        if let Some(seat) = &mut self.seat
            && seat.timed.remove(&key)
        {
            self.runtime.clock.end(seat.place, key);
        }
    }

    /// How often a task that is not settled was begun before, in vain.
    pub fn attempt(&self, key: Key) -> u32 {
        if self.runtime.table.phase(key).is_none() {
            return 0;
        }
        match &*self.runtime.cell(key).body.lock() {
            Body::Task(task) => task.attempt,
            _ => 0,
        }
    }

    /// Bytes of the store under an isolate's own protection. `None` if they were freed.
    pub fn view(&self, key: Key, which: Which) -> Result<Option<View>, mobula_store::Error> {
        let pin = self.pin(key, which)?;
        pin.map(|pin| self.reader.open(pin)).transpose()
    }

    /// The public id of a task that is not settled, as bytes to be read from the left.
    pub fn task_id(&self, key: Key) -> Option<[u8; 16]> {
        // A slot that was used again stands for something else.
        self.runtime.table.phase(key)?;
        let Body::Task(task) = &*self.runtime.cell(key).body.lock() else {
            return None;
        };
        let mut id = [0; 16];
        for (bytes, word) in id.chunks_exact_mut(4).zip(task.id) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        Some(id)
    }

    /// Whether a view of this object that is open here may be given out again.
    pub fn shows(&self, key: Key) -> bool {
        matches!(self.pin(key, Which::Value), Ok(Some(pin)) if self.reader.shows(&pin))
    }

    /// A task begun here was given up by its isolate's end, or the isolate ends: everything it held goes back. `area` is
    /// read once more, for what it had written and not flushed.
    pub fn close(&mut self, area: Option<&mut [u8]>) {
        let mut exit = (None, String::new());
        if let Some(area) = area {
            self.flush(area);
            let area = Area::new(area);
            exit = (
                area.header(header::EXIT_CODE).checked_sub(1),
                area.exit_text(),
            );
        }
        let start = self.start.take();
        if exit == (None, String::new())
            && let Some(why) = start.and_then(|start| self.runtime.why_terminated(start))
        {
            exit.1 = why.to_owned();
        }
        for wait in std::mem::take(&mut self.waits).into_iter().flatten() {
            self.runtime.end_wait(wait);
        }
        if let Some(seat) = self.seat.take() {
            self.leave(seat, start, exit);
        } else if let Some(start) = start
            && !self.runtime.is_stopped()
        {
            self.runtime.start_failed((start, self.is_single), exit);
        }
        let runtime = self.runtime.clone();
        self.brought.give_back(&runtime);
        runtime.release(self.ledger.drain());
        let unused = std::mem::take(&mut self.stock).into_iter();
        let unused: Vec<Key> = unused
            .filter(|key| runtime.table.phase(*key) == Some(Phase::New))
            .collect();
        runtime.table.free_many(&unused);
        self.reader.retire();
        self.written.clear();
        runtime.ask_for_workers();
    }

    fn leave(&self, mut seat: Seat, start: Option<u32>, (exit_code, text): (Option<u32>, String)) {
        let runtime = &self.runtime;
        let end = if seat.is_leaving {
            Departure::Retired
        } else if seat.has_worked {
            Departure::Worked
        } else {
            Departure::Idle
        };
        if seat.is_searching {
            runtime.idle.end_search();
        }
        runtime.idle.retract(seat.place);
        let was_host =
            !runtime.is_stopped() && runtime.lose_actors(&mut seat, &ending(exit_code, &text));
        let mut unbegun = Vec::new();
        let (in_flight, returned) = (&mut seat.in_flight, &seat.returned);
        let begun = |key| {
            if !returned.contains(&key) && !was_host {
                in_flight.insert(key);
            }
        };
        seat.claims.end_round(begun, &mut unbegun);
        if was_host {
            // What it was handed has been seen to, and may be elsewhere by now.
            unbegun.clear();
        }
        runtime.queues.leave(seat.local);
        runtime.hand_back(&unbegun, None);
        runtime.pool.encumber(&mut seat.holder, false);
        if seat.holder.is_blocked {
            runtime.blocked.leave(seat.place);
            runtime.pool.abandon_block(&mut seat.resuming);
        } else {
            runtime.pool.release(&mut seat.holder);
        }
        runtime.pool.withdraw_all_of(seat.place);
        let now = runtime.history.now();
        seat.segment.close(&runtime.history, seat.place, now);
        runtime.leave(seat.place, end, &text);
        if runtime.is_stopped() {
            for key in seat.in_flight {
                runtime.let_settled_linger_no_more(key);
            }
            // Those who wait were told that it was stopped, which is the reason for this thread's end, too.
            return;
        }
        for key in seat.in_flight {
            let note = |run| {
                runtime.history.note(Run {
                    worker: start,
                    finished: now,
                    ..run
                });
            };
            if runtime.run_again((key, None), Outcome::Died, note) {
                continue;
            }
            let kind = Kind::Crashed {
                exit_code,
                text: text.clone(),
            };
            runtime.fail_run(key, kind, note);
            runtime.let_linger_no_more(key);
        }
    }

    /// Says that the isolate's loop is about to sleep, after which everything rings. False if there is something to do
    /// first. On a worker the slot is given up.
    pub fn announce(&mut self) -> bool {
        if !self.mailbox.announce() {
            return false;
        }
        if let Some(seat) = &mut self.seat {
            if seat.holder.cpu.is_some() {
                self.runtime.pool.show(seat.place, 0);
                self.runtime.pool.release(&mut seat.holder);
            }
            if seat.is_leaving {
                // Nobody may count on it.
                self.is_announced = true;
                return true;
            }
            if let Some(host) = &seat.host {
                // Those who have something for it ring.
                if seat.may_run(&self.runtime) && seat.host_finds(&self.runtime, host) {
                    self.mailbox.retract();
                    return false;
                }
                self.is_announced = true;
                return true;
            }
            let bell = self.mailbox.bell();
            if seat.room(&self.runtime, self.outstanding) == 0 {
                // Nobody may count on it. It looks again when one of its tasks ends, which wakes its loop.
                self.is_announced = true;
                self.runtime.ask_for_workers();
                return true;
            }
            let relief = seat.relief(&self.runtime);
            if relief.is_some() && self.runtime.has_plain() {
                // It is no longer on its CPU's account that nobody takes this. Before it is a sleeper itself.
                self.runtime.ask_for_relief();
            }
            self.runtime
                .idle
                .announce(seat.place, bell, seat.sleeper(&self.runtime));
            // Once more: others may have gone meanwhile, and rely on who is announced.
            let relief = seat.relief(&self.runtime);
            let may_host = self.runtime.hosts.unplaced() > 0 && seat.can_host(&self.runtime);
            if may_host || seat.may_run(&self.runtime) && seat.finds(&self.runtime, relief) {
                self.retract();
                return false;
            }
        }
        self.is_announced = true;
        true
    }

    /// True, once, for a worker that found nothing to do and was asked to leave: `drain` tells, and `leave` answers.
    pub fn hears_to_leave(&mut self) -> bool {
        let seat = self.seat.as_ref();
        let hears = seat.is_some_and(|seat| self.runtime.pool.hears_to_leave(seat.place));
        if hears {
            self.mailbox.tell_to_leave();
        }
        hears
    }

    /// True if this worker is still one too many and holds nothing, which would be gone: a handle that some variable has, or what
    /// an async task waits for. Then it takes nothing any more, and its thread should end.
    pub fn leave_if_idle(&mut self) -> bool {
        let Some(seat) = &mut self.seat else {
            return false;
        };
        let is_idle = seat.in_flight.is_empty()
            && !seat.has_begun(&self.runtime)
            && !self.runtime.has_queued()
            && self.outstanding == 0
            && self.ledger.len() == 0;
        seat.is_leaving = seat.is_leaving || (is_idle && self.runtime.pool.may_leave());
        let leaves = seat.is_leaving && is_idle;
        if leaves {
            // Its thread may take a while to end.
            self.runtime.pool.release(&mut seat.holder);
        }
        leaves
    }

    /// This worker takes nothing any more, and ends when what it has begun has ended: others do the rest.
    pub fn resign(&mut self) {
        self.hand_back_unbegun();
        if let Some(seat) = &mut self.seat
            && !std::mem::replace(&mut seat.is_leaving, true)
        {
            self.runtime.pool.resign();
        }
        self.queued = true;
    }

    /// Why a wait was ended that stood on a circle.
    pub fn circle(&self, token: u32) -> Option<String> {
        self.mailbox.take_circle(token)
    }

    /// How many more calls of an actor may be made.
    pub fn room_for_calls(&self, actor: Key) -> u32 {
        self.runtime.room_for_calls(actor)
    }

    /// True for a call of an actor's that has not ended.
    pub fn is_call(&self, key: Key) -> bool {
        matches!(self.runtime.bound(key), Some(Bound::Call { .. }))
    }

    /// Nobody but the actor itself has a handle to it.
    pub fn is_unheld(&self, actor: Key) -> bool {
        self.runtime.is_unheld(actor)
    }

    /// Whether the task behind a key has ended, if there was one.
    pub fn is_over(&self, key: Key) -> bool {
        self.runtime.is_settled(self.runtime.task_of(key))
    }

    /// Whether the slot is still that of this key: somebody refers to what it stands for.
    pub fn exists(&self, key: Key) -> bool {
        // One that was let go of has its key until it is taken again.
        let phase = self.runtime.table.phase(key);
        phase.is_some_and(|phase| phase != Phase::Free)
    }

    /// The isolate's loop is awake.
    pub fn retract(&mut self) {
        self.burst.is_over();
        self.is_announced = false;
        self.mailbox.retract();
        if let Some(seat) = &self.seat {
            self.runtime.idle.retract(seat.place);
        }
    }

    /// JavaScript may run between the announcement and the loop's own word that it is awake: what follows I/O does. Whoever
    /// called this worker meanwhile, or would, was heard only after that: the call is passed on.
    pub(crate) fn notice_awake(&mut self) {
        if !std::mem::take(&mut self.is_announced) {
            return;
        }
        self.burst.is_over();
        self.mailbox.retract();
        if let Some(seat) = &self.seat
            && seat.host.is_none()
            && !self.runtime.idle.retract(seat.place)
        {
            self.runtime.ask_for_workers();
        }
    }

    /// How long an idle isolate should spin before it sleeps: only if something is expected.
    pub fn expects_something(&self) -> bool {
        self.seat.is_some() || self.outstanding > 0
    }

    /// The longest native wait in one piece: `terminate` and a process's end cannot interrupt it.
    pub const SLICE: Duration = Duration::from_millis(20);
}

/// What there is to say of the end of a thread.
fn ending(exit_code: Option<u32>, text: &str) -> String {
    match exit_code {
        Some(code) if text.is_empty() => format!("its thread ended with exit code {code}"),
        None if text.is_empty() => "its thread reached the limit of its heap".to_owned(),
        _ => text.to_owned(),
    }
}

impl Drop for Port {
    /// Whoever lets go of a port without closing it leaves nothing behind either.
    fn drop(&mut self) {
        self.close(None);
    }
}
