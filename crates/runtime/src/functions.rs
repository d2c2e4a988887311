//! The functions of a runtime: a record each, made once, read by every worker that first meets it.

use std::collections::HashMap;

use std::sync::Arc;
use std::time::Duration;

use mobula_sched::Slab;
use mobula_sync::Mutex;
use mobula_sync::atomic::{AtomicBool, Ordering};

use crate::lines::{COMMON, COMMON_ASYNC, NOWHERE, OF_ACTOR};
use crate::resources::Demand;

/// What a worker needs to make a function. The fields are for the workers' JavaScript; nothing here looks into them.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
pub struct Function {
    /// Shown in errors.
    pub name: String,
    /// The record, as text that the workers understand.
    pub source: String,
}

/// On what terms calls of a function run.
#[derive(Debug, PartialEq, Eq, Hash, Clone, Default)]
pub struct Terms {
    /// What each needs.
    pub demand: Demand,
    /// Higher first.
    pub priority: i8,
    /// How many objects each returns. Workers see to it.
    pub returns: u32,
    /// How often each may be run again; `u32::MAX`: for ever.
    pub retries: u32,
    /// How long one run of each may take.
    pub limit: Option<Duration>,
    /// More, for the workers' JavaScript; nothing here looks into it.
    pub notes: String,
    /// It is a class, whose calls make actors.
    pub actor: Option<ActorTerms>,
    /// It is a method, whose calls go to an actor.
    pub is_method: bool,
    /// It is a generator: so many of its items at most are there that nobody has taken.
    pub stream: Option<u32>,
}

/// On what terms the actors of a class live.
#[derive(Debug, PartialEq, Eq, Hash, Clone, Default)]
pub struct ActorTerms {
    /// How often each may be made again after it lost its instance; `u32::MAX`: for ever.
    pub restarts: u32,
    /// Calls that may go on at once; 0: as its class says, once that is there.
    pub concurrency: u32,
    /// The same for each group of methods.
    pub groups: Vec<u32>,
    /// Calls of one caller begin in the order in which they were made.
    pub in_order: bool,
    /// Calls that may be made and not have ended.
    pub pending_max: Option<u32>,
    /// Each has a thread to itself.
    pub is_own: bool,
    /// That thread is started for it, since it has limits of its own, and ends with it.
    pub is_single: bool,
    /// They live until somebody kills them.
    pub is_detached: bool,
}

/// A function and the terms on which it is called.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
pub struct Definition {
    /// What it does.
    pub function: Function,
    /// What it needs.
    pub terms: Terms,
}

/// What became of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defined {
    /// Names it in records.
    pub id: u32,
    /// It needs more than there is, and is the first one to need just that: somebody should be told.
    pub is_first_beyond: bool,
}

/// This bit of an id says that calls are not common: they need other than one CPU, or have a priority.
const SPECIAL: u32 = 1 << 30;
/// This one that runs have a time limit.
const TIMED: u32 = 1 << 29;
/// This one that calls do not wait in a line: they are an actor's.
const BOUND: u32 = 1 << 28;
/// This one that calls give their items one by one.
const STREAM: u32 = 1 << 27;
/// The rest of it.
const NUMBER: u32 = STREAM - 1;

/// Whether calls of the function with this id make an actor, or are an actor's.
pub(crate) fn is_bound(id: u32) -> bool {
    id != u32::MAX && id & BOUND != 0
}

/// Whether runs of the function with this id have a time limit.
pub(crate) fn is_timed(id: u32) -> bool {
    id != u32::MAX && id & TIMED != 0
}

/// Whether calls of the function with this id are streams.
pub(crate) fn is_stream(id: u32) -> bool {
    id != u32::MAX && id & STREAM != 0
}

/// All definitions, by id. Equal ones share an id.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    state: Mutex<State>,
    /// By number: those that are known to be async. Read for each task that is queued, so without a lock.
    are_async: Slab<AtomicBool>,
}

#[derive(Debug, Default)]
struct State {
    by_id: Vec<(Arc<Definition>, u32)>,
    ids: HashMap<Arc<Definition>, u32>,
    /// The first definition of each source.
    sources: HashMap<String, u32>,
}

impl Functions {
    pub(crate) fn find(&self, definition: &Definition) -> Option<u32> {
        self.state.lock().ids.get(definition).copied()
    }

    /// Calls of it wait in this line. True if it is the first that needs so much.
    pub(crate) fn define(&self, definition: Definition, line: u32) -> Defined {
        let mut state = self.state.lock();
        if let Some(&id) = state.ids.get(&definition) {
            // Another thread was faster.
            return Defined {
                id,
                is_first_beyond: false,
            };
        }
        let same_demand =
            |(other, _): &(Arc<Definition>, u32)| other.terms.demand == definition.terms.demand;
        let is_first_beyond = line == NOWHERE && !state.by_id.iter().any(same_demand);
        let is_timed = definition.terms.limit.is_some();
        let number = state.by_id.len() as u32;
        let is_bound = definition.terms.actor.is_some() || definition.terms.is_method;
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        let is_stream = definition.terms.stream.is_some();
        let id = number
            | bit(line != COMMON, SPECIAL)
            | bit(is_timed, TIMED)
            | bit(is_bound, BOUND)
            | bit(is_stream, STREAM);
        let source = definition.function.source.clone();
        state.sources.entry(source).or_insert(id);
        let definition = Arc::new(definition);
        state.by_id.push((definition.clone(), line));
        state.ids.insert(definition, id);
        Defined {
            id,
            is_first_beyond,
        }
    }

    pub(crate) fn get(&self, id: u32) -> Option<Arc<Definition>> {
        let state = self.state.lock();
        let (definition, _) = state.by_id.get((id & NUMBER) as usize)?;
        Some(definition.clone())
    }

    /// The first definition that has the same source.
    pub(crate) fn first_of_source(&self, definition: &Definition) -> Option<u32> {
        let state = self.state.lock();
        state.sources.get(&definition.function.source).copied()
    }

    pub(crate) fn is_async(&self, id: u32) -> bool {
        let known = self.are_async.get(id & NUMBER);
        known.is_some_and(|known| known.load(Ordering::Relaxed))
    }

    /// From now on calls of it wait in this line, unless they are common. False if it was known.
    pub(crate) fn note_async(&self, id: u32, line: impl FnOnce(&Terms) -> Option<u32>) -> bool {
        if self.is_async(id) {
            return false;
        }
        let Some(definition) = self.get(id) else {
            return false;
        };
        // Outside of the lock: lines have one of their own.
        let line = line(&definition.terms);
        let mut state = self.state.lock();
        if let (Some(entry), Some(line)) = (state.by_id.get_mut((id & NUMBER) as usize), line)
            && entry.1 != NOWHERE
        {
            entry.1 = line;
        }
        let known = self.are_async.at(id & NUMBER);
        !known.swap(true, Ordering::Relaxed)
    }

    /// Where calls of it wait.
    pub(crate) fn line(&self, id: u32) -> u32 {
        if is_bound(id) {
            return OF_ACTOR;
        }
        if id & SPECIAL == 0 {
            return if self.is_async(id) {
                COMMON_ASYNC
            } else {
                COMMON
            };
        }
        let state = self.state.lock();
        let special = state.by_id.get((id & NUMBER) as usize);
        special.map_or(COMMON, |(_, line)| *line)
    }
}
