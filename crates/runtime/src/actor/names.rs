//! Actors by name, within a namespace.

use std::collections::HashMap;
use std::sync::Arc;

use mobula_sched::Key;
use mobula_sync::Mutex;

use super::Actor;
use crate::holders;
use crate::port::Port;
use crate::refs::KeyMap;
use crate::runtime::Runtime;

/// Namespace and name.
pub type Name = (String, String);

#[derive(Debug)]
enum Entry {
    /// Somebody is about to create an actor of this name.
    Reserved,
    Actor(Arc<Actor>),
}

/// Taken before an actor's lock, and for no longer than a look.
#[derive(Debug, Default)]
pub(crate) struct Names {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Name, Entry>,
    /// The names of those that have one.
    by_actor: KeyMap<Name>,
}

/// What somebody who knows an actor's name is told: its slot, its public id, and the number of its class.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The slot.
    pub key: Key,
    /// Four words.
    pub id: [u32; 4],
    /// The definition of the class.
    pub class: u32,
}

impl Names {
    /// The name is free again.
    pub(super) fn remove(&self, actor: &Arc<Actor>) {
        let mut state = self.state.lock();
        let Some(name) = state.by_actor.remove(&actor.key) else {
            return;
        };
        // Another may have it by now.
        let is_its_own =
            |entry: &Entry| matches!(entry, Entry::Actor(other) if other.key == actor.key);
        if state.entries.get(&name).is_some_and(is_its_own) {
            state.entries.remove(&name);
        }
    }
}

impl Port {
    /// The actor of this name, to which this isolate has one handle more from now on.
    pub fn find_actor(&mut self, name: &Name) -> Option<Found> {
        let runtime = self.runtime.clone();
        let state = runtime.names.state.lock();
        match state.entries.get(name) {
            Some(Entry::Actor(actor)) => self.hold(actor),
            _ => None,
        }
    }

    /// One handle more to an actor, unless it has ended.
    fn hold(&mut self, actor: &Arc<Actor>) -> Option<Found> {
        if self.ledger.add(actor.key) {
            let holders = &self.runtime.cell(actor.key).holders;
            if actor.is_dead() || holders::one_more_of_actor(holders) != Some(true) {
                self.ledger.remove(actor.key);
                return None;
            }
        }
        Some(Found {
            key: actor.key,
            id: actor.id,
            class: actor.class,
        })
    }

    /// Performs what was written, of which the last record creates an actor, under this name. If there is one of that name it is found
    /// instead, and the last record comes to nothing.
    pub fn create_named(&mut self, area: &mut [u8], name: Name) -> Option<Found> {
        let runtime = self.runtime.clone();
        let found = loop {
            let mut state = runtime.names.state.lock();
            match state.entries.get(&name) {
                // Between two steps of native code.
                Some(Entry::Reserved) => {
                    drop(state);
                    std::thread::yield_now();
                }
                Some(Entry::Actor(actor)) => {
                    if let Some(found) = self.hold(actor) {
                        break Some(found);
                    }
                    state.entries.insert(name.clone(), Entry::Reserved);
                    break None;
                }
                None => {
                    state.entries.insert(name.clone(), Entry::Reserved);
                    break None;
                }
            }
        };
        self.creates_in_vain = found.is_some();
        self.flush(area);
        self.creates_in_vain = false;
        if found.is_some() {
            return found;
        }
        let mut state = runtime.names.state.lock();
        match self.created.take() {
            // It may have ended in these very records.
            Some(actor) if !actor.is_dead() => {
                state.by_actor.insert(actor.key, name.clone());
                state.entries.insert(name, Entry::Actor(actor));
            }
            _ => {
                state.entries.remove(&name);
            }
        }
        None
    }
}

impl Runtime {
    /// The name of an actor, if it has one.
    pub fn actor_name(&self, key: Key) -> Option<Name> {
        self.names.state.lock().by_actor.get(&key).cloned()
    }
}
