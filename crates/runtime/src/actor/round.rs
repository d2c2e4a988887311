//! A round of a thread that runs actors: what it is handed, and what comes of it.

use std::sync::Arc;

use mobula_sched::{BATCH_MAX, Key, Phase};

use super::{Actor, Life};
use crate::area::{Area, Heap};
use crate::failure::{Kind, Reason};
use crate::layout;
use crate::port::{Port, Seat};
use crate::runtime::Runtime;
use crate::value::Value;

/// What an actor gives its thread to run.
enum Turn {
    Constructor,
    Calls(Vec<Key>),
}

impl Runtime {
    /// An actor has come out of its inbox: what its turn is, at most so many calls.
    fn turn_of(&self, actor: &Arc<Actor>, at: usize, most: usize) -> Turn {
        let mut state = actor.state.lock();
        state.is_scheduled = false;
        // Under the actor's lock: whoever loses the instance after this finds them handed out. Not those that were settled meanwhile.
        let offer = |key| self.table.advance(key, Phase::Ready, Phase::Offered);
        match &mut state.life {
            Life::Starting { place, has_begun } if *place == at && !*has_begun => {
                *has_begun = offer(actor.key);
                match *has_begun {
                    true => Turn::Constructor,
                    false => Turn::Calls(Vec::new()),
                }
            }
            Life::Alive { place } if *place == at => {
                Turn::Calls(state.calls.hand_out(at, most, offer))
            }
            _ => Turn::Calls(Vec::new()),
        }
    }
}

impl Port {
    /// Writes the records of what has its turn on this thread.
    pub(crate) fn gather_calls(&mut self, area: &mut Area<'_>) -> Vec<Key> {
        let runtime = self.runtime.clone();
        let mut keys = Vec::new();
        let mut heap = Heap::new(layout::TASK_HEAP_AT);
        let Some(seat) = &self.seat else { return keys };
        let (place, pace) = (seat.place, seat.pace.max(1));
        let most = (runtime.crossing / pace).clamp(1, BATCH_MAX as u64) as usize;
        let mut is_full = false;
        while keys.len() < most && !is_full {
            let Some(actor) = runtime.hosts.next(place) else {
                break;
            };
            let turn = runtime.turn_of(&actor, place, most - keys.len());
            let list = match turn {
                Turn::Constructor if self.mailbox.has_drop_of(actor.key) => {
                    // Told of that after it, the thread would drop the new instance.
                    runtime.not_begun(&actor, actor.key, place);
                    break;
                }
                Turn::Constructor => vec![actor.key],
                Turn::Calls(list) => list,
            };
            for (k, key) in list.iter().enumerate() {
                if !self.hand_over(area, &mut heap, &mut keys, (*key, &actor)) {
                    for key in &list[k..] {
                        runtime.not_begun(&actor, *key, place);
                    }
                    is_full = true;
                    break;
                }
                is_full |= self
                    .seat
                    .as_ref()
                    .is_some_and(|seat| seat.timed_now.is_some());
            }
            // What is left of its turn, or what was refused above; and if nothing is, perhaps that was the last.
            runtime.change(&actor, |_| ());
        }
        keys
    }

    /// False: its record does not fit, or it has a time limit and is not the first.
    fn hand_over(
        &mut self,
        area: &mut Area<'_>,
        heap: &mut Heap,
        keys: &mut Vec<Key>,
        (key, actor): (Key, &Arc<Actor>),
    ) -> bool {
        let runtime = self.runtime.clone();
        let limit = runtime.limit_of(key);
        if self
            .seat
            .as_ref()
            .is_some_and(|seat| seat.timed_now.is_some())
            || (limit.is_some() && !keys.is_empty())
            || !self.write_task(area, heap, keys.len(), key)
        {
            return false;
        }
        let at = layout::TASKS_AT + keys.len() * layout::TASK_BYTES + layout::TASK_ACTOR_AT;
        area.set_words(at, &[actor.key.index, actor.key.generation]);
        let Some(seat) = &mut self.seat else {
            return true;
        };
        if runtime.table.phase(key) != Some(Phase::Offered) {
            // Settled meanwhile, or its instance was lost.
            if runtime.not_run(actor, key, seat.place) {
                runtime.let_settled_linger_no_more(key);
            }
            return true;
        }
        if let Some(host) = &mut seat.host {
            if host.handed.insert(key, actor.clone()).is_some() {
                // A run goes on here whose instance was lost.
                seat.in_flight.remove(&key);
                *host.stale.entry(key).or_default() += 1;
            }
            keys.push(key);
            if let Some(limit) = limit {
                seat.timed_now = Some((key, limit));
            }
        }
        true
    }

