//! An actor loses its instance, with its thread or without: it is made anew as often as it may be.

use std::sync::Arc;

use mobula_sched::{Key, Phase};

use super::end::died;
use super::{Actor, Begins, Life, Stage};
use crate::failure::{Kind, Reason};
use crate::history::{Outcome, Run};
use crate::port::Seat;
use crate::refs::KeySet;
use crate::runtime::Runtime;

impl Runtime {
    /// The instance of an actor is gone, for this reason, if it was at this place (`None`: wherever it is). It is made anew, if it may
    /// be; else the actor ends. Calls that had begun are made again as often as they may be; those that had not wait if they may be made
    /// again at all, and come to nothing if not: the state that they were meant for is gone.
    ///
    /// An actor whose constructor had not begun has lost nothing but its place.
    pub(super) fn lose(&self, actor: &Arc<Actor>, kind: Kind, at: Option<usize>) {
        let restarts_max = actor.terms().map_or(0, |terms| terms.restarts);
        let (place, constructs, refused, handed) = {
            let mut state = actor.state.lock();
            let place = state.life.place();
            let Some(place) = place.filter(|place| at.is_none_or(|at| at == *place)) else {
                return;
            };
            let begins = self.begins_at(&state.life, actor.key);
            if begins != Begins::Not && state.restarts >= restarts_max {
                drop(state);
                return self.end_actor(actor, kind);
            }
            if begins != Begins::Not {
                self.note_gone(actor, &mut state, Stage::Lost, &kind);
            }
            state.life = Life::Unplaced;
            state.is_scheduled = false;
            let mut refused = Vec::new();
            if begins != Begins::Not {
                state.restarts += 1;
                // Calls that were made before there ever was an instance wait for one.
                refused = state.calls.queued();
                refused.retain(|key| state.was_alive && !self.is_retried(*key));
                let refused: KeySet = refused.iter().copied().collect();
                state.calls.retain(|key| !refused.contains(&key));
            }
            // From here on what they come to there counts nothing.
            (place, begins, refused, state.calls.leave())
        };
        for key in refused {
            let failure = self.unavailable(actor, key);
            self.fail(key, failure);
        }
        let (unbegun, mut begun): (Vec<Key>, Vec<Key>) = handed
            .into_iter()
            .partition(|key| self.takes_back(Some(place), *key));
        begun.extend((constructs == Begins::Now).then_some(actor.key));
        self.stop_instance(actor, place, &begun);
        for key in unbegun {
            self.make_again(actor, key, false);
        }
        for key in begun.into_iter().filter(|key| *key != actor.key) {
            self.make_again(actor, key, true);
        }
        self.hosts.forget(actor);
        self.pool.withdraw(actor.key);
        // The constructor is queued once more.
        if constructs != Begins::Not {
            self.count_restart(actor.key);
        }
        if self.is_ready_again(actor.key) || self.table.phase(actor.key) == Some(Phase::Ready) {
            self.place(actor);
        }
    }

    /// A call that was handed out to an instance that is gone.
    fn make_again(&self, actor: &Arc<Actor>, key: Key, had_begun: bool) {
        let note = |run: Run| self.note_end(key, run);
        let is_queued = match had_begun {
            true => self.run_again((key, Some(actor)), Outcome::Died, note),
            false => self.is_retried(key) && self.has_turn_again(actor, key),
        };
        if !is_queued {
            let failure = self.unavailable(actor, key);
            self.fail(key, failure);
            self.let_linger_no_more(key);
            self.call_ended(actor, key);
        }
    }

    /// A call that nobody else sees to, since its instance is gone or it was answered, has its turn again. False: it was settled meanwhile.
    pub(crate) fn has_turn_again(&self, actor: &Arc<Actor>, key: Key) -> bool {
        // Under the lock: who settles it after this finds it queued.
        self.change(actor, |state| {
            self.is_ready_again(key) && state.calls.come_back(key)
        })
    }

    /// The thread of a seat has ended, and with it all instances that were there. False: it ran no actors, but tasks.
    pub(crate) fn lose_actors(&self, seat: &mut Seat, text: &str) -> bool {
        let Some(host) = seat.host.take() else {
            return false;
        };
        // What was begun last is what ran, if it did not go on after that.
        let latest = seat.claims.begun().pop();
        let culprit = latest.and_then(|key| host.handed.get(&key));
        let culprit = culprit.map(|handed| &handed.actor);
        self.lose_all_of(seat.place, culprit, |is_culprit| {
            died(
                match is_culprit {
                    true => Reason::Crashed,
                    false => Reason::Neighbour,
                },
                text.to_owned(),
            )
        });
        for (key, handed) in &host.handed {
            if self.not_run(&handed.actor, *key, seat.place) {
                self.let_linger_no_more(*key);
            }
        }
        // Tasks that were run inside of waits are left.
        seat.in_flight.retain(|key| !host.handed.contains_key(key));
        if seat.holder.is_blocked {
            self.blocked.leave(seat.place);
        }
        self.pool.hosts_less(&mut seat.holder);
        true
    }

    /// A thread has ended, and with it the instances that were there. `culprit`: whose code ended it, if that is known; to the others it
    /// happened.
    fn lose_all_of(&self, place: usize, culprit: Option<&Arc<Actor>>, why: impl Fn(bool) -> Kind) {
        for actor in self.hosts.close(place) {
            let is_culprit = culprit.is_none_or(|culprit| Arc::ptr_eq(culprit, &actor));
            self.lose(&actor, why(is_culprit), Some(place));
        }
    }
}
