//! `get` and `wait` as entries of the graph: one countdown and one completion however many objects are waited for.

use mobula_sched::{Key, Local, Phase};

use crate::cell::{Body, Waiter};
use crate::faults::{Action, Point, later};
use crate::history::Stamp;
use crate::layout::status;
use crate::runtime::Runtime;

impl Runtime {
    /// Starts a wait under a fresh slot and returns it. It may be over when this returns.
    pub(crate) fn start_wait(
        &self,
        waiter: Waiter,
        on: &[Key],
        arrivals: u32,
        owner: Option<Key>,
    ) -> Key {
        let key = self.table.reserve();
        let ends_on_failure = waiter.ends_on_failure;
        if let Some(owner) = owner {
            let whom = (waiter.mailbox.clone(), waiter.token);
            self.circles.enter(key, (owner, on.to_vec()), whom);
        }
        *self.cell(key).body.lock() = Body::Waiter(waiter);
        let over = self.table.wait_for(key, on, arrivals.min(on.len() as u32));
        let failed = ends_on_failure
            && on
                .iter()
                .any(|key| self.table.phase(*key) == Some(Phase::Failed));
        if failed && (over || self.table.end_wait(key)) {
            self.end(key, status::FAILED);
        } else if over {
            self.end(key, status::READY);
        }
        key
    }

    /// The isolate does not want to wait any longer.
    pub(crate) fn end_wait(&self, key: Key) {
        self.end_wait_as(key, status::ENDED);
    }

    /// Ends a wait that is not over.
    pub(crate) fn end_wait_as(&self, key: Key, how: u32) {
        if self.table.end_wait(key) {
            self.end(key, how);
        }
    }

    /// Somebody's countdown reached zero.
    pub(crate) fn arrived(&self, key: Key, how: u32, local: Option<&mut Local>, now: Stamp) {
        if self.is_waiter(key) {
            self.end(key, how);
        } else {
            self.make_ready(key, local, now);
        }
    }

    /// A waiter's slot is never submitted, so it stays `New`, and a task's is past that before anybody can name it. Its
    /// body alone would not tell: the slot of a task that failed meanwhile may be a waiter's by now.
    fn is_waiter(&self, key: Key) -> bool {
        self.table.phase(key) == Some(Phase::New)
    }

    /// Something that a waiter, or a task that had failed before, waits for failed.
    pub(crate) fn heard_failure(&self, key: Key) {
        if !self.is_waiter(key) {
            return;
        }
        // If the waiter ended in between this may be another's body, but then the countdown refuses the stale key.
        let ends =
            matches!(&*self.cell(key).body.lock(), Body::Waiter(waiter) if waiter.ends_on_failure);
        if ends && self.table.end_wait(key) {
            self.end(key, status::FAILED);
        } else if !ends && self.table.arrive(key) {
            self.end(key, status::READY);
        }
    }

    /// Called once per waiter, by whoever brought its countdown to zero.
    fn end(&self, key: Key, how: u32) {
        let body = std::mem::take(&mut *self.cell(key).body.lock());
        if let Body::Waiter(Waiter { is_owned: true, .. }) = &body {
            self.circles.leave(key);
        }
        self.table.free_many(&[key]);
        if let Body::Waiter(waiter) = body {
            self.tell(waiter, how);
        }
    }

    fn tell(&self, Waiter { mailbox, token, .. }: Waiter, how: u32) {
        match self.config.faults.pass(Point::Completion) {
            None => mailbox.complete(token, how),
            Some(Action::Delay(time)) => later(time, move || mailbox.complete(token, how)),
            Some(_) => mailbox.complete_unheard(token, how),
        }
    }
}
