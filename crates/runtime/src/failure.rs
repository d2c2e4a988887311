//! Why an object has no value. One failure is shared by all that it spread to.

use std::sync::Arc;
use std::time::Duration;

use crate::layout::reason;
use crate::value::Value;

/// A failure, and the task that it struck first.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) function: u32,
    /// How often that task had been begun before, in vain.
    pub(crate) attempt: u32,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// The task threw; the value is what it threw, encoded.
    Thrown(Value),
    /// The worker died while it ran the task.
    Crashed {
        exit_code: Option<u32>,
        text: String,
    },
    /// No worker could be started.
    Setup { text: String },
    /// Somebody cancelled it, and with it all that it started, or not.
    Cancelled { is_recursive: bool },
    /// Its run took longer than it may.
    TimedOut { limit: Duration },
    /// Somebody freed the object.
    Freed,
    /// Its bytes are lost.
    Lost,
    /// The actor whose call it was has ended, or the actor itself.
    ActorDied {
        reason: Reason,
        text: String,
        /// By its constructor.
        thrown: Option<Value>,
    },
    /// The actor lost its instance, and the call may not be made again.
    ActorUnavailable { text: String },
}

/// Why an actor has ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody killed it.
    Killed,
    /// Its own code did.
    Exited,
    /// Nobody had a handle any more.
    OutOfScope,
    /// Its thread ended.
    Crashed,
    /// Another actor's code ended the thread that they shared.
    Neighbour,
    /// Its constructor threw, or could not be run.
    Constructor,
}

impl Reason {
    /// As JavaScript knows it.
    pub fn number(self) -> u32 {
        match self {
            Reason::Killed => reason::KILLED,
            Reason::Exited => reason::EXITED,
            Reason::OutOfScope => reason::OUT_OF_SCOPE,
            Reason::Crashed => reason::CRASHED,
            Reason::Neighbour => reason::NEIGHBOUR,
            Reason::Constructor => reason::CONSTRUCTOR,
        }
    }
}

impl Kind {
    /// What was thrown, encoded.
    pub(crate) fn thrown(&self) -> Option<&Value> {
        match self {
            Kind::Thrown(value) => Some(value),
            Kind::ActorDied { thrown, .. } => thrown.as_ref(),
            _ => None,
        }
    }

    /// The same, of a failure that nobody has any more.
    pub(crate) fn into_thrown(self) -> Option<Value> {
        match self {
            Kind::Thrown(value) => Some(value),
            Kind::ActorDied { thrown, .. } => thrown,
            _ => None,
        }
    }
}

impl Failure {
    /// Of no task, or of one that was never begun.
    pub(crate) fn shared(function: u32, kind: Kind) -> Arc<Failure> {
        Arc::new(Failure {
            function,
            attempt: 0,
            kind,
        })
    }
}
