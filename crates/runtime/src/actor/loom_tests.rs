//! Every interleaving of what may happen to an actor at once: the last handle goes while another is taken, something has its turn while
//! the thread goes to sleep, the instance is lost while its old thread reports, a thread ends while an actor moves in. Drives the `holders`,
//! the `Hosts`, the `Mailbox`, the `Calls` and the `Life` that ship; the mutants, which must fail, leave out or misplace one step each.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-runtime --release --lib loom`

use std::sync::Arc;

use loom::thread;
use mobula_sched::{Bell, Key, Phase, Table};
use mobula_sync::atomic::{AtomicU32, Ordering};
use mobula_sync::{Condvar, Mutex};

use super::hosts::Thread;
use super::*;
use crate::functions::{Function, Terms};
use crate::holders::{self, ACTOR, Left};
use crate::mailbox::Mailbox;
use crate::refs::KeyMap;

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

fn actor(key: Key) -> Arc<Actor> {
    let definition = Definition {
        function: Function {
            name: "A".to_owned(),
            source: String::new(),
        },
        terms: Terms::default(),
    };
    let found = Found {
        key,
        id: [0; 4],
        class: 0,
    };
    Actor::new(found, None, Arc::new(definition))
}

fn some_actor() -> Arc<Actor> {
    actor(Key {
        index: 0,
        generation: 1,
    })
}

// The last handle.

