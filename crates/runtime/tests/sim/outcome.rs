//! What others see of a task.

use mobula_runtime::layout::status;
use mobula_sched::Key;

use crate::Sim;
use crate::support::isolate::Isolate;
use crate::support::record::Outcome;
use crate::task::bytes_of;
use crate::time::limit;

impl Sim {
    /// True if this outcome is one that the task may have.
    pub(crate) fn check_outcome(&self, task: usize, outcome: &Outcome) -> bool {
        let of = &self.tasks[task];
        let own = match outcome {
            // Its result may be written and not handed in.
            Outcome::Pending => !of.crashed && of.cancelled.is_none(),
            Outcome::Cancelled => of.cancelled.is_some() || of.is_doomed,
            Outcome::TimedOut { ms } => of.is_late && u128::from(*ms) == limit().as_millis(),
            // What comes late is dropped.
            _ if of.cancelled.is_some() => false,
            Outcome::Value { bytes, .. } => {
                of.has_result && !of.threw && *bytes == bytes_of(task, of.plan.size)
            }
            Outcome::Thrown { bytes, .. } => {
                of.has_result && of.threw && *bytes == bytes_of(task, of.plan.size)
            }
            Outcome::Crashed { exit_code, text } => {
                of.crashed && *exit_code == Some(7) && text == "died"
            }
            _ => false,
        };
        // A failure of what it depends on, whichever came first.
        own || (is_failure(outcome) && of.deps.iter().any(|dep| self.check_outcome(*dep, outcome)))
    }

    /// Looks at some objects through an isolate that holds them; returns the handles that their values brought.
    pub(crate) fn fetch(&self, isolate: &mut Isolate, keys: &[Key]) -> (Vec<Outcome>, Vec<Key>) {
        let outcomes = isolate.fetch(keys);
        let mut fresh = Vec::new();
        for (key, outcome) in keys.iter().zip(&outcomes) {
            let task = self.ids[key];
            assert!(
                self.check_outcome(task, outcome),
                "task {task} {:?} came out as {outcome:?}",
                self.tasks[task]
            );
            if let Outcome::Value { refs, .. } | Outcome::Thrown { refs, .. } = outcome {
                fresh.extend_from_slice(refs);
            }
        }
        (outcomes, fresh)
    }

    pub(crate) fn check_wait(&self, outcomes: &[Outcome], count: Option<u32>, how: u32) {
        let settled = outcomes
            .iter()
            .filter(|outcome| **outcome != Outcome::Pending)
            .count();
        let failed = outcomes.iter().any(is_failure);
        match (how, count) {
            (status::READY, None) => assert!(settled == outcomes.len() && !failed, "{outcomes:?}"),
            (status::READY, Some(count)) => assert!(settled as u32 >= count, "{outcomes:?}"),
            (status::FAILED, None) => assert!(failed, "{outcomes:?}"),
            other => panic!("a wait ended with {other:?}"),
        }
    }
}

pub(crate) fn is_failure(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Thrown { .. }
            | Outcome::Crashed { .. }
            | Outcome::Cancelled
            | Outcome::TimedOut { .. }
    )
}
