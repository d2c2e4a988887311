//! What a task submitted while it ran: its children, for those who cancel it with all that it started.

use mobula_sched::{Key, Phase};

use crate::cancel::{Why, Wish};
use crate::cell::Body;
use crate::failure::Kind;
use crate::runtime::Runtime;

/// Children that may still run. Settled ones are dropped whenever the list has doubled, so it is as long as what runs, at most
/// twice.
#[derive(Debug, Default)]
pub(crate) struct Children {
    keys: Vec<Key>,
    /// How many were left when it was last cleaned.
    kept: usize,
}

/// Shorter lists are not worth a look.
const CLEANED_FROM: usize = 16;

impl Children {
    pub(crate) fn into_keys(self) -> Vec<Key> {
        self.keys
    }

    fn push(&mut self, child: Key, is_over: impl Fn(Key) -> bool) {
        if self.keys.len() >= CLEANED_FROM.max(2 * self.kept) {
            self.keys.retain(|key| !is_over(*key));
            self.kept = self.keys.len();
        }
        self.keys.push(child);
    }
}

impl Runtime {
    /// A task was submitted by the code of another, which may have been cancelled with all that it starts.
    pub(crate) fn adopt(&self, parent: Key, child: Key) {
        let is_unwanted = {
            let mut body = self.cell(parent).body.lock();
            // Asked under the lock: a slot that is somebody else's by now was emptied under it before.
            match (self.table.phase(parent), &mut *body) {
                (Some(phase), Body::Task(task)) if !phase.is_settled() => {
                    let children = task.children.get_or_insert_default();
                    children.push(child, |key| self.is_settled(key));
                    false
                }
                (Some(Phase::Failed), Body::Failed(failure)) => match failure.kind {
                    Kind::Cancelled { is_recursive } => is_recursive,
                    Kind::TimedOut { .. } => true,
                    _ => false,
                },
                _ => false,
            }
        };
        if is_unwanted {
            let wish = Wish {
                why: Why::Cancelled,
                is_forced: false,
                is_recursive: true,
            };
            self.cancel(child, wish);
        }
    }
}