    /// The round of a thread that runs actors is over: what was not begun has its turn again.
    pub(crate) fn end_round_of_calls(&mut self) {
        let runtime = self.runtime.clone();
        let Some(seat) = &mut self.seat else { return };
        let Some(host) = &mut seat.host else { return };
        let mut unbegun = Vec::new();
        let (in_flight, returned, handed) = (&mut seat.in_flight, &mut seat.returned, &host.handed);
        let begun = |key| {
            if handed.contains_key(&key) && !returned.contains(&key) {
                in_flight.insert(key);
            }
        };
        seat.claims.end_round(begun, &mut unbegun);
        seat.returned.clear();
        if let Some((key, _)) = seat.timed_now.take()
            && !seat.in_flight.contains(&key)
        {
            seat.timed.remove(&key);
            runtime.clock.end(seat.place, key);
        }
        for key in &seat.in_flight {
            if let Some(actor) = host.handed.get(key) {
                runtime.goes_on_in(actor, *key);
            }
        }
        let (in_flight, place) = (&seat.in_flight, seat.place);
        let others = host.handed.extract_if(|key, _| !in_flight.contains(key));
        for (key, actor) in others.collect::<Vec<_>>() {
            match unbegun.contains(&key) {
                true => runtime.not_begun(&actor, key, place),
                // Somebody took them back.
                false => {
                    if runtime.not_run(&actor, key, place) {
                        runtime.let_settled_linger_no_more(key);
                    }
                }
            }
        }
    }

    /// A round has started. Constructors whose actors were lost or have ended since they were handed out do not begin: whoever does that
    /// later finds them here.
    pub(crate) fn look_at_constructors(&mut self, keys: &[Key]) {
        let Some(seat) = &mut self.seat else { return };
        for key in keys {
            let is_lost = seat.host.as_ref().is_some_and(|host| {
                let actor = host.handed.get(key).filter(|actor| actor.key == *key);
                actor.is_some_and(|actor| !actor.state.lock().life.constructs_at(seat.place))
            });
            if is_lost && seat.claims.take_one(*key) {
                seat.takes_no_part(&self.runtime, *key);
            }
        }
    }

    /// What the code of a call or a constructor came to. False: it is not of this thread any more, so that it counts nothing.
    pub(crate) fn ends_here(&self, key: Key) -> bool {
        let Some(seat) = &self.seat else { return true };
        let Some(host) = &seat.host else { return true };
        let Some(actor) = host.handed.get(&key) else {
            return false;
        };
        let state = actor.state.lock();
        if key == actor.key {
            return state.life.constructs_at(seat.place);
        }
        state.is_dead() || state.calls.is_at(key, seat.place)
    }

    /// The code of a call has ended here, whatever it came to.
    pub(crate) fn let_go_of_call(&mut self, key: Key) {
        let runtime = self.runtime.clone();
        let Some(seat) = &mut self.seat else { return };
        let place = seat.place;
        seat.in_flight.remove(&key);
        let Some(host) = &mut seat.host else { return };
        let Some(actor) = host.handed.remove(&key) else {
            return;
        };
        if runtime.not_run(&actor, key, place) {
            runtime.let_linger_no_more(key);
        }
    }

    /// The code of a call has ended whose instance was lost before the call was handed out here once more. False: there is none.
    pub(crate) fn let_go_of_stale(&mut self, key: Key) -> bool {
        let host = self.seat.as_mut().and_then(|seat| seat.host.as_mut());
        host.is_some_and(|host| host.ends_stale(key))
    }

    /// What is reported of this key is of an actor's: not of a task that was run here inside of a wait.
    pub(crate) fn is_of_actor(&self, key: Key) -> bool {
        let Some(seat) = &self.seat else { return false };
        let host = seat.host.as_ref();
        host.is_some_and(|host| host.handed.contains_key(&key) || !seat.in_flight.contains(&key))
    }

    /// An actor's code has this one end.
    pub(crate) fn exit_actor(&self, key: Key) {
        self.runtime.exit_actor(key, self.place());
    }

    /// True for a call or a constructor that was handed out here.
    pub(crate) fn has_call(&self, key: Key) -> bool {
        let host = self.seat.as_ref().and_then(|seat| seat.host.as_ref());
        host.is_some_and(|host| host.handed.contains_key(&key))
    }

