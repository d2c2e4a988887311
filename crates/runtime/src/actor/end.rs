//! An actor ends: nobody has a handle any more, somebody kills it, it exits, or it cannot go on.

use std::sync::Arc;
use std::time::Duration;

use mobula_sched::{Key, Phase};

use super::{Actor, Begins, Life, Stage};
use crate::cell::Body;
use crate::failure::{Failure, Kind, Reason};
use crate::holders;
use crate::runtime::Runtime;

/// So long code of an actor is given to end that has its thread to itself.
const GRACE: Duration = Duration::from_millis(10);
/// The same if other actors would go with the thread.
const GRACE_ON_SHARED: Duration = Duration::from_secs(1);

impl Runtime {
    /// The last handle of an actor is gone: it ends when its calls have ended. If it does at once: what it held, which is the caller's to
    /// let go of. Actors that hold each other are a chain, however long, and no recursion.
    pub(crate) fn out_of_scope(&self, key: Key) -> Vec<Key> {
        let Some(actor) = self.actor(key) else {
            return Vec::new();
        };
        if actor.terms().is_some_and(|terms| terms.is_detached) {
            return Vec::new();
        }
        let is_over = {
            let mut state = actor.state.lock();
            state.is_out_of_scope = true;
            state.is_over()
        };
        match is_over {
            true => self.end_if_idle(&actor),
            false => Vec::new(),
        }
    }

    /// Ends an actor that nobody has a handle to and that has nothing to do, unless its own code took a handle meanwhile. Gives what its
    /// constructor held, which is the caller's to let go of.
    pub(super) fn end_if_idle(&self, actor: &Arc<Actor>) -> Vec<Key> {
        let holders = &self.cell(actor.key).holders;
        {
            let mut state = actor.state.lock();
            if !state.is_over() {
                return Vec::new();
            }
            if !holders::end_if_last(holders) {
                state.is_out_of_scope = false;
                return Vec::new();
            }
        }
        let held = self.take_arguments(actor.key);
        self.end_actor(actor, died(Reason::OutOfScope, String::new()));
        held
    }

    /// What the constructor of an actor holds, in place of the actor.
    fn take_arguments(&self, key: Key) -> Vec<Key> {
        let mut body = self.cell(key).body.lock();
        let is_open = !self.table.phase(key).is_none_or(Phase::is_settled);
        let Body::Task(task) = &mut *body else {
            return Vec::new();
        };
        if !is_open {
            return Vec::new();
        }
        let refs = std::mem::take(&mut task.arguments.refs);
        let deps = std::mem::take(&mut task.deps);
        refs.iter().chain(&deps).map(|entry| entry.key).collect()
    }

    /// Somebody wants an actor to end now, whatever it does. It is made anew after that, if it may be.
    pub fn kill(&self, key: Key, no_restart: bool) {
        let Some(actor) = self.actor(key) else { return };
        if no_restart {
            self.end_actor(&actor, died(Reason::Killed, String::new()));
        } else {
            self.lose(&actor, died(Reason::Killed, String::new()), None);
        }
    }

    /// An actor's own code, of this birth at this place, wants it to end. Not if that is the code of an instance that was lost.
    pub(crate) fn exit_actor(&self, key: Key, from: (Option<usize>, u32)) {
        let Some(actor) = self.actor(key) else { return };
        let is_there = {
            let state = actor.state.lock();
            (state.life.place(), state.birth()) == from
        };
        if is_there {
            self.end_actor(&actor, died(Reason::Exited, String::new()));
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
        let (place, begins, queued, handed) = {
            let mut state = actor.state.lock();
            if state.is_dead() {
                drop(state);
                return self.let_go(failure);
            }
            let place = state.life.place();
            let begins = self.begins_at(&state.life, actor.key);
            self.note_gone(actor, &mut state, Stage::Ended, &failure.kind);
            state.life = Life::Dead(failure.clone());
            self.hosts.lives_no_more();
            state.is_constructing = begins == Begins::Now;
            let queued = state.calls.queued();
            state.calls.retain(|_| false);
            (place, begins, queued, state.calls.handed())
        };
        self.names.remove(actor);
        holders::end(&self.cell(actor.key).holders);
        for key in queued {
            self.fail_of_actor(key, failure.clone(), false);
        }
        for key in &handed {
            self.fail_of_actor(*key, failure.clone(), true);
            if !actor.state.lock().calls.is_handed(*key) {
                // Its code ended before it lingered.
                self.let_linger_no_more(*key);
            }
        }
        let (unbegun, mut begun): (Vec<Key>, Vec<Key>) = handed
            .into_iter()
            .partition(|key| self.takes_back(place, *key));
        for key in unbegun {
            self.let_linger_no_more(key);
            self.call_ended(actor, key);
        }
        let constructs = begins == Begins::Now;
        begun.extend(constructs.then_some(actor.key));
        if let Some(place) = place {
            self.stop_instance(actor, place, &begun);
        }
        if actor.state.lock().is_done() {
            self.pool.withdraw(actor.key);
        }
        self.hosts.forget(actor);
        // Last: with its slot go the arguments of the constructor, and its own hold on itself.
        self.fail_of_actor(actor.key, failure, constructs);
        if constructs && !actor.state.lock().is_constructing {
            self.let_linger_no_more(actor.key);
        }
        // What it held may be what others wait for.
        self.ask_for_workers();
    }

    /// How far an actor with such a life has come with its constructor; it is taken back if it has not begun. Under the actor's lock.
    pub(super) fn begins_at(&self, life: &Life, key: Key) -> Begins {
        match life {
            Life::Starting { place, has_begun } => {
                let is_there = *has_begun && !self.takes_back(Some(*place), key);
                if is_there { Begins::Now } else { Begins::Not }
            }
            Life::Alive { .. } => Begins::Over,
            _ => Begins::Not,
        }
    }

    /// What a dead actor held was its code's until now.
    pub(super) fn give_back(&self, actor: &Actor) {
        self.pool.withdraw(actor.key);
        self.ask_for_workers();
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

    /// The constructor's run at a place has ended. `Err`: with what it threw. It counts nothing if that instance was lost meanwhile.
    pub(super) fn constructed(&self, actor: &Arc<Actor>, place: usize, outcome: Result<(), Kind>) {
        let throws = outcome.is_err();
        let is_there = self.change(actor, |state| {
            let is_there = state.life.constructs_at(place);
            if is_there && throws {
                // Nothing of it goes on.
                state.life = Life::Starting {
                    place,
                    has_begun: false,
                };
            } else if is_there {
                state.life = Life::Alive { place };
                state.was_alive = true;
                state.alive = self.history.now();
                // Under its lock: who loses it after this has it ready once more.
                self.table
                    .advance(actor.key, Phase::Offered, Phase::Running);
            }
            is_there
        });
        if !is_there {
            if self.not_run(actor, actor.key, place) {
                self.let_linger_no_more(actor.key);
            }
        } else if let Err(kind) = outcome {
            self.end_actor(actor, kind);
        }
    }
}

pub(super) fn died(reason: Reason, text: String) -> Kind {
    Kind::ActorDied {
        reason,
        text,
        thrown: None,
    }
}
