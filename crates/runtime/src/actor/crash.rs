//! An actor loses its instance, with its thread or without: it is made anew as often as it may be.

use std::sync::Arc;

use mobula_sched::{Key, Phase};

use super::end::died;
use super::{Actor, Life};
use crate::failure::{Kind, Reason};
use crate::history::{Outcome, Run};
use crate::port::Seat;
use crate::runtime::Runtime;

impl Runtime {
    /// The instance of an actor is gone, for this reason. It is made anew, if it may be; else the actor ends. Calls that had begun
    /// are made again as often as they may be; those that had not wait if they may be made again at all, and come to nothing if not:
    /// the state that they were meant for is gone.
    pub(super) fn lose(&self, actor: &Arc<Actor>, kind: Kind) {
        let restarts_max = actor.terms().map_or(0, |terms| terms.restarts);
        let (place, queued, handed) = {
            let mut state = actor.state.lock();
            let place = match state.life {
                Life::Dead(_) => return,
                Life::Waiting | Life::Unplaced => return,
                Life::Starting { place, .. } | Life::Alive { place } => place,
            };
            if state.restarts >= restarts_max {
                drop(state);
                return self.end_actor(actor, kind);
            }
            state.restarts += 1;
            state.life = Life::Unplaced;
            state.is_scheduled = false;
            let (queued, handed) = (state.calls.queued(), state.calls.handed());
            let refused: Vec<Key> = queued
                .into_iter()
                .filter(|key| state.was_alive && !self.is_retried(*key))
                .collect();
            state.calls.retain(|key| !refused.contains(&key));
            (place, refused, handed)
        };
        for key in queued {
            let failure = self.unavailable(actor, key);
            self.fail(key, failure);
        }
        let (unbegun, begun): (Vec<Key>, Vec<Key>) = handed
            .into_iter()
            .partition(|key| self.takes_back(Some(place), *key));
        self.stop_instance(actor, place, &begun);
        for key in unbegun {
            self.make_again(actor, key, false);
        }
        for key in begun {
            self.make_again(actor, key, true);
        }
        self.hosts.forget(actor);
        self.pool.withdraw(actor.key);
        // The constructor is queued once more.
        self.count_restart(actor.key);
        let is_ready = [Phase::Running, Phase::Offered, Phase::Ready]
            .into_iter()
            .any(|phase| self.table.advance(actor.key, phase, Phase::Ready));
        if is_ready {
            self.place(actor);
        }
    }

    /// A call that was handed out to an instance that is gone.
    fn make_again(&self, actor: &Arc<Actor>, key: Key, had_begun: bool) {
        let note = |run: Run| self.note_end(key, run);
        let is_queued = match had_begun {
            true => self.run_again(key, Outcome::Died, note),
            false => {
                let is_kept =
                    self.is_retried(key) && self.table.advance(key, Phase::Offered, Phase::Ready);
                if is_kept {
                    self.post(key);
                }
                is_kept
            }
        };
        if !is_queued {
            let failure = self.unavailable(actor, key);
            self.fail(key, failure);
            self.let_linger_no_more(key);
            self.change(actor, |state| state.calls.end(key));
        }
    }

    /// The thread of a seat has ended, and with it all instances that were there.
    pub(crate) fn lose_actors(&self, seat: &mut Seat, text: &str) {
        let Some(host) = seat.host.take() else { return };
        // What was begun last is what ran, if it did not go on after that.
        let latest = seat.claims.begun().pop();
        let culprit = latest.and_then(|key| host.handed.get(&key));
        self.lose_all_of(seat.place, culprit, |is_culprit| {
            died(
                match is_culprit {
                    true => Reason::Crashed,
                    false => Reason::Neighbour,
                },
                text.to_owned(),
            )
        });
        for key in host.handed.keys() {
            self.let_linger_no_more(*key);
        }
        if seat.holder.is_blocked {
            self.blocked.leave(seat.place);
        }
        self.pool.hosts_less(&mut seat.holder);
    }

    /// A thread has ended, and with it the instances that were there. `culprit`: whose code ended it, if that is known; to the others it
    /// happened.
    fn lose_all_of(&self, place: usize, culprit: Option<&Arc<Actor>>, why: impl Fn(bool) -> Kind) {
        for actor in self.hosts.close(place) {
            let is_culprit = culprit.is_none_or(|culprit| Arc::ptr_eq(culprit, &actor));
            self.lose(&actor, why(is_culprit));
        }
    }
}
