//! The runtime itself: holds the parts and hands them on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use mobula_sched::{Claims, Idle, Key, Lane, Queues, Slab, Table, Words};
use mobula_store::Store;
use mobula_sync::Mutex;

use crate::actor::{Hosts, Names};
use crate::budget::Granted;
use crate::cell::Cell;
use crate::circle::Circles;
use crate::clock::Clock;
use crate::conduct::Conduct;
use crate::deadlock::Blocked;
use crate::failure::{Failure, Kind};
use crate::faults::Faults;
use crate::functions::{Defined, Definition, Function, Functions, Terms, is_bound};
use crate::history::History;
use crate::lines::{COMMON, COMMON_ASYNC, Lines, NOWHERE, lane_of};
use crate::lingering::Lingering;
use crate::mailbox::Mailbox;
use crate::pool::{ABANDONED_MAX, Departure, Ended, Pool, Relief, Want};
use crate::resources::{Totals, WHOLE};
use crate::streams::Streams;

/// What a runtime is made with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Tells refs of this runtime from those of others.
    pub id: u32,
    /// What tasks may use.
    pub totals: Totals,
    /// Threads at most, spares for blocked ones included.
    pub workers_max: u32,
    /// So many of them may run actors: then actors share threads.
    pub hosts_max: u32,
    /// Cores that this process may use.
    pub cores: u32,
    /// Threads that may copy the bytes of one large value into the store together, if there are cores for them.
    pub copy_threads: u32,
    /// Async tasks that one worker may have begun and not ended, those aside that wait for others.
    pub async_max: u32,
    /// Tasks that may be submitted and not ended.
    pub pending_max: Option<u32>,
    /// What tests have happen.
    pub faults: Arc<Faults>,
    /// How much work one crossing should hand out, by what tasks took so far: more only makes it wait behind itself.
    pub crossing: Duration,
    /// What the start of a thread may take before a driver that blocks gives up: it cannot hear why none comes up.
    pub start_patience: Duration,
}

/// Figures of a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Slots in use: tasks, objects and waits, with those that isolates hold in stock.
    pub slots: usize,
    /// Edges of the graph.
    pub edges: usize,
    /// Live worker threads.
    pub workers: u32,
    /// Those of them that are being terminated.
    pub abandoned: u32,
    /// Tasks queued, roughly.
    pub queued: usize,
    /// Of these, how many have what they need and only lack a worker, roughly.
    pub startable: usize,
    /// Actors that have not ended.
    pub actors: usize,
}

/// All tasks, objects and references of one `init`, shared by every thread that takes part.
#[derive(Debug)]
pub struct Runtime {
    pub(crate) config: Config,
    pub(crate) store: Arc<Store>,
    pub(crate) words: Arc<Words>,
    pub(crate) table: Table,
    pub(crate) cells: Slab<Cell>,
    pub(crate) queues: Queues,
    pub(crate) lines: Lines,
    /// The configured one, in nanoseconds.
    pub(crate) crossing: u64,
    /// There is CPU enough for common tasks, in all.
    pub(crate) has_cpu: bool,
    pub(crate) idle: Idle,
    pub(crate) functions: Functions,
    pub(crate) pool: Pool,
    pub(crate) blocked: Blocked,
    pub(crate) lingering: Lingering,
    pub(crate) streams: Streams,
    pub(crate) hosts: Hosts,
    pub(crate) names: Names,
    pub(crate) circles: Circles,
    pub(crate) conduct: Conduct,
    pub(crate) clock: Arc<Clock>,
    pub(crate) history: History,
    /// For the clock's thread.
    pub(crate) me: Weak<Runtime>,
    members: Mutex<Members>,
    stopped: AtomicBool,
    /// Something could have begun when `tend_wakes` was called last.
    pub(crate) lay_idle: AtomicBool,
    /// Tasks that were submitted and have not ended; counted where there is a limit.
    pending: AtomicU32,
    /// Isolates that took part so far.
    ports: AtomicU32,
    /// Bytes written into the store since all isolates were last asked to collect.
    written: AtomicU64,
}

