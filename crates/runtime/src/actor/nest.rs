//! An actor's code blocks its thread, and what it waits for is a call of an actor that lives on the same thread: that is run inside of the
//! wait, after those that go before it in its group. Nothing else is: code that the wait does not need could wait for what is under it on
//! the stack.

use mobula_sched::{Key, Phase};
use mobula_sync::atomic::{Ordering, fence};

use super::hosts::HandedOut;
use super::{Actor, Bound, Life};
use crate::area::{Area, Heap};
use crate::layout;
use crate::port::Port;
use crate::runtime::Runtime;

impl Runtime {
    /// What goes first on the thread at a place so that a call can end: the call, one before it, or the constructor of its actor. `None`:
    /// nothing of that can begin there.
    pub(crate) fn first_before(&self, call: Key, at: usize) -> Option<Key> {
        let Some(Bound::Call { actor, .. }) = self.bound(call) else {
            return None;
        };
        let state = actor.state.lock();
        match state.life {
            Life::Starting {
                place,
                has_begun: false,
            } if place == at => Some(actor.key),
            Life::Alive { place } if place == at => state.calls.first_before(call),
            _ => None,
        }
    }

    /// The same, which is handed out from now on, and of which birth it is.
    fn hand_out_before(&self, actor: &Actor, call: Key, at: usize) -> Option<(Key, u32)> {
        let mut state = actor.state.lock();
        let birth = state.birth();
        let offer = |key| self.table.advance(key, Phase::Ready, Phase::Offered);
        let first = match &mut state.life {
            Life::Starting { place, has_begun } if *place == at && !*has_begun => {
                *has_begun = offer(actor.key);
                has_begun.then_some(actor.key)
            }
            Life::Alive { place } if *place == at => state.calls.hand_out_before(call, at, offer),
            _ => None,
        };
        first.map(|key| (key, birth))
    }
}

impl Port {
    /// Takes what goes first so that a call of an actor that lives here can end. True if its record is now the first in the area; then it
    /// has begun, for all that others can tell.
    pub(crate) fn take_call(&mut self, area: &mut Area<'_>, call: Key) -> bool {
        let runtime = self.runtime.clone();
        let Some(Bound::Call { actor, .. }) = runtime.bound(call) else {
            return false;
        };
        let is_host = |port: &Self| port.seat.as_ref().is_some_and(|seat| seat.host.is_some());
        let Some(place) = self.place().filter(|_| is_host(self)) else {
            return false;
        };
        // Told of that after it, the thread would drop the new instance.
        if self.mailbox.has_drop_of(actor.key) {
            return false;
        }
        let Some((key, birth)) = runtime.hand_out_before(&actor, call, place) else {
            return false;
        };
        self.nest(key, HandedOut { actor, birth });
        let cell = runtime.cell(key);
        cell.place.store(place as u32, Ordering::Relaxed);
        cell.handed.store(runtime.history.now(), Ordering::Relaxed);
        // With the one in `struck`: it was settled before this, or whoever settles it finds it here.
        fence(Ordering::SeqCst);
        if runtime.table.phase(key) != Some(Phase::Offered) {
            // Whoever has settled it holds its lock until he has kept what it was given.
            drop(cell.body.lock());
            self.let_go_of_call(key, birth);
            return false;
        }
        self.write_task(area, &mut Heap::new(layout::TASK_HEAP_AT), 0, key);
        self.write_owner(area, key, birth);
        if let Some(limit) = runtime.limit_of(key)
            && let Some(seat) = &mut self.seat
        {
            seat.timed.insert(key);
            runtime.start_time(place, key, limit);
        }
        true
    }

    fn nest(&mut self, key: Key, handed: HandedOut) {
        let Some(seat) = &mut self.seat else { return };
        seat.claims.nest(key);
        seat.in_flight.insert(key);
        let Some(host) = &mut seat.host else { return };
        if let Some(before) = host.handed.insert(key, handed) {
            // A run goes on here whose instance was lost.
            host.stale.insert((key, before.birth));
        }
        host.has_nested = true;
    }

    fn write_owner(&self, area: &mut Area<'_>, key: Key, birth: u32) {
        let host = self.seat.as_ref().and_then(|seat| seat.host.as_ref());
        if let Some(HandedOut { actor, .. }) = host.and_then(|host| host.handed.get(&key)) {
            let words = [actor.key.index, actor.key.generation, birth];
            area.set_words(layout::TASKS_AT + layout::TASK_ACTOR_AT, &words);
        }
    }
}