    /// A call was claimed and cannot begin yet.
    pub(crate) fn hand_back_call(&mut self, key: Key) {
        let runtime = self.runtime.clone();
        if !self.has_call(key) {
            // Of an instance that was lost.
            return;
        }
        if !self.ends_here(key) {
            return self.let_go_of_call(key);
        }
        let Some(seat) = &mut self.seat else { return };
        if !seat.in_flight.remove(&key) {
            // Claimed in the round that is not over yet.
            seat.returned.insert(key);
        }
        let (place, host) = (seat.place, &mut seat.host);
        let handed = host.as_mut().and_then(|host| host.handed.remove(&key));
        if let Some(actor) = handed {
            runtime.not_begun(&actor, key, place);
        }
    }

    /// A call was queued again: it is no longer this thread's.
    pub(crate) fn forget_call(&mut self, key: Key) {
        if let Some(seat) = &mut self.seat
            && let Some(host) = &mut seat.host
        {
            seat.in_flight.remove(&key);
            host.handed.remove(&key);
        }
    }

    /// The constructor of an actor has returned, or has thrown this.
    pub(crate) fn end_constructor(&mut self, actor: &Arc<Actor>, thrown: Option<Value>) {
        self.forget_call(actor.key);
        let runtime = self.runtime.clone();
        let outcome = match thrown {
            None => Ok(()),
            thrown => Err(Kind::ActorDied {
                reason: Reason::Constructor,
                text: String::new(),
                thrown,
            }),
        };
        if let Some(place) = self.place() {
            runtime.constructed(actor, place, outcome);
        }
        self.queued = true;
    }

    /// The actor whose constructor this is, if it was handed out here.
    pub(crate) fn constructing(&self, key: Key) -> Option<Arc<Actor>> {
        let host = self.seat.as_ref()?.host.as_ref()?;
        host.handed
            .get(&key)
            .filter(|actor| actor.key == key)
            .cloned()
    }
}

impl Seat {
    /// What was handed out here was taken back before it began, by one who knows of nobody to tell.
    pub(crate) fn takes_no_part(&mut self, runtime: &Runtime, key: Key) {
        let handed = self.host.as_mut().and_then(|host| host.handed.remove(&key));
        if handed.is_some_and(|actor| runtime.not_run(&actor, key, self.place)) {
            runtime.let_settled_linger_no_more(key);
        }
    }
}

impl Runtime {
    /// A call that was handed out at a place and not begun has its turn again; a constructor, too. Not if it is somewhere else by now.
    fn not_begun(&self, actor: &Arc<Actor>, key: Key, place: usize) {
        if key == actor.key {
            return self.constructor_not_begun(actor, place);
        }
        let is_ready = self.change(actor, |state| {
            let is_here = state.calls.is_at(key, place);
            is_here.then(|| {
                self.is_nowhere(key);
                let is_ready = self.table.advance(key, Phase::Offered, Phase::Ready);
                is_ready && state.calls.come_back(key)
            })
        });
        if is_ready == Some(false) {
            self.let_settled_linger_no_more(key);
            self.call_ended(actor, key);
        }
    }

    fn constructor_not_begun(&self, actor: &Arc<Actor>, at: usize) {
        let is_here = {
            let mut state = actor.state.lock();
            let is_here = state.life.constructs_at(at);
            if is_here {
                self.is_nowhere(actor.key);
                self.table.advance(actor.key, Phase::Offered, Phase::Ready);
                state.life = Life::Starting {
                    place: at,
                    has_begun: false,
                };
                state.is_scheduled = true;
            }
            is_here
        };
        if is_here {
            self.wake_for(actor, at);
        } else if self.not_run(actor, actor.key, at) {
            self.let_settled_linger_no_more(actor.key);
        }
    }

    /// What was handed out at a place was settled, or its instance was lost, before it began there, or its code has ended. False: it is
    /// somewhere else by now, and others see to it.
    pub(crate) fn not_run(&self, actor: &Arc<Actor>, key: Key, place: usize) -> bool {
        let (is_dead, is_at) = {
            let mut state = actor.state.lock();
            state.is_constructing &= key != actor.key;
            (state.is_dead(), state.calls.is_at(key, place))
        };
        if key == actor.key {
            if is_dead {
                self.give_back(actor);
            }
        } else if is_at {
            self.call_ended(actor, key);
        }
        is_dead || is_at
    }

    /// A call goes on after it has returned.
    fn goes_on_in(&self, actor: &Arc<Actor>, key: Key) {
        actor.state.lock().calls.note_going_on(key);
    }
}
