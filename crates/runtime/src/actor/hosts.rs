//! Which threads run actors, and whose calls have their turn there.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use mobula_sched::Key;
use mobula_sync::Mutex;
use mobula_sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::Actor;
use crate::mailbox::Mailbox;
use crate::refs::{KeyMap, KeySet};

/// The part of a seat that runs actors in place of tasks.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// Handed out here and not ended: calls, and constructors by the actors' own keys.
    pub(crate) handed: KeyMap<HandedOut>,
    /// It was started for one actor alone, and ends with it.
    pub(crate) is_single: bool,
    /// Runs that go on here and count nothing, by the births that they are of: what they run was handed out here once more.
    pub(crate) stale: HashSet<(Key, u32)>,
    /// Something was begun inside of a wait in this round.
    pub(crate) has_nested: bool,
    /// What could not run inside of a wait in this round: it needs the thread's loop.
    pub(crate) refused: KeySet,
}

/// What was handed out last under its key.
#[derive(Debug)]
pub(crate) struct HandedOut {
    pub(crate) actor: Arc<Actor>,
    /// Which of the actor's births it is of.
    pub(crate) birth: u32,
}

impl Host {
    /// Nothing that was begun here goes on, but for what `seat` knows of.
    pub(crate) fn is_idle(&self) -> bool {
        self.handed.is_empty() && self.stale.is_empty()
    }

    /// What is said of a run is of what was handed out here last.
    pub(crate) fn is_last(&self, key: Key, birth: u32) -> bool {
        let last = self.handed.get(&key);
        last.is_some_and(|last| last.birth == birth)
    }
}

#[derive(Debug)]
pub(crate) struct Hosts {
    /// By place: actors that have something to run. Taken after an actor's lock, or without it.
    inboxes: Box<[Mutex<VecDeque<Arc<Actor>>>]>,
    placement: Mutex<Placement>,
    /// By place: it is a thread that runs actors.
    are_hosts: Box<[AtomicBool]>,
    /// How many are.
    hosts: AtomicUsize,
    /// Actors that a worker may take: where there are none, nobody looks.
    unplaced: AtomicUsize,
    /// Actors that wait for a thread that others bring along.
    sharing: AtomicUsize,
    /// Actors that lack resources.
    poor: AtomicUsize,
    /// Actors for each of which a thread is to be started.
    singles: AtomicUsize,
    /// Actors that have not ended, wherever they are.
    living: AtomicUsize,
    /// Classes of which it was said that an actor has lacked them for long.
    told_of: Mutex<HashSet<u32>>,
}

#[derive(Debug, Default)]
pub(super) struct Placement {
    pub(super) threads: HashMap<usize, Thread>,
    /// For each a thread is to be found, in this order.
    pub(super) waiting: VecDeque<Arc<Actor>>,
    /// They share threads with others, as soon as there are some.
    pub(super) sharing: VecDeque<Arc<Actor>>,
    /// A thread is to be started for each, when there may be more.
    pub(super) singles: VecDeque<Arc<Actor>>,
    /// They wait for resources.
    pub(super) poor: VecDeque<Arc<Actor>>,
}

/// A worker that runs actors.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) actors: KeyMap<Arc<Actor>>,
    pub(super) mailbox: Arc<Mailbox>,
    /// Others may come to it.
    pub(super) is_shared: bool,
}

/// It may have others beside it.
pub(super) fn may_share(actor: &Arc<Actor>) -> bool {
    actor.terms().is_none_or(|terms| !terms.is_own)
}

impl Placement {
    /// An actor that has what it needs is to have a thread, if there are fewer than so many.
    pub(super) fn add(&mut self, actor: &Arc<Actor>, threads_max: usize) {
        let is_one_of_few = self.threads.len() + self.waiting.len() < threads_max;
        match is_one_of_few || !may_share(actor) {
            true => self.waiting.push_back(actor.clone()),
            false => self.sharing.push_back(actor.clone()),
        }
    }

