//! What a slot of the table stands for: a task, a wait, a value or a failure, and how many hold it.

use mobula_sync::atomic::{AtomicU32, AtomicU64};
use std::sync::Arc;

use mobula_sched::Key;
use mobula_sync::Mutex;

use crate::actor::Bound;
use crate::children::Children;
use crate::failure::Failure;
use crate::history::Stamp;
use crate::layout::DEPS_CARRIED_MAX;
use crate::mailbox::Mailbox;
use crate::returns::Returns;
use crate::value::{RefEntry, Value, Which};

/// The runtime's half of a slot; the scheduler has the other.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    /// Holders: one per isolate with a handle, one per value or pending argument it lies in, one for an unfinished task. With the bit
    /// `ACTOR` for an actor that has not ended.
    pub(crate) holders: AtomicU32,
    /// The task's function, which says where it waits when it is ready. Written with the task, before anybody else knows of it.
    pub(crate) function: AtomicU32,
    /// The place of the worker that the task was last handed to.
    pub(crate) place: AtomicU32,
    /// When the task was queued.
    pub(crate) ready: AtomicU64,
    /// When it was last handed out.
    pub(crate) handed: AtomicU64,
    pub(crate) body: Mutex<Body>,
}

#[derive(Debug, Default)]
pub(crate) enum Body {
    #[default]
    Vacant,
    Task(Task),
    /// A further return of this task, which has not ended, or the slot of an item that it has not yielded yet.
    Return(Key),
    Waiter(Waiter),
    /// Of a task that lingers: its further returns, on the way to their end. In no cell.
    Struck(Vec<Key>),
    Value(Value),
    /// In place of an item: the stream is over.
    End,
    Failed(Arc<Failure>),
}

impl Body {
    /// The bytes that are meant, and the deps before them.
    pub(crate) fn value(&self, which: Which) -> Option<(&[RefEntry], &Value)> {
        match (self, which) {
            (Body::Task(task), Which::Arguments) => Some((&task.deps, &task.arguments)),
            (Body::Value(value), Which::Value) => Some((&[], value)),
            (Body::Failed(failure), Which::Value) => Some((&[], failure.kind.thrown()?)),
            _ => None,
        }
    }
}

/// A task that is not settled.
#[derive(Debug)]
pub(crate) struct Task {
    /// The public id, in four words.
    pub(crate) id: [u32; 4],
    pub(crate) function: u32,
    pub(crate) arguments: Value,
    /// What its function brings along. The task has a hold of it from the start on.
    pub(crate) brought: Option<RefEntry>,
    /// Top-level refs among the arguments: resolved before it starts.
    pub(crate) deps: Box<[RefEntry]>,
    /// Seldom there.
    pub(crate) returns: Option<Box<Returns>>,
    /// How often it was begun before, in vain.
    pub(crate) attempt: u32,
    pub(crate) submitted: Stamp,
    /// What it submitted; seldom there.
    pub(crate) children: Option<Box<Children>>,
    /// What it is to an actor, if anything.
    pub(crate) bound: Option<Box<Bound>>,
}

impl Task {
    /// The deps whose values its record may carry: all of them, or none where they are many.
    pub(crate) fn few_deps(&self) -> [Option<Key>; DEPS_CARRIED_MAX] {
        let are_few = self.deps.len() <= DEPS_CARRIED_MAX;
        std::array::from_fn(|k| self.deps.get(k).filter(|_| are_few).map(|dep| dep.key))
    }
}

/// A `get` or `wait` of some isolate.
#[derive(Debug, Clone)]
pub(crate) struct Waiter {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) token: u32,
    /// `get` ends with the first failure; for `wait` a failure is an arrival like others.
    pub(crate) ends_on_failure: bool,
    /// It is known whose code waits.
    pub(crate) is_owned: bool,
}