#[derive(Debug, Default)]
struct Members {
    /// Whom to ask for workers.
    driver: Option<Weak<Mailbox>>,
    mailboxes: Vec<Weak<Mailbox>>,
    /// By worker place; places are reused.
    workers: Vec<Option<Member>>,
    /// Why the last thread that should have started did not.
    setup_failure: Option<Arc<Failure>>,
    /// Starts whose threads are being terminated, and why, until they have ended.
    terminated: HashMap<u32, &'static str>,
}

/// A worker, for others.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) claims: Arc<Claims>,
    pub(crate) mailbox: Arc<Mailbox>,
    /// The number of its thread's start.
    pub(crate) start: u32,
}

impl Runtime {
    /// A runtime without threads over a store.
    pub fn new(config: Config, store: Arc<Store>) -> Arc<Self> {
        let places = (config.workers_max + 1 + ABANDONED_MAX) as usize;
        let words = Arc::new(Words::new(places));
        Arc::new_cyclic(|me| Self {
            lingering: Lingering::default(),
            streams: Streams::default(),
            hosts: Hosts::new(places),
            names: Names::default(),
            circles: Circles::default(),
            ports: AtomicU32::new(0),
            conduct: Conduct::new(places),
            clock: Clock::new(places),
            history: History::new(places),
            me: me.clone(),
            idle: Idle::new(words.clone()),
            pool: Pool::new(&config.totals, config.workers_max),
            store,
            words,
            table: Table::new(),
            cells: Slab::default(),
            blocked: Blocked::default(),
            queues: Queues::new(),
            lines: Lines::new(),
            crossing: u64::try_from(config.crossing.as_nanos()).unwrap_or(u64::MAX),
            has_cpu: config.totals.cpu >= WHOLE,
            functions: Functions::default(),
            members: Mutex::default(),
            stopped: AtomicBool::new(false),
            lay_idle: AtomicBool::new(false),
            pending: AtomicU32::new(0),
            written: AtomicU64::new(0),
            config,
        })
    }

    /// Which runtime this is.
    pub fn id(&self) -> u32 {
        self.config.id
    }

    /// The words that isolates share, for lending them to JavaScript.
    pub fn words(&self) -> Arc<Words> {
        self.words.clone()
    }

    /// The store underneath.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Makes a function known that is called on the common terms; equal ones get the same id.
    pub fn define(&self, function: Function) -> u32 {
        self.define_on(function, Terms::default()).id
    }

    /// Makes a function known that is called on these terms; equal ones get the same id.
    pub fn define_on(&self, function: Function, terms: Terms) -> Defined {
        let definition = Definition { function, terms };
        if let Some(id) = self.functions.find(&definition) {
            return Defined {
                id,
                is_first_beyond: false,
            };
        }
        let Terms {
            demand, priority, ..
        } = &definition.terms;
        let line = match self.pool.shape(demand) {
            Some(shape) if shape.is_common() && *priority == 0 => COMMON,
            Some(shape) => self.lines.line(shape, *priority, Lane::Plain),
            None => NOWHERE,
        };
        self.functions.define(definition, line)
    }

    /// Calls of a function return promises: it is declared so, which was seen before its first call.
    pub fn is_async(&self, id: u32) {
        self.functions
            .note_async(id, |terms| self.async_line(terms));
    }

    /// Calls of a function return promises, as was seen when one did. Those that are queued change over, so that workers take
    /// them that take nothing else.
    pub fn turns_out_async(&self, id: u32) {
        let before = self.functions.line(id);
        if !self
            .functions
            .note_async(id, |terms| self.async_line(terms))
        {
            return;
        }
        if is_bound(id) {
            return;
        }
        let keys = match lane_of(before) {
            // As many as there are now: others go on queueing.
            Some(lane) => (0..self.queues.len_of(lane))
                .map_while(|_| self.queues.take_any(lane))
                .collect(),
            None => self.lines.empty(before),
        };
        for key in &keys {
            self.enqueue(*key, None);
        }
        if !keys.is_empty() {
            self.ask_for_workers();
        }
    }

