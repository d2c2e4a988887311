//! Actors by name, within a namespace.

use std::collections::HashMap;
use std::sync::Arc;

use mobula_sched::Key;
use mobula_sync::Mutex;

use super::Actor;
use crate::holders;
use crate::port::Port;
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
    entries: Mutex<HashMap<Name, Entry>>,
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
        let Some(name) = &actor.name else { return };
        let mut entries = self.entries.lock();
        if matches!(entries.get(&**name), Some(Entry::Actor(other)) if Arc::ptr_eq(other, actor)) {
            entries.remove(&**name);
        }
    }
}

impl Port {
    /// The actor of this name, to which this isolate has one handle more from now on.
    pub fn find_actor(&mut self, name: &Name) -> Option<Found> {
        let runtime = self.runtime.clone();
        let entries = runtime.names.entries.lock();
        match entries.get(name) {
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

    /// Performs what was written, of which the last record, and no other, creates an actor, under this name. If there is one of that name
    /// it is found instead, and the last record comes to nothing.
    pub fn create_named(&mut self, area: &mut [u8], name: Name) -> Option<Found> {
        let runtime = self.runtime.clone();
        let found = loop {
            let mut entries = runtime.names.entries.lock();
            match entries.get(&name) {
                // Between two steps of native code.
                Some(Entry::Reserved) => {
                    drop(entries);
                    std::thread::yield_now();
                }
                Some(Entry::Actor(actor)) => {
                    if let Some(found) = self.hold(actor) {
                        break Some(found);
                    }
                    entries.insert(name.clone(), Entry::Reserved);
                    break None;
                }
                None => {
                    entries.insert(name.clone(), Entry::Reserved);
                    break None;
                }
            }
        };
        self.creates_in_vain = found.is_some();
        self.naming = found.is_none().then(|| Arc::new(name.clone()));
        self.flush(area);
        self.creates_in_vain = false;
        if found.is_some() {
            return found;
        }
        let mut entries = runtime.names.entries.lock();
        match self.created.take() {
            // It may have ended in these very records.
            Some(actor) if !actor.is_dead() => {
                entries.insert(name, Entry::Actor(actor));
            }
            _ => {
                entries.remove(&name);
            }
        }
        None
    }
}

impl Runtime {
    /// The name that an actor was given, if it has not ended.
    pub fn actor_name(&self, key: Key) -> Option<Arc<Name>> {
        self.actor(key)?.name.clone()
    }
}
