//! Why an object has no value. One failure is shared by all that it spread to.

use std::sync::Arc;
use std::time::Duration;

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