    fn async_line(
        &self,
        Terms {
            demand, priority, ..
        }: &Terms,
    ) -> Option<u32> {
        let shape = self.pool.shape(demand)?;
        if shape.is_common() && *priority == 0 {
            return Some(COMMON_ASYNC);
        }
        Some(self.lines.line(shape, *priority, Lane::Async))
    }

    /// What was defined under an id.
    pub fn definition(&self, id: u32) -> Option<Arc<Definition>> {
        self.functions.get(id)
    }

    /// The id under which a function of this source was first defined, on whatever terms.
    pub fn first_of_source(&self, definition: &Definition) -> Option<u32> {
        self.functions.first_of_source(definition)
    }

    /// Name, total and what is left of each resource, in parts.
    pub fn resources(&self) -> Vec<(String, u64, u64)> {
        self.pool.figures()
    }

    /// What a task that was handed out holds until its end.
    pub fn granted(&self, key: Key) -> Option<Granted> {
        self.pool.granted(key)
    }

    /// Ends everything: all waits, in every isolate, end with the news. Values stay while someone holds the runtime.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.clock.stop();
        let members = self.members.lock();
        members
            .mailboxes
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|mailbox| mailbox.stop());
    }

    /// Bytes were written into the store. Handles and views are collected by each isolate's own collector, which does not
    /// know how much they hold: when more than half of the store is full, and a quarter of it was written since the last
    /// time, all isolates are asked to collect.
    pub fn wrote(&self, bytes: u64) {
        let written = self.written.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let capacity = self.store.capacity();
        if written < capacity / 4 || self.store.used() < capacity / 2 {
            return;
        }
        self.written.store(0, Ordering::Relaxed);
        self.ask_to_collect();
    }

    /// Numbers the isolates that take part.
    pub(crate) fn next_port(&self) -> u32 {
        self.ports.fetch_add(1, Ordering::Relaxed)
    }

    /// Those of all isolates that take part.
    pub(crate) fn mailboxes(&self) -> Vec<Arc<Mailbox>> {
        let members = self.members.lock();
        members.mailboxes.iter().filter_map(Weak::upgrade).collect()
    }

    /// A task was submitted.
    pub(crate) fn began_pending(&self) {
        if self.config.pending_max.is_some() {
            self.pending.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A task has ended.
    pub(crate) fn ended_pending(&self) {
        if self.config.pending_max.is_some() {
            self.pending.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many more tasks may be submitted. Who asks at the same time may be told the same.
    pub(crate) fn room_for_tasks(&self) -> u32 {
        let max = self.config.pending_max;
        max.map_or(u32::MAX, |max| {
            max.saturating_sub(self.pending.load(Ordering::Relaxed))
        })
    }

    /// True after `stop`.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Figures, each read by itself.
    pub fn stats(&self) -> Stats {
        let (slots, edges) = self.table.sizes();
        Stats {
            slots,
            edges,
            workers: self.pool.live(),
            abandoned: self.pool.abandoned(),
            queued: self.queues.len() + self.lines.len(),
            startable: self.room() as usize,
            actors: self.hosts.living(),
        }
    }

    /// Somebody terminates the thread of this start: no other end leaves as little behind as this and a heap at its limit.
    pub fn terminating(&self, start: u32) {
        let mut members = self.members.lock();
        let why = members.terminated.entry(start);
        why.or_insert("it was terminated from outside");
    }

    /// The driver heard that the thread of this start should be terminated. False: it came back meanwhile, or has ended.
    pub fn execute(&self, start: u32) -> bool {
        let mut members = self.members.lock();
        let mut workers = members.workers.iter();
        let is_it = |member: &Option<Member>| {
            let member = member.as_ref();
            member.is_some_and(|member| member.start == start)
        };
        let Some(place) = workers.position(is_it) else {
            return false;
        };
        if !self.conduct.execute(place) {
            return false;
        }
        self.pool.abandon();
        members.terminated.insert(
            start,
            "its thread was ended, since another task on it was cancelled or took too long and did not let go of the thread",
        );
        drop(members);
        self.ask_for_workers();
        true
    }

    pub(crate) fn why_terminated(&self, start: u32) -> Option<&'static str> {
        self.members.lock().terminated.get(&start).copied()
    }

    /// A thread is to be started for an actor alone.
    pub(crate) fn start_thread_for(&self, key: Key, class: u32) {
        let driver = self.members.lock().driver.as_ref().and_then(Weak::upgrade);
        if let Some(driver) = driver {
            driver.start_for(key, class);
        }
    }

    /// A thread has to be terminated, which only the driver can do.
    pub(crate) fn condemned(&self, start: u32) {
        let driver = self.members.lock().driver.as_ref().and_then(Weak::upgrade);
        if let Some(driver) = driver {
            driver.terminate(start);
        }
    }

    /// The worker at a place.
    pub(crate) fn member(&self, place: usize) -> Option<Member> {
        self.members.lock().workers.get(place)?.clone()
    }

    /// A thread that was asked for ended. If it never took part, that was a failed start: after the third in a row no more
    /// are tried, and work fails that none of the living threads can do.
    pub fn thread_ended(&self, start: u32, text: String) {
        self.members.lock().terminated.remove(&start);
        match self.pool.thread_ended(start) {
            Ended::AfterJoining => return,
            Ended::Early { is_last: true } => self.give_up_starting(text),
            Ended::Early { is_last: false } => {}
        }
        self.ask_for_workers();
    }

    /// True if workers are wanted and for too long none has come up.
    pub(crate) fn is_stalled(&self) -> bool {
        self.pool.is_stalled(self.config.start_patience)
    }

    fn give_up_starting(&self, text: String) {
        let failure = Failure::shared(u32::MAX, Kind::Setup { text });
        self.members.lock().setup_failure = Some(failure);
    }

    /// Why no thread can be started.
    pub(crate) fn setup_failure(&self) -> Option<Arc<Failure>> {
        self.members.lock().setup_failure.clone()
    }

    pub(crate) fn cell(&self, key: Key) -> &Cell {
        self.cells.at(key.index)
    }

    /// A thread ends that did not get as far as to take its seat: a failed start, of which the driver need not tell.
    pub(crate) fn start_failed(
        &self,
        (start, is_single): (u32, bool),
        (code, text): (Option<u32>, String),
    ) {
        if is_single {
            // The driver tells, with the actor that it was for.
            return;
        }
        let text = match code {
            Some(code) if text.is_empty() => {
                format!("the thread ended with exit code {code} before it was ready")
            }
            // It ended without another line of JavaScript.
            None if text.is_empty() => {
                "the thread reached the limit of its heap before it was ready".to_owned()
            }
            _ => text,
        };
        if self.pool.start_failed(start) {
            self.give_up_starting(text);
        }
    }

    /// Adds an isolate.
    pub(crate) fn join(&self, mailbox: &Arc<Mailbox>, is_driver: bool) {
        let mut members = self.members.lock();
        members
            .mailboxes
            .retain(|mailbox| mailbox.strong_count() > 0);
        members.mailboxes.push(Arc::downgrade(mailbox));
        if self.is_stopped() {
            mailbox.stop();
        }
        if is_driver {
            members.driver = Some(Arc::downgrade(mailbox));
        }
    }

    /// A place for the thread of this start. `None` if all are taken.
    pub(crate) fn seat(
        &self,
        (start, is_single): (u32, bool),
        mailbox: &Arc<Mailbox>,
    ) -> Option<(usize, Arc<Claims>)> {
        let mut members = self.members.lock();
        let place = match members.workers.iter().position(Option::is_none) {
            Some(place) => place,
            None => {
                members.workers.push(None);
                members.workers.len() - 1
            }
        };
        if place > self.pool.threads_max() as usize {
            return None;
        }
        let claims = Arc::new(Claims::new(self.words.clone(), place));
        members.workers[place] = Some(Member {
            claims: claims.clone(),
            mailbox: mailbox.clone(),
            start,
        });
        self.conduct.reset(place);
        self.pool.forget_to_leave(place);
        self.pool.was_busy(place, Instant::now());
        self.pool.joined(start, is_single);
        Some((place, claims))
    }

    pub(crate) fn leave(&self, place: usize, how: Departure, text: &str) {
        {
            let mut members = self.members.lock();
            // Before another thread can have the place.
            self.clock.end_all(place);
            if self.conduct.is_dying(place) {
                self.pool.no_longer_abandoned();
            }
            members.workers[place] = None;
        }
        if self.pool.left(how) {
            self.give_up_starting(format!("threads end as soon as they are up: {text}"));
        }
    }

    /// Workers beyond one for each CPU, which were started while others blocked or needed parts of a CPU, end when they have been
    /// idle for so long.
    pub fn retire(&self, now: Instant, after: Duration) {
        let spares = self.pool.spares() as usize;
        if spares == 0 {
            return;
        }
        let mut idle = self.idle.asleep();
        idle.retain(|(place, _)| self.pool.has_been_idle(*place, now, after));
        for (place, bell) in idle.into_iter().take(spares) {
            self.pool.ask_to_leave(place);
            // It stays on the list of sleepers: if it is called meanwhile it has work, and stays.
            bell.ring();
        }
    }

    /// The claims of all workers but one.
    pub(crate) fn others(&self, place: usize) -> Vec<Arc<Claims>> {
        let members = self.members.lock();
        let others = members.workers.iter().enumerate();
        others
            .filter(|(other, _)| *other != place && !self.hosts.is_host(*other))
            .filter_map(|(_, member)| Some(member.as_ref()?.claims.clone()))
            .collect()
    }

    /// Work was queued or a worker was lost: wakes a sleeper, and asks the driver for more threads if there is more work than
    /// those who sleep or search will take. The driver learns of it in this very crossing if it is the one that queued: it
    /// may not look into its mailbox for long.
    pub(crate) fn ask_for_workers(&self) {
        self.ask(true);
    }

    /// The same by one who passes something by himself. Others who would pass it by, too, are not called: they would call him.
    pub(crate) fn ask_for_relief(&self) {
        self.ask(false);
    }

    /// Actors that wait for a thread: somebody who has nothing to do takes them, or is started for that.
    fn ask_for_hosts(&self) {
        self.place_the_poor();
        self.start_singles();
        self.place_the_homeless();
        let waiting = self.hosts.unplaced();
        if waiting == 0 {
            return;
        }
        let waiting = waiting.saturating_sub(self.hosts.call_vacant()) as u32;
        for _ in 0..waiting {
            if !self.idle.wake_one() {
                break;
            }
        }
        let (count, missing) = self.pool.want_hosts(waiting);
        let driver = self.members.lock().driver.as_ref().and_then(Weak::upgrade);
        if let Some(driver) = driver {
            (0..count).for_each(|_| driver.want_worker());
        }
        if missing > 0 {
            self.share_threads(missing as usize);
            if let Some(failure) = self.setup_failure() {
                self.fail_unplaced(&failure);
            }
        }
    }

    fn ask(&self, calls_all: bool) {
        self.ask_for_hosts();
        // Where nothing fits nobody could do more. Whoever gives something back looks for work after that, or calls this.
        let room = self.lines.is_waiting().then(|| self.room());
        let outlook = self.pool.outlook();
        if room.unwrap_or(outlook.free) == 0 {
            return;
        }
        let for_the_free =
            self.pool.has_encumbered() && self.has_plain() && self.pool.relief() != Relief::Nobody;
        let takers = if for_the_free {
            let is_called = self.idle.notify_unencumbered();
            if !is_called && (calls_all || self.has_async()) {
                // If only to see what it passes by, and to take it if nobody else has come for long.
                self.idle.notify();
            }
            usize::from(is_called) + self.idle.parked_unencumbered()
        } else {
            let is_called = usize::from(self.idle.notify());
            if room.is_none() && outlook.has_hands {
                return;
            }
            is_called + self.idle.parked()
        };
        let queued = self.queues.len() + self.lines.len();
        let queued = queued.saturating_sub(takers);
        if queued == 0 {
            return;
        }
        match self.pool.want(queued, room, for_the_free) {
            Want::Threads(0) => {}
            Want::Threads(count) => {
                let driver = self.members.lock().driver.as_ref().and_then(Weak::upgrade);
                if let Some(driver) = driver {
                    (0..count).for_each(|_| driver.want_worker());
                }
            }
            Want::Hopeless => self.fail_queued(),
        }
    }
}
