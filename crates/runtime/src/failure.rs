//! Why an object has no value. One failure is shared by all that it spread to.

use std::sync::Arc;

use crate::value::Value;

/// A failure and the function of the task that it struck first.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) function: u32,
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
    /// Somebody freed the object.
    Freed,
}

impl Failure {
    pub(crate) fn shared(function: u32, kind: Kind) -> Arc<Failure> {
        Arc::new(Failure { function, kind })
    }
}