/// An actor that has nothing to do, and who it is known to.
struct Scope {
    holders: AtomicU32,
    /// Its lock; how often it has ended.
    ended: Mutex<u32>,
    freed: AtomicU32,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum ScopeFault {
    Nothing,
    /// Whether it is the last is looked at before it ends, and not at once with it.
    EndsLater,
    /// Who takes a handle does not ask whether it has ended.
    TakesUnseen,
}

impl Scope {
    /// The steps of `release`, `out_of_scope` and `end_if_idle`.
    fn let_go(&self, fault: ScopeFault) {
        match holders::one_less(&self.holders) {
            Left::Itself => {}
            left => {
                assert_eq!(left, Left::Others, "a handle keeps the slot");
                return;
            }
        }
        {
            let mut ended = self.ended.lock();
            let is_last = match fault {
                ScopeFault::EndsLater => {
                    let is_last = self.holders.load(Ordering::Acquire) == ACTOR | 1;
                    if is_last {
                        holders::end(&self.holders);
                    }
                    is_last
                }
                _ => holders::end_if_last(&self.holders),
            };
            if !is_last {
                return;
            }
            *ended += 1;
        }
        let left = holders::one_less(&self.holders);
        assert_eq!(left, Left::Nobody, "it ends under a handle");
        self.freed.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody who has no handle takes one.
    fn take(&self, fault: ScopeFault) -> bool {
        if fault == ScopeFault::TakesUnseen {
            holders::one_more(&self.holders);
            return true;
        }
        holders::one_more_of_actor(&self.holders) == Some(true)
    }
}

fn last_handle(fault: ScopeFault) {
    check(move || {
        let scope = Arc::new(Scope {
            // Its own, and that of the first.
            holders: AtomicU32::new(ACTOR | 2),
            ended: Mutex::new(0),
            freed: AtomicU32::new(0),
        });
        let others = [(); 2].map(|()| {
            let scope = scope.clone();
            thread::spawn(move || {
                if scope.take(fault) {
                    let is_alive = scope.holders.load(Ordering::Relaxed) & ACTOR != 0;
                    assert!(is_alive, "it ends under a handle");
                    scope.let_go(fault);
                }
            })
        });
        scope.let_go(fault);
        for thread in others {
            thread.join().unwrap();
        }
        assert_eq!(*scope.ended.lock(), 1, "it ends once");
        assert_eq!(scope.freed.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn of_the_end_of_the_last_handle_and_a_new_one_one_comes_first() {
    last_handle(ScopeFault::Nothing);
}

#[test]
#[should_panic(expected = "it ends under a handle")]
fn who_looks_first_and_ends_it_then_ends_it_under_a_handle() {
    last_handle(ScopeFault::EndsLater);
}

#[test]
#[should_panic(expected = "a handle")]
fn who_does_not_ask_has_a_handle_to_what_has_ended() {
    last_handle(ScopeFault::TakesUnseen);
}

// A thread that goes to sleep.

/// Sticky, as an event loop's is. Who sleeps with nobody left to ring makes loom report a deadlock.
#[derive(Debug, Default)]
struct TestBell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl TestBell {
    fn sleep(&self) {
        let mut rung = self.rung.lock();
        while !*rung {
            rung = self.ringing.wait(rung);
        }
        *rung = false;
    }
}

impl Bell for TestBell {
    fn ring(&self) {
        *self.rung.lock() = true;
        self.ringing.notify_one();
    }
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum SleepFault {
    Nothing,
    /// Who goes to sleep looks for a turn, and announces itself then.
    LooksFirst,
    /// Who has something for it rings, and puts it there then.
    RingsFirst,
}

/// A thread that runs one actor, at place 0.
struct Host {
    hosts: Hosts,
    mailbox: Arc<Mailbox>,
    bell: Arc<TestBell>,
    actor: Arc<Actor>,
}

impl Host {
    fn new() -> Arc<Self> {
        let bell = Arc::<TestBell>::default();
        let (hosts, actor) = (Hosts::new(1), some_actor());
        let mailbox = Mailbox::new(bell.clone(), &Arc::default());
        let thread = Thread {
            actors: KeyMap::from_iter([(actor.key, actor.clone())]),
            mailbox: mailbox.clone(),
            is_shared: true,
        };
        hosts.arrange(|placement| drop(placement.threads.insert(0, thread)));
        Arc::new(Self {
            hosts,
            mailbox,
            bell,
            actor,
        })
    }

    /// The steps of `forage` and `announce`, until there is something to do.
    fn sleep_until(&self, finds: impl Fn() -> bool, fault: SleepFault) {
        loop {
            if finds() {
                return;
            }
            let found = fault == SleepFault::LooksFirst && finds();
            if !self.mailbox.announce() {
                return;
            }
            if found || (fault != SleepFault::LooksFirst && finds()) {
                self.mailbox.retract();
                return;
            }
            self.bell.sleep();
            self.mailbox.retract();
        }
    }
}

/// Two callers have something for an actor whose thread is about to sleep.
fn a_turn_comes(fault: SleepFault) {
    check(move || {
        let host = Host::new();
        let callers = [(); 2].map(|()| {
            let host = host.clone();
            thread::spawn(move || {
                if fault == SleepFault::RingsFirst {
                    host.mailbox.nudge();
                    host.hosts.schedule(0, host.actor.clone());
                } else {
                    host.hosts.schedule(0, host.actor.clone());
                    host.mailbox.nudge();
                }
            })
        });
        for _ in 0..2 {
            host.sleep_until(|| host.hosts.has_turn(0), fault);
            assert!(host.hosts.next(0).is_some());
        }
        for thread in callers {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_thread_does_not_sleep_beside_a_turn() {
    a_turn_comes(SleepFault::Nothing);
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_looks_before_it_announces_itself_sleeps_beside_a_turn() {
    a_turn_comes(SleepFault::LooksFirst);
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_is_rung_for_before_the_turn_is_there_sleeps_beside_it() {
    a_turn_comes(SleepFault::RingsFirst);
}

/// The last actor of a thread ends while it is about to sleep.
fn the_last_actor_ends(fault: SleepFault) {
    check(move || {
        let host = Host::new();
        let ends = thread::spawn({
            let host = host.clone();
            move || host.hosts.forget(&host.actor)
        });
        host.sleep_until(|| host.hosts.is_vacant(0), fault);
        ends.join().unwrap();
    });
}

#[test]
fn a_thread_hears_that_its_last_actor_has_ended() {
    the_last_actor_ends(SleepFault::Nothing);
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_looks_before_it_announces_itself_stays_a_thread_for_no_actors() {
    the_last_actor_ends(SleepFault::LooksFirst);
}

// An instance that is lost.

/// Places of the instance that is lost, and of the one after it.
const OLD: usize = 0;
const NEW: usize = 1;

#[derive(Copy, Clone, PartialEq, Eq)]
enum LossFault {
    Nothing,
    /// The old thread looks whether its report counts, and has it count after that.
    CountsLater,
    /// Who gives a call back does not ask whether it is somewhere else by now.
    AsksNotWhere,
    /// The old thread looks whether a call is with it, and sees to it after that, without having said so.
    AnswersLater,
}

/// A constructor reports that it has returned, while its instance is lost and made anew elsewhere.
fn a_constructor_returns(fault: LossFault) {
    check(move || {
        let actor = some_actor();
        actor.state.lock().life = Life::Starting {
            place: OLD,
            has_begun: true,
        };
        let loses = thread::spawn({
            let actor = actor.clone();
            // The steps of `lose` and `move_in`.
            move || {
                actor.state.lock().life = Life::Unplaced;
                actor.state.lock().life = Life::Starting {
                    place: NEW,
                    has_begun: false,
                };
            }
        });
        // The steps of `ends_here` and `constructed`.
        let is_there = actor.state.lock().life.constructs_at(OLD);
        if is_there {
            let mut state = actor.state.lock();
            let counts = fault == LossFault::CountsLater || state.life.constructs_at(OLD);
            if let (true, Some(place)) = (counts, state.life.place()) {
                state.life = Life::Alive { place };
            }
        }
        loses.join().unwrap();
        let state = actor.state.lock();
        let is_made_there = matches!(
            state.life,
            Life::Starting {
                place: NEW,
                has_begun: false
            }
        );
        assert!(
            is_made_there,
            "it is not made where it is: {:?}",
            state.life
        );
    });
}

#[test]
fn a_constructor_whose_instance_is_lost_counts_nothing() {
    a_constructor_returns(LossFault::Nothing);
}

#[test]
#[should_panic(expected = "it is not made where it is")]
fn who_counts_a_constructor_after_a_look_has_an_actor_without_an_instance() {
    a_constructor_returns(LossFault::CountsLater);
}

/// An actor whose only call is with the old thread.
struct OneCall {
    table: Table,
    key: Key,
    actor: Arc<Actor>,
}

impl OneCall {
    fn new() -> Arc<Self> {
        let table = Table::new();
        let key = table.reserve();
        table.advance(key, Phase::New, Phase::Ready);
        let actor = some_actor();
        let this = Self { table, key, actor };
        let (caller, group) = (Caller(key), 0);
        let call = Call { key, caller, group };
        this.actor.state.lock().calls.arrive(call, true);
        assert_eq!(this.hand_out(OLD), [key]);
        Arc::new(this)
    }

    /// The steps of a round of the thread at a place.
    fn hand_out(&self, place: usize) -> Vec<Key> {
        let mut state = self.actor.state.lock();
        state.life = Life::Alive { place };
        let offer = |key| self.table.advance(key, Phase::Ready, Phase::Offered);
        state.calls.hand_out(place, 1, offer)
    }

    /// The steps of `has_turn_again`.
    fn has_turn_again(&self) {
        let mut state = self.actor.state.lock();
        if self.table.advance(self.key, Phase::Offered, Phase::Ready) {
            state.calls.come_back(self.key);
        }
    }

    /// The steps of `lose` and `make_again`, and of a round of the new thread.
    fn lose(&self) -> Vec<Key> {
        let handed = {
            let mut state = self.actor.state.lock();
            state.life = Life::Unplaced;
            state.calls.leave()
        };
        if !handed.is_empty() {
            self.has_turn_again();
        }
        self.hand_out(NEW)
    }
}

/// A call is given back unbegun by the old thread, while its instance is lost and the call goes to the new one.
fn a_call_comes_back(fault: LossFault) {
    check(move || {
        let one = OneCall::new();
        let OneCall { table, key, actor } = &*one;
        let key = *key;
        let loses = thread::spawn({
            let one = one.clone();
            move || one.lose()
        });
        // The steps of `not_begun`.
        {
            let mut state = actor.state.lock();
            if fault == LossFault::AsksNotWhere || state.calls.is_at(key, OLD) {
                table.advance(key, Phase::Offered, Phase::Ready);
                state.calls.come_back(key);
            }
        }
        let handed = loses.join().unwrap();
        let state = actor.state.lock();
        let is_there = state.calls.is_at(key, NEW) && table.phase(key) == Some(Phase::Offered);
        assert_eq!(handed, [key], "it is nowhere: {:?}", state.calls);
        assert!(is_there, "it is with two: {:?}", state.calls);
    });
}

#[test]
fn a_call_that_comes_back_late_is_with_one_thread() {
    a_call_comes_back(LossFault::Nothing);
}

#[test]
#[should_panic(expected = "it is with two")]
fn who_does_not_ask_where_a_call_is_takes_it_from_the_thread_that_has_it() {
    a_call_comes_back(LossFault::AsksNotWhere);
}

/// A call's code throws what may be tried again on the old thread, while its instance is lost and the call may go to the new one.
fn a_call_throws(fault: LossFault) {
    check(move || {
        let one = OneCall::new();
        let loses = thread::spawn({
            let one = one.clone();
            move || one.lose()
        });
        // The steps of `result_of_actor` and `run_again`.
        let counts = {
            let mut state = one.actor.state.lock();
            match fault {
                LossFault::AnswersLater => state.calls.is_at(one.key, OLD),
                _ => state.calls.answer(one.key, OLD),
            }
        };
        if counts {
            one.has_turn_again();
        }
        let handed = loses.join().unwrap();
        let state = one.actor.state.lock();
        let is_there = state.calls.is_at(one.key, NEW);
        let phase = one.table.phase(one.key);
        match handed.is_empty() {
            true => assert!(state.calls.has_turn() && phase == Some(Phase::Ready)),
            false => assert!(
                is_there && phase == Some(Phase::Offered),
                "it is made again twice"
            ),
        }
    });
}

#[test]
fn a_call_that_throws_while_its_instance_is_lost_is_made_again_once() {
    a_call_throws(LossFault::Nothing);
}

#[test]
#[should_panic(expected = "it is made again twice")]
fn who_sees_to_a_call_after_a_look_takes_it_from_the_thread_that_has_it() {
    a_call_throws(LossFault::AnswersLater);
}

// A thread that ends.

#[derive(Copy, Clone, PartialEq, Eq)]
enum MoveFault {
    Nothing,
    /// Who moves in does not look whether the thread is there.
    LooksNotOnce,
}

/// An actor moves in while the thread ends: it lives there and is lost with it, or looks for another.
fn a_thread_ends(fault: MoveFault) {
    check(move || {
        let host = Host::new();
        host.actor.state.lock().life = Life::Unplaced;
        let ends = thread::spawn({
            let host = host.clone();
            // The steps of `lose_all_of`: whether it finds somebody to make anew.
            move || {
                let lost = host.hosts.close(0).into_iter();
                let at = |actor: &Arc<Actor>| actor.state.lock().life.place() == Some(0);
                lost.filter(at).count()
            }
        });
        // The steps of `move_in`.
        let looks_for_another = {
            let mut state = host.actor.state.lock();
            let is_there = fault == MoveFault::LooksNotOnce || host.hosts.is_at(&host.actor, 0);
            if is_there {
                state.life = Life::Starting {
                    place: 0,
                    has_begun: false,
                };
            }
            !is_there
        };
        let lost = ends.join().unwrap();
        let cared_for = lost + usize::from(looks_for_another);
        assert_eq!(cared_for, 1, "nobody makes it");
    });
}

#[test]
fn an_actor_that_moves_in_while_the_thread_ends_is_made_elsewhere() {
    a_thread_ends(MoveFault::Nothing);
}

#[test]
#[should_panic(expected = "nobody makes it")]
fn who_moves_in_without_a_look_is_lost_with_nobody_to_care() {
    a_thread_ends(MoveFault::LooksNotOnce);
}
