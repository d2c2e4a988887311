//! A thread for an actor: one of its own as long as there are few, one that it shares with others after that.
//!
//! Nobody makes a worker run actors but itself: an actor that is to have a thread of its own waits (`Placement::waiting`), and a worker
//! that looks for work, and has none of its own that goes on, takes it and runs actors from then on. When its last actor has ended it
//! is a worker like others again.

use std::sync::Arc;

use mobula_sched::Key;

use super::hosts::{Placement, Thread, may_share};
use super::{Actor, Host, Life};
use crate::budget::Budget;
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
        if !self.has_all(actor) {
            return;
        }
        let is_single = actor.terms().is_some_and(|terms| terms.is_single);
        self.place_all(|placement, threads_max| match is_single {
            true => placement.singles.push_back(actor.clone()),
            false => placement.add(actor, threads_max),
        });
        if actor.is_dead() {
            // It ended in between, and whoever ended it could not give back what it did not have, nor find it where it was not.
            self.hosts.forget(actor);
            self.pool.withdraw(actor.key);
        }
        if is_single {
            self.start_singles();
        }
        if self.hosts.unplaced() > 0 {
            self.ask_for_workers();
        }
    }

    /// The actor has all that it is to hold while it lives. False: others have it, and the actor waits.
    fn has_all(&self, actor: &Arc<Actor>) -> bool {
        let demand = &actor.definition.terms.demand;
        let hold = || {
            let budget = |budget: &mut Budget| budget.hold(actor.key, demand);
            self.pool.with_budget(budget)
        };
        if hold() {
            return true;
        }
        self.hosts
            .arrange(|placement| placement.poor.push_back(actor.clone()));
        // Once more: who gave something back in between saw nobody who waits for it.
        if !hold() {
            if actor.is_dead() {
                self.hosts.forget(actor);
            }
            return false;
        }
        // Not if somebody else has found it there: then he goes on with it, unless it was he who ended it.
        let is_mine = self.hosts.arrange(|placement| {
            let poor = &mut placement.poor;
            let at = poor.iter().position(|other| other.key == actor.key);
            at.is_some_and(|at| poor.remove(at).is_some())
        });
        if !is_mine && actor.is_dead() {
            self.pool.withdraw(actor.key);
        }
        is_mine
    }

    /// Changes who waits for a thread, and gives threads to those who share them.
    fn place_all(&self, change: impl FnOnce(&mut Placement, usize)) {
        let threads_max = self.config.hosts_max as usize;
        let placed = self.hosts.arrange(|placement| {
            change(placement, threads_max);
            placement.assign()
        });
        for (actor, place) in placed {
            self.move_in(&actor, place);
        }
    }

    /// Those that share threads with others get theirs, if there are any.
    pub(crate) fn place_the_homeless(&self) {
        if self.hosts.has_homeless() {
            self.place_all(|_, _| ());
        }
    }

    /// Threads are started for actors that have limits of their own, as many as there may be.
    pub(crate) fn start_singles(&self) {
        while self.hosts.has_singles() && self.pool.want_single() {
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
        let is_there = {
            let mut state = actor.state.lock();
            let is_wanted = matches!(state.life, Life::Unplaced);
            // Under its lock: whoever closes the thread after this finds that the actor is there.
            let is_there = is_wanted.then(|| self.hosts.is_at(actor, place));
            if is_there == Some(true) {
                state.life = Life::Starting {
                    place,
                    has_begun: false,
                };
                state.is_scheduled = true;
            }
            is_there
        };
        match is_there {
            Some(true) => {
                self.pool
                    .with_budget(|budget| budget.move_grant(actor.key, place));
                self.wake_for(actor, place);
            }
            // The thread has ended in between.
            Some(false) => self.place(actor),
            // The actor has.
            None => self.hosts.forget(actor),
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
                let Some(at) = placement.waiting.iter().position(may_share) else {
                    break;
                };
                if let Some(actor) = placement.waiting.remove(at) {
                    placement.lodge(&actor, place);
                    placed.push((actor, place));
                }
            }
            // Those that waited for the thread that one of them would have brought along.
            placed.extend(placement.assign());
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
        if runtime.hosts.unplaced() == 0 || !seat.can_host(&runtime) {
            return false;
        }
        let (place, mailbox) = (seat.place, self.mailbox.clone());
        let taken = runtime.hosts.arrange(|placement| {
            let actor = placement.waiting.pop_front()?;
            let is_shared = may_share(&actor);
            let mut actors = vec![actor];
            if is_shared {
                // Those that come up later have their share.
                let others = placement.waiting.iter().filter(|actor| may_share(actor));
                let share = placement.sharing.len().div_ceil(others.count() + 1);
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
        if seat.host.is_none() {
            runtime.hosts.set_host(place, true);
            runtime.pool.release(&mut seat.holder);
            runtime.pool.hosts_more(&mut seat.holder);
            seat.host = Some(Host::default());
        }
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
        if !host.is_idle() || !seat.in_flight.is_empty() {
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