    /// Those that share threads with others get their places, the threads with the fewest first. If there is no such thread one of them
    /// brings it along, and the others wait for that.
    pub(super) fn assign(&mut self) -> Vec<(Arc<Actor>, usize)> {
        let mut placed = Vec::new();
        let one_comes = self.waiting.iter().any(may_share);
        while let Some(actor) = self.sharing.pop_front() {
            if let Some(place) = self.least_busy() {
                self.lodge(&actor, place);
                placed.push((actor, place));
            } else if one_comes {
                self.sharing.push_front(actor);
                break;
            } else {
                self.waiting.push_back(actor);
                break;
            }
        }
        placed
    }

    /// The thread at this place has one more.
    pub(super) fn lodge(&mut self, actor: &Arc<Actor>, place: usize) {
        if let Some(thread) = self.threads.get_mut(&place) {
            thread.actors.insert(actor.key, actor.clone());
        }
    }

    /// The thread with the fewest actors among those that take more.
    pub(super) fn least_busy(&self) -> Option<usize> {
        let shared = self.threads.iter().filter(|(_, thread)| thread.is_shared);
        shared
            .min_by_key(|(place, thread)| (thread.actors.len(), **place))
            .map(|(place, _)| *place)
    }
}

impl Hosts {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            inboxes: (0..places).map(|_| Mutex::default()).collect(),
            placement: Mutex::default(),
            are_hosts: (0..places).map(|_| AtomicBool::new(false)).collect(),
            hosts: AtomicUsize::new(0),
            unplaced: AtomicUsize::new(0),
            sharing: AtomicUsize::new(0),
            poor: AtomicUsize::new(0),
            singles: AtomicUsize::new(0),
            living: AtomicUsize::new(0),
            told_of: Mutex::default(),
        }
    }

    /// There is an actor more.
    pub(crate) fn begins_to_live(&self) {
        self.living.fetch_add(1, Ordering::Relaxed);
    }

    /// An actor is dead from now on.
    pub(super) fn lives_no_more(&self) {
        self.living.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many actors have not ended.
    pub(crate) fn living(&self) -> usize {
        self.living.load(Ordering::Relaxed)
    }

    /// Changes who is where.
    pub(super) fn arrange<T>(&self, change: impl FnOnce(&mut Placement) -> T) -> T {
        let mut placement = self.placement.lock();
        let result = change(&mut placement);
        // Release: whoever reads it finds what it counts.
        self.unplaced
            .store(placement.waiting.len(), Ordering::Release);
        self.sharing
            .store(placement.sharing.len(), Ordering::Release);
        self.poor.store(placement.poor.len(), Ordering::Release);
        self.singles
            .store(placement.singles.len(), Ordering::Release);
        result
    }

    /// How many actors wait for a thread.
    pub(crate) fn unplaced(&self) -> usize {
        self.unplaced.load(Ordering::Acquire)
    }

    /// Some wait for a thread, be it for one that another brings along.
    pub(crate) fn has_homeless(&self) -> bool {
        self.unplaced() + self.sharing.load(Ordering::Acquire) > 0
    }

    /// It was not said of this class before.
    pub(super) fn is_first_of_class(&self, class: u32) -> bool {
        self.told_of.lock().insert(class)
    }

    pub(super) fn has_poor(&self) -> bool {
        self.poor.load(Ordering::Acquire) > 0
    }

    pub(super) fn has_singles(&self) -> bool {
        self.singles.load(Ordering::Acquire) > 0
    }

    /// The actor lacks resources.
    pub(super) fn is_poor(&self, actor: &Actor) -> bool {
        let placement = self.placement.lock();
        placement.poor.iter().any(|other| other.key == actor.key)
    }

    /// Tasks are not for the thread at this place, or are again.
    pub(super) fn set_host(&self, place: usize, is_host: bool) {
        let was_host = self.are_hosts[place].swap(is_host, Ordering::AcqRel);
        match (was_host, is_host) {
            (false, true) => drop(self.hosts.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.hosts.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }

    pub(crate) fn is_host(&self, place: usize) -> bool {
        self.are_hosts[place].load(Ordering::Acquire)
    }

    /// Some thread runs actors.
    pub(crate) fn are_any(&self) -> bool {
        self.hosts.load(Ordering::Relaxed) > 0
    }

    /// Something has its turn at this place.
    pub(crate) fn has_turn(&self, place: usize) -> bool {
        !self.inboxes[place].lock().is_empty()
    }

    /// The actor whose turn it is there.
    pub(super) fn next(&self, place: usize) -> Option<Arc<Actor>> {
        self.inboxes[place].lock().pop_front()
    }

    /// An actor has something to run. Its thread is to be told.
    pub(super) fn schedule(&self, place: usize, actor: Arc<Actor>) {
        self.inboxes[place].lock().push_back(actor);
    }

    /// Whom to tell that something has its turn there.
    pub(super) fn mailbox(&self, place: usize) -> Option<Arc<Mailbox>> {
        let placement = self.placement.lock();
        Some(placement.threads.get(&place)?.mailbox.clone())
    }

    /// The actors of a thread, which has ended; its inbox is empty from now on.
    pub(super) fn close(&self, place: usize) -> Vec<Arc<Actor>> {
        let thread = self.arrange(|placement| placement.threads.remove(&place));
        self.set_host(place, false);
        self.inboxes[place].lock().clear();
        thread.map_or_else(Vec::new, |thread| thread.actors.into_values().collect())
    }

    /// An actor is nowhere any more. If it was the last on its thread, that is told.
    pub(super) fn forget(&self, actor: &Actor) {
        let key = actor.key;
        let left = self.arrange(|placement| {
            placement.waiting.retain(|other| other.key != key);
            placement.sharing.retain(|other| other.key != key);
            placement.singles.retain(|other| other.key != key);
            placement.poor.retain(|other| other.key != key);
            let mut threads = placement.threads.iter_mut();
            threads.find_map(|(place, thread)| {
                let was_there = thread.actors.remove(&key).is_some();
                let vacated = thread.actors.is_empty().then(|| thread.mailbox.clone());
                was_there.then_some((*place, vacated))
            })
        });
        let Some((place, vacated)) = left else { return };
        self.inboxes[place].lock().retain(|other| other.key != key);
        if let Some(mailbox) = vacated {
            mailbox.nudge();
        }
    }

    /// The actor lives, or is to live, on the thread at this place.
    pub(super) fn is_at(&self, actor: &Actor, place: usize) -> bool {
        let placement = self.placement.lock();
        let thread = placement.threads.get(&place);
        thread.is_some_and(|thread| thread.actors.contains_key(&actor.key))
    }

    /// No actor lives there.
    pub(crate) fn is_vacant(&self, place: usize) -> bool {
        let placement = self.placement.lock();
        let thread = placement.threads.get(&place);
        thread.is_none_or(|thread| thread.actors.is_empty())
    }

    /// Wakes threads whose actors have all ended, and on which code goes on that nobody can end: they may take others. How many of
    /// them slept.
    pub(crate) fn call_vacant(&self) -> usize {
        let vacant: Vec<Arc<Mailbox>> = {
            let placement = self.placement.lock();
            let threads = placement.threads.values();
            let vacant = threads.filter(|thread| thread.actors.is_empty());
            vacant.map(|thread| thread.mailbox.clone()).collect()
        };
        vacant.iter().filter(|mailbox| mailbox.nudge()).count()
    }

    /// Actors share the thread at a place, or may.
    pub(super) fn is_shared(&self, place: usize) -> bool {
        let placement = self.placement.lock();
        let thread = placement.threads.get(&place);
        thread.is_some_and(|thread| thread.actors.len() > 1)
    }
}
