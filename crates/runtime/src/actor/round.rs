//! A round of a thread that runs actors: what it is handed, and what comes of it.

use std::sync::Arc;

use mobula_sched::{BATCH_MAX, Key, Phase};

use super::hosts::HandedOut;
use super::{Actor, Life};
use crate::area::{Area, Heap};
use crate::failure::{Kind, Reason};
use crate::layout::{self, how};
use crate::port::{Port, Seat};
use crate::refs::KeyMap;
use crate::runtime::Runtime;
use crate::value::Value;

/// What an actor gives its thread to run.
enum Turn {
    Constructor,
    Calls(Vec<Key>),
}

/// Whose a record is.
struct Owner<'a> {
    actor: &'a Arc<Actor>,
    birth: u32,
}

impl Runtime {
    /// An actor has come out of its inbox: what its turn is, at most so many calls, and of which birth.
    fn turn_of(&self, actor: &Arc<Actor>, at: usize, most: usize) -> (Turn, u32) {
        let mut state = actor.state.lock();
        state.is_scheduled = false;
        let birth = state.birth();
        // Under the actor's lock: whoever loses the instance after this finds them handed out. Not those that were settled meanwhile.
        let offer = |key| self.table.advance(key, Phase::Ready, Phase::Offered);
        let turn = match &mut state.life {
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
        };
        (turn, birth)
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
            let (turn, birth) = runtime.turn_of(&actor, place, most - keys.len());
            let list = match turn {
                Turn::Constructor if self.mailbox.has_drop_of(actor.key) => {
                    // Told of that after it, the thread would drop the new instance.
                    runtime.not_begun(&actor, actor.key, place);
                    break;
                }
                Turn::Constructor => vec![actor.key],
                Turn::Calls(list) => list,
            };
            let owner = Owner {
                actor: &actor,
                birth,
            };
            for (k, key) in list.iter().enumerate() {
                if !self.hand_over(area, &mut heap, &mut keys, (*key, &owner)) {
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
        (key, owner): (Key, &Owner<'_>),
    ) -> bool {
        let Owner { actor, birth } = *owner;
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
        area.set_words(at, &[actor.key.index, actor.key.generation, birth]);
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
            let actor = actor.clone();
            if let Some(before) = host.handed.insert(key, HandedOut { actor, birth }) {
                // A run goes on here whose instance was lost.
                seat.in_flight.remove(&key);
                host.stale.insert((key, before.birth));
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
        let (mut unbegun, mut going) = (Vec::new(), Vec::new());
        let (in_flight, returned, handed) = (&mut seat.in_flight, &mut seat.returned, &host.handed);
        let begun = |key| {
            if handed.contains_key(&key) && !returned.contains(&key) {
                in_flight.insert(key);
                going.push(key);
            }
        };
        seat.claims.end_round(begun, &mut unbegun);
        seat.returned.clear();
        host.has_nested = false;
        host.refused.clear();
        if let Some((key, _)) = seat.timed_now.take()
            && !seat.in_flight.contains(&key)
        {
            seat.timed.remove(&key);
            runtime.clock.end(seat.place, key);
        }
        // After that: an actor's lock goes before that of the claims.
        note_going_on(&going, &host.handed);
        let (in_flight, place) = (&seat.in_flight, seat.place);
        let others = host.handed.extract_if(|key, _| !in_flight.contains(key));
        for (key, HandedOut { actor, .. }) in others.collect::<Vec<_>>() {
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
                let handed = host.handed.get(key);
                let actor = handed.map(|handed| &handed.actor);
                let actor = actor.filter(|actor| actor.key == *key);
                actor.is_some_and(|actor| !actor.state.lock().life.constructs_at(seat.place))
            });
            if is_lost && seat.claims.take_one(*key) {
                seat.takes_no_part(&self.runtime, *key);
            }
        }
    }

    /// A run of a birth goes on here, and what it yields counts.
    pub(crate) fn counts_here(&self, key: Key, birth: u32) -> bool {
        let Some(seat) = &self.seat else { return true };
        let Some(host) = &seat.host else {
            return birth == 0;
        };
        match host.handed.get(&key) {
            Some(handed) if handed.birth == birth => {
                let state = handed.actor.state.lock();
                state.is_dead() || state.calls.is_at(key, seat.place)
            }
            // That of a task that is run inside of a wait.
            _ => birth == 0,
        }
    }

    /// The code of a call or a constructor has ended here. `None`: that of one which was handed out here once more since.
    fn take_ended(&mut self, key: Key, birth: u32) -> Option<Arc<Actor>> {
        let host = self.seat.as_mut()?.host.as_mut()?;
        if !host.is_last(key, birth) {
            host.stale.remove(&(key, birth));
            return None;
        }
        let actor = host.handed.remove(&key)?.actor;
        if host.has_nested {
            self.seat.as_ref()?.claims.unnest(key);
        }
        self.end_time(key);
        Some(actor)
    }

    /// What the code of a call came to, or a constructor.
    pub(crate) fn result_of_actor(&mut self, key: Key, words: &[u32; 16], value: Value) {
        let Some(actor) = self.take_ended(key, words[layout::BIRTH_WORD]) else {
            return;
        };
        let Some(place) = self.place() else { return };
        if key == actor.key {
            let threw = words[7] != how::DONE;
            let thrown = threw.then_some(value);
            if words[14] > 0 {
                actor.set_limit(words[14]);
            }
            return self.end_constructor(&actor, thrown);
        }
        // From here on it counts: whoever loses the instance leaves this call to us.
        if !actor.state.lock().calls.answer(key, place) {
            return self.let_go(&actor, key);
        }
        if self.end_run((key, Some(&actor)), words[7], value, words[3]) {
            return;
        }
        let runtime = self.runtime.clone();
        runtime.call_ended(&actor, key);
        runtime.let_linger_no_more(key);
    }

    /// The code of a call has ended here, and nothing comes of it.
    pub(crate) fn let_go_of_call(&mut self, key: Key, birth: u32) {
        if let Some(actor) = self.take_ended(key, birth) {
            self.let_go(&actor, key);
        }
    }

    fn let_go(&mut self, actor: &Arc<Actor>, key: Key) {
        let Some(seat) = &mut self.seat else { return };
        seat.in_flight.remove(&key);
        let place = seat.place;
        if self.runtime.not_run(actor, key, place) {
            self.runtime.let_linger_no_more(key);
        }
    }

    /// An actor's code has this one end.
    pub(crate) fn exit_actor(&self, key: Key, birth: u32) {
        self.runtime.exit_actor(key, (self.place(), birth));
    }

    /// A call was claimed and cannot begin yet.
    pub(crate) fn hand_back_call(&mut self, key: Key, birth: u32) {
        let nested = self.seat.as_ref().map(|seat| seat.claims.has_nested(key));
        let Some(actor) = self.take_ended(key, birth) else {
            return;
        };
        let host = self.seat.as_mut().and_then(|seat| seat.host.as_mut());
        if let (Some(host), Some(true)) = (host, nested) {
            host.refused.insert(key);
        }
        self.returns_unbegun(&actor, key);
    }

    /// A record of this round was taken back, to be handed out once more.
    pub(crate) fn give_back_call(&mut self, key: Key) {
        let host = self.seat.as_mut().and_then(|seat| seat.host.as_mut());
        let handed = host.and_then(|host| host.handed.remove(&key));
        if let Some(HandedOut { actor, .. }) = handed {
            self.returns_unbegun(&actor, key);
        }
    }

    fn returns_unbegun(&mut self, actor: &Arc<Actor>, key: Key) {
        let Some(seat) = &mut self.seat else { return };
        if !seat.in_flight.remove(&key) {
            // Claimed in the round that is not over yet.
            seat.returned.insert(key);
        }
        let (runtime, place) = (self.runtime.clone(), seat.place);
        runtime.not_begun(actor, key, place);
    }

    /// The constructor of an actor has returned, or has thrown this.
    fn end_constructor(&mut self, actor: &Arc<Actor>, thrown: Option<Value>) {
        let outcome = match thrown {
            None => Ok(()),
            thrown => Err(Kind::ActorDied {
                reason: Reason::Constructor,
                text: String::new(),
                thrown,
            }),
        };
        if let Some(seat) = &mut self.seat {
            seat.in_flight.remove(&actor.key);
            self.runtime.constructed(actor, seat.place, outcome);
        }
        self.queued = true;
    }
}

impl Seat {
    /// What was handed out here was taken back before it began, by one who knows of nobody to tell.
    pub(crate) fn takes_no_part(&mut self, runtime: &Runtime, key: Key) {
        let handed = self.host.as_mut().and_then(|host| host.handed.remove(&key));
        if handed.is_some_and(|handed| runtime.not_run(&handed.actor, key, self.place)) {
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
        if key != actor.key {
            if is_at {
                self.call_ended(actor, key);
            }
            return is_at;
        }
        if is_dead {
            self.give_back(actor);
        }
        is_dead
    }
}

/// These calls, which were begun in one round, go on after they have returned. Those of one actor are mostly together.
fn note_going_on(keys: &[Key], handed: &KeyMap<HandedOut>) {
    let found = keys.iter().filter_map(|key| Some((*key, handed.get(key)?)));
    let mut found = found.peekable();
    while let Some((key, HandedOut { actor, .. })) = found.next() {
        let mut state = actor.state.lock();
        state.calls.note_going_on(key);
        while let Some((key, _)) = found.next_if(|(_, other)| Arc::ptr_eq(&other.actor, actor)) {
            state.calls.note_going_on(key);
        }
    }
}
