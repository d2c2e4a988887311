//! A call comes to its actor: into its caller's line, or into its turn.

use std::sync::Arc;

use mobula_sched::Key;
use mobula_sync::atomic::Ordering;

use super::{Actor, Bound, Call, Caller, Life, State};
use crate::failure::{Failure, Kind};
use crate::runtime::Runtime;

impl State {
    /// The place whose thread is to be told that there is something to run, if that is news.
    pub(super) fn news(&mut self) -> Option<usize> {
        let Life::Alive { place } = self.life else {
            return None;
        };
        let is_news = !self.is_scheduled && self.calls.has_turn();
        self.is_scheduled |= is_news;
        is_news.then_some(place)
    }

    /// It is dead, and so is its code, whether it ended or came back when it was dead already.
    pub(super) fn is_done(&self) -> bool {
        self.is_dead() && !self.calls.has_handed() && !self.is_constructing
    }

    /// Nobody has a handle, and nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        let rests = matches!(
            self.life,
            Life::Alive { .. } | Life::Waiting | Life::Unplaced
        );
        self.is_out_of_scope && rests && self.calls.are_over()
    }
}

impl Runtime {
    /// A call is made. `Err`: what it comes to at once.
    pub(crate) fn arrive(
        &self,
        actor: &Arc<Actor>,
        call: Call,
        is_ready: bool,
    ) -> Result<(), Arc<Failure>> {
        actor.began_pending();
        let news = {
            let mut state = actor.state.lock();
            match &state.life {
                Life::Dead(failure) => return Err(failure.clone()),
                Life::Alive { .. } => {}
                _ if state.was_alive && !self.is_retried(call.key) => {
                    return Err(self.unavailable(actor, call.key));
                }
                _ => {}
            }
            state.calls.arrive(call, is_ready);
            state.news()
        };
        if let Some(place) = news {
            self.wake_for(actor, place);
        }
        Ok(())
    }

    /// True if a call may be made again.
    pub(super) fn is_retried(&self, key: Key) -> bool {
        let function = self.cell(key).function.load(Ordering::Relaxed);
        let definition = self.functions.get(function);
        definition.is_some_and(|definition| definition.terms.retries > 0)
    }

    pub(super) fn unavailable(&self, actor: &Actor, key: Key) -> Arc<Failure> {
        let name = &actor.definition.function.name;
        Arc::new(Failure {
            function: self.cell(key).function.load(Ordering::Relaxed),
            attempt: 0,
            kind: Kind::ActorUnavailable {
                text: format!("actor {name} is being restarted"),
            },
        })
    }

    /// Something of an actor's is ready: its constructor, or a call, for the first time or once more.
    pub(crate) fn post(&self, key: Key) {
        match self.bound(key) {
            Some(Bound::Constructor(actor)) => self.place(&actor),
            Some(Bound::Call { actor, caller, .. }) => {
                self.change(&actor, |state| {
                    state.calls.come_back(key) || state.calls.become_ready(key, caller)
                });
            }
            None => {}
        }
    }

    /// What has to end before a call that is ready can begin, if it is other code of the same actor.
    pub(crate) fn before_call(&self, key: Key) -> Vec<Key> {
        match self.bound(key) {
            Some(Bound::Call { actor, caller, .. }) => actor.state.lock().calls.before(key, caller),
            _ => Vec::new(),
        }
    }

    /// The thread that a call of an actor's runs on, or will.
    pub(crate) fn host_of_call(&self, key: Key) -> Option<usize> {
        match self.bound(key)? {
            Bound::Call { actor, .. } => actor.state.lock().life.place(),
            Bound::Constructor(_) => None,
        }
    }

    /// A call of an actor's that waits for resources: whoever holds those may end.
    pub(crate) fn is_of_poor(&self, key: Key) -> bool {
        matches!(self.bound(key), Some(Bound::Call { actor, .. }) if self.hosts.is_poor(&actor))
    }

    /// A call was settled. If it was in its line it holds up nobody any more.
    pub(crate) fn call_settled(&self, actor: &Arc<Actor>, key: Key, caller: Caller) {
        self.change(actor, |state| {
            // One that has its turn is dropped when it comes to that; with no thread it never does.
            if !state.calls.drop_out(key, caller) && !matches!(state.life, Life::Alive { .. }) {
                state.calls.forget(key);
            }
        });
    }

    /// The code of a call has ended on the actor's thread.
    pub(super) fn call_ended(&self, actor: &Arc<Actor>, key: Key) {
        self.change(actor, |state| state.calls.end(key));
    }

    /// Changes what an actor has to do, and sees to what follows.
    pub(super) fn change<T>(&self, actor: &Arc<Actor>, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, news, is_over, is_done) = {
            let mut state = actor.state.lock();
            let result = change(&mut state);
            (result, state.news(), state.is_over(), state.is_done())
        };
        if is_done {
            self.give_back(actor);
        }
        if let Some(place) = news {
            self.wake_for(actor, place);
        }
        if is_over {
            self.release(self.end_if_idle(actor));
        }
        result
    }
}
