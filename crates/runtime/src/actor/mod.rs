//! Actors: objects that live on a worker thread and whose methods are called from anywhere.
//!
//! An actor's slot in the table is its constructor, a task that is kept for as long as the actor lives, arguments and all, so that it can
//! run again. Its handles are holders of that slot. Calls are tasks, too; they wait with their actor (`calls`) instead of in the queues,
//! and run on its thread (`hosts`).
//!
//! ```text
//!  waiting ──▶ unplaced ──▶ starting ──▶ alive ──▶ dead
//!  (arguments) (a thread,   (constructor)  │        ▲
//!                 resources)  ▲            │        │ killed, exited, out of scope, no restarts left
//!                   ╰─────────┴── crash ◀──╯ ───────╯
//! ```
//!
//! Locks are taken in this order, and released in any: those who block (`deadlock`), the waits (`circle`) or the names, an actor's state, then one of these, each
//! by itself: a cell's body, the placement, an inbox, the members, a thread's claims, the functions. Under the placement's nothing is taken.
//! A mailbox's is taken with none of these held, and the pool's with that of those who block at most.
//!
//! What an actor comes to is decided under its lock, by where it is: a report that names another place, or a place that it has not got any
//! more, counts nothing; nor does one of an earlier birth at the same place, which its thread knows without a look (`hosts`). What follows from a decision is done after it, without the lock: so whoever does it asks again, or leaves behind
//! what is found to be stale and dropped (an inbox's entry, a turn of a call that was settled).

mod calls;
mod crash;
mod end;
mod hosts;
mod instances;
#[cfg(all(test, loom))]
mod loom_tests;
mod names;
mod nest;
mod place;
mod poor;
mod post;
mod round;

use std::sync::Arc;

use mobula_sched::Key;
use mobula_sync::atomic::{AtomicU32, Ordering};
use mobula_sync::{CachePadded, Mutex};

pub(crate) use calls::{Call, Caller, Calls};
pub(crate) use hosts::{Host, Hosts};
pub use instances::{Instance, Stage};
pub(crate) use names::Names;
pub use names::{Found, Name};
pub use poor::Poor;

use crate::cell::{Body, Task};
use crate::failure::Failure;
use crate::functions::{ActorTerms, Definition};
use crate::history::Stamp;
use crate::runtime::Runtime;

/// What a task is to an actor.
#[derive(Debug, Clone)]
pub(crate) enum Bound {
    /// It makes the instance.
    Constructor(Arc<Actor>),
    /// It calls a method.
    Call {
        actor: Arc<Actor>,
        caller: Caller,
        group: u32,
    },
}

#[derive(Debug)]
pub(crate) struct Actor {
    /// Its slot, which is its constructor's.
    pub(crate) key: Key,
    /// The public id, in four words.
    pub(crate) id: [u32; 4],
    /// The number of its class.
    pub(crate) class: u32,
    /// If it was given one.
    pub(crate) name: Option<Arc<Name>>,
    pub(crate) definition: Arc<Definition>,
    /// On lines of its own: callers count references to the actor while its thread is at this.
    state: CachePadded<Mutex<State>>,
    /// Calls that have not been settled, if there may be so many only.
    pending: AtomicU32,
    /// How often it was seen to wait for resources.
    poor_looks: AtomicU32,
}

#[derive(Debug)]
struct State {
    life: Life,
    calls: Calls,
    /// It is in its thread's inbox.
    is_scheduled: bool,
    /// How often its constructor has run in vain, or its instance was lost.
    restarts: u32,
    /// When it was created, or lost its instance.
    wanted: Stamp,
    /// When it had an instance; 0: it has none.
    alive: Stamp,
    /// It has had an instance: what calls are meant for may be lost.
    was_alive: bool,
    /// Nobody has a handle any more.
    is_out_of_scope: bool,
    /// It is dead, and its constructor's code runs on.
    is_constructing: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Life {
    /// Arguments of its constructor are not there yet.
    Waiting,
    /// It has no thread yet.
    Unplaced,
    /// It has one, at this place; the constructor has begun or not.
    Starting {
        place: usize,
        has_begun: bool,
    },
    Alive {
        place: usize,
    },
    /// What its calls come to.
    Dead(Arc<Failure>),
}

/// How far an actor that has a place has come with its constructor there.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Begins {
    /// It has not begun, and will not from now on.
    Not,
    /// Its code runs, or is about to.
    Now,
    /// It has ended.
    Over,
}

