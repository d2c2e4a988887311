//! An actor ends: nobody has a handle any more, somebody kills it, it exits, or it cannot go on.

use std::sync::Arc;
use std::time::Duration;

use mobula_sched::{Key, Phase};
use mobula_sync::atomic::Ordering;

use super::{ACTOR, Actor, Life};
use crate::failure::{Failure, Kind, Reason};
use crate::runtime::Runtime;

/// So long code of an actor is given to end that has its thread to itself.
const GRACE: Duration = Duration::from_millis(10);
/// The same if other actors would go with the thread.
const GRACE_ON_SHARED: Duration = Duration::from_secs(1);

impl Runtime {
    /// The last handle of an actor is gone: it ends when its calls have ended.
    pub(crate) fn out_of_scope(&self, key: Key) {
        let Some(actor) = self.actor(key) else { return };
        if actor.terms().is_some_and(|terms| terms.is_detached) {
            return;
        }
        let is_over = {
            let mut state = actor.state.lock();
            state.is_out_of_scope = true;
            state.is_over()
        };
        if is_over {
            self.end_if_idle(&actor);
        }
    }

    /// Ends an actor that nobody has a handle to and that has nothing to do, unless its own code took a handle meanwhile.
    pub(super) fn end_if_idle(&self, actor: &Arc<Actor>) {
        let holders = &self.cell(actor.key).holders;
        {
            let mut state = actor.state.lock();
            if !state.is_over() {
                return;
            }
            // From here on nobody can have one: `find_actor` asks for the bit.
            let is_last = holders.compare_exchange(
                ACTOR | 1,
                1,
                // With the one in `release`: what the last handle's holder did was before.
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if is_last.is_err() {
                state.is_out_of_scope = false;
                return;
            }
        }
        self.end_actor(actor, died(Reason::OutOfScope, String::new()));
    }

    /// Somebody wants an actor to end now, whatever it does. It is made anew after that, if it may be.
    pub fn kill(&self, key: Key, no_restart: bool) {
        let Some(actor) = self.actor(key) else { return };
        if no_restart {
            self.end_actor(&actor, died(Reason::Killed, String::new()));
        } else {
            self.lose(&actor, died(Reason::Killed, String::new()));
        }
        self.ask_for_workers();
    }

    /// An actor's own code wants it to end.
    pub(crate) fn exit_actor(&self, key: Key) {
        if let Some(actor) = self.actor(key) {
            self.end_actor(&actor, died(Reason::Exited, String::new()));
            self.ask_for_workers();
        }
    }

    /// The actor is dead from now on, and so are all its calls. What its code still comes to is dropped.
    pub(super) fn end_actor(&self, actor: &Arc<Actor>, kind: Kind) {
        if let Some(value) = kind.thrown() {
            self.retain_all(&value.refs);
        }
        self.end_actor_by(actor, Failure::shared(actor.class, kind));
    }

    /// The constructor of an actor cannot be run: its calls come to the same.
    pub(crate) fn not_constructed(&self, actor: &Arc<Actor>, failure: &Arc<Failure>) {
        self.end_actor_by(actor, failure.clone());
    }

    fn end_actor_by(&self, actor: &Arc<Actor>, failure: Arc<Failure>) {
        let (place, queued, handed) = {
            let mut state = actor.state.lock();
            if state.is_dead() {
                drop(state);
                return self.let_go(failure);
            }
            let place = state.life.place();
            state.life = Life::Dead(failure.clone());
            let queued = state.calls.queued();
            state.calls.retain(|_| false);
            (place, queued, state.calls.handed())
        };
        self.names.remove(actor);
        self.cell(actor.key)
            .holders
            .fetch_and(!ACTOR, Ordering::AcqRel);
        for key in queued {
            self.fail_of_actor(key, failure.clone(), false);
        }
        for key in &handed {
            self.fail_of_actor(*key, failure.clone(), true);
        }
        let (unbegun, begun): (Vec<Key>, Vec<Key>) = handed
            .into_iter()
            .partition(|key| self.takes_back(place, *key));
        for key in unbegun {
            self.let_linger_no_more(key);
            self.call_ended(actor, key);
        }
        if let Some(place) = place {
            self.stop_instance(actor, place, &begun);
        }
        if begun.is_empty() {
            self.pool.withdraw(actor.key);
        }
        self.hosts.forget(actor);
        // Last: with its slot go the arguments of the constructor, and its own hold on itself.
        self.fail_of_actor(actor.key, failure, false);
    }

    fn fail_of_actor(&self, key: Key, failure: Arc<Failure>, lingers: bool) {
        self.spread(key, failure, lingers, |run| self.note_end(key, run));
    }

    /// Takes a call back from a thread that has not begun it.
    pub(super) fn takes_back(&self, place: Option<usize>, key: Key) -> bool {
        let member = place.and_then(|place| self.member(place));
        member.is_some_and(|member| member.claims.take_one(key))
    }

    /// Tells the thread of an actor that its instance is nobody's any more, and sees that code of these calls ends.
    pub(super) fn stop_instance(&self, actor: &Actor, place: usize, begun: &[Key]) {
        let Some(member) = self.member(place) else {
            return;
        };
        let grace = match self.hosts.is_shared(place) {
            true => GRACE_ON_SHARED,
            false => GRACE,
        };
        let turns = self.conduct.turns(place);
        for key in begun {
            self.expect_return(place, (*key, member.start, turns), grace);
        }
        // After that: it may be back in its loop at once.
        member.mailbox.drop_actor(actor.key);
    }

    /// The constructor's run has ended. `Err`: with what it threw.
    pub(super) fn constructed(&self, actor: &Arc<Actor>, outcome: Result<(), Kind>) {
        let kind = match outcome {
            Ok(()) => {
                self.change(actor, |state| {
                    if let Life::Starting { place, .. } = state.life {
                        state.life = Life::Alive { place };
                        state.was_alive = true;
                    }
                });
                self.table
                    .advance(actor.key, Phase::Offered, Phase::Running);
                return;
            }
            Err(kind) => kind,
        };
        self.end_actor(actor, kind);
    }
}

pub(super) fn died(reason: Reason, text: String) -> Kind {
    Kind::ActorDied {
        reason,
        text,
        thrown: None,
    }
}
