//! A thread for an actor: one of its own as long as there are few, one that it shares with others after that.
//!
//! Nobody makes a worker run actors but itself: an actor that is to have a thread of its own waits (`Placement::waiting`), and a worker
//! that looks for work, and has none of its own that goes on, takes it and runs actors from then on. When its last actor has ended it
//! is a worker like others again.

use std::sync::Arc;

use super::hosts::Thread;
use super::{Actor, Host, Life};
use mobula_sched::Key;

use crate::failure::{Failure, Kind};
use crate::port::Port;
use crate::runtime::Runtime;

impl Runtime {
    /// An actor whose constructor has all that it needs gets a place. Its resources come first.
    pub(super) fn place(&self, actor: &Arc<Actor>) {
        {
            let mut state = actor.state.lock();
            match state.life {
                Life::Waiting | Life::Unplaced => state.life = Life::Unplaced,
                _ => return,
            }
        }
        let terms = &actor.definition.terms;
        let has_all = self
            .pool
            .with_budget(|budget| budget.hold(actor.key, &terms.demand));
        if !has_all {
            self.hosts
                .arrange(|placement| placement.poor.push_back(actor.clone()));
            return;
        }
        if actor.is_dead() {
            // Killed in between, by one who could not give back what it did not have.
            self.pool.withdraw(actor.key);
            return;
        }
        if terms.actor.as_ref().is_some_and(|terms| terms.is_single) {
            self.hosts
                .arrange(|placement| placement.singles.push_back(actor.clone()));
            return self.start_singles();
        }
        let needs_own = terms.actor.as_ref().is_some_and(|terms| terms.is_own);
        let place = self.hosts.arrange(|placement| {
            let threads = placement.threads.len() + placement.waiting.len();
            if needs_own || threads < self.config.hosts_max as usize {
                placement.waiting.push_back(actor.clone());
                return None;
            }
            let place = placement.least_busy();
            match place.and_then(|place| placement.threads.get_mut(&place)) {
                Some(thread) => {
                    thread.actors.insert(actor.key, actor.clone());
                }
                None => placement.sharing.push_back(actor.clone()),
            }
            place
        });
        match place {
            Some(place) => self.move_in(actor, place),
            None => self.ask_for_workers(),
        }
    }

    /// Threads are started for actors that have limits of their own, as many as there may be.
    pub(crate) fn start_singles(&self) {
        while self
            .hosts
            .arrange(|placement| !placement.singles.is_empty())
            && self.pool.want_single()
        {
            let actor = self
                .hosts
                .arrange(|placement| placement.singles.pop_front());
            match actor {
                Some(actor) => self.start_thread_for(actor.key, actor.class),
                None => self.pool.want_single_no_more(),
            }
        }
    }

    /// The thread that was started for an actor has ended, and perhaps never got as far as to run it.
    pub fn single_ended(&self, key: Key, start: u32, text: &str) {
        self.pool.single_ended(start);
        self.ask_for_workers();
        let Some(actor) = self.actor(key) else { return };
        let was_lost = matches!(actor.state.lock().life, Life::Unplaced)
            && self
                .hosts
                .arrange(|placement| !placement.singles.iter().any(|other| other.key == key));
        if was_lost {
            let text = text.to_owned();
            self.fail(key, Failure::shared(actor.class, Kind::Setup { text }));
        }
    }

    /// Something was given back: it may do for an actor that waits for it.
    pub(crate) fn place_the_poor(&self) {
        if !self.hosts.has_poor() {
            return;
        }
        let poor = self
            .hosts
            .arrange(|placement| std::mem::take(&mut placement.poor));
        for actor in poor {
            self.place(&actor);
        }
    }

    /// An actor has its place: the constructor goes first.
    fn move_in(&self, actor: &Arc<Actor>, place: usize) {
        let is_wanted = {
            let mut state = actor.state.lock();
            let is_wanted = matches!(state.life, Life::Unplaced);
            if is_wanted {
                state.life = Life::Starting {
                    place,
                    has_begun: false,
                };
                state.is_scheduled = true;
            }
            is_wanted
        };
        if is_wanted {
            self.pool
                .with_budget(|budget| budget.move_grant(actor.key, place));
            self.wake_for(actor, place);
        } else {
            // It ended in between.
            self.hosts.forget(actor);
        }
    }

    /// The actor is in the inbox of its thread from now on, which is told.
    pub(super) fn wake_for(&self, actor: &Arc<Actor>, place: usize) {
        self.hosts.schedule(place, actor.clone());
        if let Some(mailbox) = self.hosts.mailbox(place) {
            mailbox.nudge();
        }
    }