impl Life {
    fn place(&self) -> Option<usize> {
        match self {
            Life::Starting { place, .. } | Life::Alive { place } => Some(*place),
            _ => None,
        }
    }

    /// Its constructor was handed out at this place.
    fn constructs_at(&self, at: usize) -> bool {
        matches!(self, Life::Starting { place, has_begun: true } if *place == at)
    }
}

/// A class that says nothing else: as Ray does it. It is set anew when the class is there.
const LIMIT_AT_FIRST: u32 = 1;

impl State {
    fn is_dead(&self) -> bool {
        matches!(self.life, Life::Dead(_))
    }

    /// Which of its births it is that it has an instance by, or is to have. No two of which code goes on have the same number.
    fn birth(&self) -> u32 {
        self.restarts.saturating_add(1)
    }
}

impl Actor {
    pub(crate) fn new(
        Found { key, id, class }: Found,
        name: Option<Arc<Name>>,
        definition: Arc<Definition>,
    ) -> Arc<Self> {
        let terms = definition.terms.actor.clone().unwrap_or_default();
        let first = match terms.concurrency {
            0 => LIMIT_AT_FIRST,
            limit => limit,
        };
        let limits = std::iter::once(first).chain(terms.groups);
        Arc::new(Self {
            key,
            id,
            class,
            name,
            state: CachePadded::new(Mutex::new(State {
                life: Life::Waiting,
                calls: Calls::new(limits, terms.in_order),
                is_scheduled: false,
                restarts: 0,
                wanted: 0,
                alive: 0,
                was_alive: false,
                is_out_of_scope: false,
                is_constructing: false,
            })),
            definition,
            pending: AtomicU32::new(0),
            poor_looks: AtomicU32::new(0),
        })
    }

    pub(crate) fn terms(&self) -> Option<&ActorTerms> {
        self.definition.terms.actor.as_ref()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.lock().is_dead()
    }

    /// So many of its calls may go on at once: what its class says, unless its terms do.
    pub(crate) fn set_limit(&self, limit: u32) {
        if self.terms().is_none_or(|terms| terms.concurrency == 0) {
            self.state.lock().calls.set_limit(limit);
        }
    }

    fn pending_max(&self) -> Option<u32> {
        self.terms().and_then(|terms| terms.pending_max)
    }

    /// How many more calls may be made. Who asks at the same time may be told the same.
    pub(crate) fn room(&self) -> u32 {
        self.pending_max().map_or(u32::MAX, |max| {
            max.saturating_sub(self.pending.load(Ordering::Relaxed))
        })
    }

    /// It enters: from now on others may know of it.
    pub(crate) fn enters(&self, now: Stamp) {
        self.state.lock().wanted = now;
    }

    /// One call more that has not been settled.
    pub(crate) fn began_pending(&self) {
        if self.pending_max().is_some() {
            self.pending.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call was settled.
    pub(crate) fn ended_pending(&self) {
        if self.pending_max().is_some() {
            self.pending.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Runtime {
    /// The actor whose slot this is, while it has not ended.
    pub(crate) fn actor(&self, key: Key) -> Option<Arc<Actor>> {
        self.table.phase(key)?;
        match &*self.cell(key).body.lock() {
            Body::Task(task) => match task.bound.as_deref() {
                Some(Bound::Constructor(actor)) if actor.key == key => Some(actor.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// What a task that is not settled is to an actor.
    pub(crate) fn bound(&self, key: Key) -> Option<Bound> {
        self.table.phase(key)?;
        match &*self.cell(key).body.lock() {
            Body::Task(Task { bound, .. }) => bound.as_deref().cloned(),
            _ => None,
        }
    }

    /// Nobody but the actor itself has a handle to it, or it has ended.
    pub(crate) fn is_unheld(&self, key: Key) -> bool {
        self.actor(key)
            .is_none_or(|actor| actor.state.lock().is_out_of_scope)
    }

    /// How many more calls of an actor may be made; what is no actor any more says so by itself.
    pub(crate) fn room_for_calls(&self, key: Key) -> u32 {
        self.actor(key).map_or(u32::MAX, |actor| actor.room())
    }
}
