//! What others have to tell an isolate: waits that ended, workers to start. It sleeps in its event loop or blocks here.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use mobula_sched::{Bell, Key};
use std::sync::Arc;

use crate::faults::{Faults, FaultyBell};

use mobula_sync::atomic::{AtomicUsize, Ordering};
use mobula_sync::{Condvar, Mutex};

/// The letters of one isolate.
#[derive(Debug)]
pub struct Mailbox {
    mail: Mutex<Mail>,
    arrival: Condvar,
    /// For those who look for wake-ups that got lost.
    bell: Arc<dyn Bell>,
    /// The same, as far as tests let it ring.
    faulty: Arc<dyn Bell>,
    /// Objects to which the owner has handles, as of its last crossing.
    handles: AtomicUsize,
}

/// Something that an isolate has to act on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Letter {
    /// Nobody wants this task any more, which it may have begun.
    Cancel { key: Key, is_timeout: bool },
    /// The thread of this start should be terminated (driver).
    Terminate { start: u32 },
    /// The instance of this actor is nobody's any more.
    DropActor { key: Key },
    /// A thread is to be started for this actor of this class alone (driver).
    StartFor { key: Key, class: u32 },
    /// There is room for more items of this task.
    Resume { key: Key },
}

#[derive(Debug, Default)]
struct Mail {
    completions: VecDeque<(u32, u32)>,
    wanted: u32,
    stopped: bool,
    /// The owner has not been told yet that it was stopped.
    stop_is_news: bool,
    /// The store fills up: a collection may find handles and views that nobody uses.
    collect: bool,
    /// It was asked to, and has not done it yet.
    collecting: bool,
    /// The owner's thread should end (1), or must (2).
    leave: u32,
    /// What it is told of tasks and threads.
    letters: VecDeque<Letter>,
    /// The owner's loop is about to sleep, or sleeps: ring.
    parked: bool,
    /// What there is to tell of waits that were ended since they stood on a circle, by token.
    circles: HashMap<u32, String>,
    /// Some of it lay there when that was last looked at, and nothing was taken since.
    is_old: bool,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.completions.is_empty()
            && self.wanted == 0
            && !self.stop_is_news
            && !self.collect
            && self.leave == 0
            && self.letters.is_empty()
    }
}

impl Mailbox {
    pub(crate) fn new(bell: Arc<dyn Bell>, faults: &Arc<Faults>) -> Arc<Self> {
        let faulty = Arc::new(FaultyBell {
            bell: bell.clone(),
            faults: faults.clone(),
        });
        Arc::new(Self {
            faulty,
            mail: Mutex::default(),
            arrival: Condvar::new(),
            bell,
            handles: AtomicUsize::new(0),
        })
    }

    pub(crate) fn bell(&self) -> Arc<dyn Bell> {
        self.faulty.clone()
    }

    fn deliver(&self, change: impl FnOnce(&mut Mail)) {
        let ring = {
            let mut mail = self.mail.lock();
            change(&mut mail);
            self.arrival.notify_all();
            std::mem::take(&mut mail.parked)
        };
        if ring {
            self.faulty.ring();
        }
    }

    pub(crate) fn complete(&self, token: u32, status: u32) {
        self.deliver(|mail| mail.completions.push_back((token, status)));
    }

    /// The owner is not woken: a fault that tests have happen.
    pub(crate) fn complete_unheard(&self, token: u32, status: u32) {
        let mut mail = self.mail.lock();
        mail.completions.push_back((token, status));
        mail.parked = false;
    }

    /// Wakes the owner, if something lay there when this was called last, and nothing was taken since.
    pub(crate) fn ring_for_old_mail(&self) {
        let mut mail = self.mail.lock();
        let has_some = !mail.is_empty();
        let is_old = std::mem::replace(&mut mail.is_old, has_some);
        if is_old && has_some {
            self.arrival.notify_all();
            drop(mail);
            self.bell.ring();
        }
    }