    /// No more threads can be had: those that wait for one share what there is. What must have its own goes on waiting.
    pub(crate) fn share_threads(&self, most: usize) {
        let placed = self.hosts.arrange(|placement| {
            let mut placed = Vec::new();
            for _ in 0..most {
                let Some(place) = placement.least_busy() else {
                    break;
                };
                let may_share =
                    |actor: &Arc<Actor>| actor.terms().is_none_or(|terms| !terms.is_own);
                let Some(at) = placement.waiting.iter().position(may_share) else {
                    break;
                };
                if let (Some(actor), Some(thread)) = (
                    placement.waiting.remove(at),
                    placement.threads.get_mut(&place),
                ) {
                    thread.actors.insert(actor.key, actor.clone());
                    placed.push((actor, place));
                }
            }
            placed
        });
        for (actor, place) in placed {
            self.move_in(&actor, place);
        }
    }
}

impl Runtime {
    /// No thread will ever come up for those that wait for one.
    pub(crate) fn fail_unplaced(&self, failure: &Arc<Failure>) {
        let unplaced = self.hosts.arrange(|placement| {
            let mut all = std::mem::take(&mut placement.waiting);
            all.append(&mut placement.sharing);
            all
        });
        for actor in unplaced {
            self.fail(actor.key, failure.clone());
        }
    }
}

impl Port {
    /// A worker without anything that goes on takes an actor that waits for a thread, and runs actors from now on. False: there is none.
    pub(crate) fn become_host(&mut self) -> bool {
        let runtime = self.runtime.clone();
        let Some(seat) = &mut self.seat else {
            return false;
        };
        if runtime.hosts.unplaced() == 0 || !seat.can_host() {
            return false;
        }
        let (place, mailbox) = (seat.place, self.mailbox.clone());
        let taken = runtime.hosts.arrange(|placement| {
            let actor = placement.waiting.pop_front()?;
            let is_shared = actor.terms().is_none_or(|terms| !terms.is_own);
            let mut actors = vec![actor];
            if is_shared {
                // Those that come up later have their share.
                let share = placement
                    .sharing
                    .len()
                    .div_ceil(placement.waiting.len() + 1);
                actors.extend(placement.sharing.drain(..share));
            }
            let thread = Thread {
                actors: actors
                    .iter()
                    .map(|actor| (actor.key, actor.clone()))
                    .collect(),
                mailbox,
                is_shared,
            };
            placement.threads.insert(place, thread);
            Some(actors)
        });
        let Some(actors) = taken else { return false };
        runtime.hosts.set_host(place, true);
        runtime.pool.release(&mut seat.holder);
        runtime.pool.hosts_more(&mut seat.holder);
        seat.host = Some(Host::default());
        for actor in actors {
            runtime.move_in(&actor, place);
        }
        true
    }

    /// The thread was started for this actor alone.
    pub fn host_only(&mut self, key: Key) {
        let runtime = self.runtime.clone();
        let Some(seat) = &mut self.seat else { return };
        let (place, mailbox) = (seat.place, self.mailbox.clone());
        seat.host = Some(Host {
            is_single: true,
            ..Host::default()
        });
        runtime.hosts.set_host(place, true);
        runtime.pool.hosts_more(&mut seat.holder);
        let actor = runtime.actor(key);
        runtime.hosts.arrange(|placement| {
            let actors = actor.iter().map(|actor| (actor.key, actor.clone()));
            let thread = Thread {
                actors: actors.collect(),
                mailbox,
                is_shared: false,
            };
            placement.threads.insert(place, thread);
        });
        match actor {
            Some(actor) => runtime.move_in(&actor, place),
            // It has ended since.
            None => self.be_host_no_more(),
        }
    }

    /// When its last actor is gone a host is a worker like others.
    pub(crate) fn be_host_no_more(&mut self) {
        let runtime = self.runtime.clone();
        let Some(seat) = &mut self.seat else { return };
        let Some(host) = &seat.host else { return };
        if !host.handed.is_empty() || !seat.in_flight.is_empty() {
            return;
        }
        let (place, is_single) = (seat.place, host.is_single);
        let is_empty = runtime.hosts.arrange(|placement| {
            let is_empty = placement
                .threads
                .get(&place)
                .is_none_or(|thread| thread.actors.is_empty());
            if is_empty {
                placement.threads.remove(&place);
            }
            is_empty
        });
        if is_empty && is_single {
            if !seat.is_leaving {
                self.resign();
                self.mailbox.make_leave();
            }
        } else if is_empty {
            seat.host = None;
            runtime.hosts.set_host(place, false);
            runtime.pool.hosts_less(&mut seat.holder);
        }
    }
}