    /// Wakes the owner, whatever tests have happen.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    pub(crate) fn cancel(&self, key: Key, is_timeout: bool) {
        self.deliver(|mail| mail.letters.push_back(Letter::Cancel { key, is_timeout }));
    }

    pub(crate) fn terminate(&self, start: u32) {
        self.deliver(|mail| mail.letters.push_back(Letter::Terminate { start }));
    }

    /// Before the wait is ended.
    pub(crate) fn note_circle(&self, token: u32, text: String) {
        self.mail.lock().circles.insert(token, text);
    }

    pub(crate) fn take_circle(&self, token: u32) -> Option<String> {
        self.mail.lock().circles.remove(&token)
    }

    pub(crate) fn drop_actor(&self, key: Key) {
        self.deliver(|mail| mail.letters.push_back(Letter::DropActor { key }));
    }

    pub(crate) fn resume(&self, key: Key) {
        self.deliver(|mail| mail.letters.push_back(Letter::Resume { key }));
    }

    pub(crate) fn start_for(&self, key: Key, class: u32) {
        self.deliver(|mail| mail.letters.push_back(Letter::StartFor { key, class }));
    }

    /// There is something to run: wakes the owner if its loop sleeps, and nobody who blocks. True if it slept.
    pub(crate) fn nudge(&self) -> bool {
        let is_asleep = std::mem::take(&mut self.mail.lock().parked);
        if is_asleep {
            self.faulty.ring();
        }
        is_asleep
    }

    /// The owner has not been told yet that it has lost its instance of this actor.
    pub(crate) fn has_drop_of(&self, key: Key) -> bool {
        let drops = Letter::DropActor { key };
        self.mail.lock().letters.contains(&drops)
    }

    /// Takes up to `max` letters.
    pub(crate) fn take_letters(&self, max: usize) -> Vec<Letter> {
        let mut mail = self.mail.lock();
        let count = mail.letters.len().min(max);
        mail.letters.drain(..count).collect()
    }

    pub(crate) fn want_worker(&self) {
        self.deliver(|mail| mail.wanted += 1);
    }

    pub(crate) fn stop(&self) {
        self.deliver(|mail| {
            mail.stopped = true;
            mail.stop_is_news = true;
        });
    }

    /// True if a call of `drain` would bring something.
    pub(crate) fn has_mail(&self) -> bool {
        !self.mail.lock().is_empty()
    }

    /// The owner's loop is going to sleep: from now on letters ring. False, and nothing changed, if there is mail.
    pub(crate) fn announce(&self) -> bool {
        let mut mail = self.mail.lock();
        mail.parked = mail.is_empty();
        mail.parked
    }

    pub(crate) fn retract(&self) {
        self.mail.lock().parked = false;
    }

    /// Takes up to `max` completions.
    pub(crate) fn take(&self, max: usize, mut each: impl FnMut(u32, u32)) -> usize {
        let mut mail = self.mail.lock();
        mail.is_old = false;
        let count = mail.completions.len().min(max);
        mail.completions
            .drain(..count)
            .for_each(|(token, status)| each(token, status));
        count
    }

    pub(crate) fn ask_to_collect(&self) {
        self.deliver(|mail| (mail.collect, mail.collecting) = (true, true));
    }

    pub(crate) fn has_collected(&self) {
        self.mail.lock().collecting = false;
    }

    pub(crate) fn is_collecting(&self) -> bool {
        self.mail.lock().collecting
    }

    pub(crate) fn set_handles(&self, count: usize) {
        self.handles.store(count, Ordering::Relaxed);
    }

    pub(crate) fn handles(&self) -> usize {
        self.handles.load(Ordering::Relaxed)
    }

    pub(crate) fn tell_to_leave(&self) {
        self.deliver(|mail| mail.leave = mail.leave.max(1));
    }

    pub(crate) fn make_leave(&self) {
        self.deliver(|mail| mail.leave = 2);
    }

    pub(crate) fn take_leave(&self) -> u32 {
        std::mem::take(&mut self.mail.lock().leave)
    }

    pub(crate) fn take_collect(&self) -> bool {
        std::mem::take(&mut self.mail.lock().collect)
    }

    pub(crate) fn take_wanted(&self) -> u32 {
        std::mem::take(&mut self.mail.lock().wanted)
    }

    /// True once the runtime was stopped; from then on the owner knows.
    pub(crate) fn hear_stop(&self) -> bool {
        let mut mail = self.mail.lock();
        mail.stop_is_news = false;
        mail.stopped
    }

    /// Blocks until there is mail or the time is over.
    pub(crate) fn block(&self, time: Duration) {
        let mail = self.mail.lock();
        if mail.is_empty() {
            drop(self.arrival.wait_timeout(mail, time));
        }
    }
}
