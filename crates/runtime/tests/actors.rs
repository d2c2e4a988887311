//! What actors promise, one promise per test: order, concurrency, life and death, threads, resources. Every test ends with a look whether
//! all is as it was before (`Stage::end`).
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use mobula_runtime::layout::{self, NO_TIMEOUT, reason};
use mobula_runtime::{ActorTerms, Demand, Reason, WHOLE};
use mobula_sched::Key;
use support::hand::{End, Hand};
use support::isolate::{Given, Method, NOBODY};
use support::record::{self, Outcome, TaskRecord};
use support::stage::{Stage, cpus, terms};

fn value(bytes: &[u8]) -> Outcome {
    Outcome::Value {
        bytes: bytes.to_vec(),
        refs: Vec::new(),
    }
}

fn thrown(bytes: &[u8]) -> Outcome {
    Outcome::Thrown {
        bytes: bytes.to_vec(),
        refs: Vec::new(),
    }
}

fn died(reason: u32) -> Outcome {
    Outcome::ActorDied { reason }
}

/// An actor of its own kind, and a method whose calls may be made again so often.
fn simple(stage: &mut Stage, retries: u32) -> (Key, Method) {
    of_terms(stage, terms(), retries)
}

fn of_terms(stage: &mut Stage, terms: ActorTerms, retries: u32) -> (Key, Method) {
    let (class, method) = (stage.class(terms, cpus(0)), stage.method(retries));
    (stage.driver.create(class, b"new", &[], &[]), method)
}

fn restarting(restarts: u32) -> ActorTerms {
    ActorTerms {
        restarts,
        ..terms()
    }
}

/// An actor whose constructor has run, and where.
fn alive(stage: &mut Stage, terms: ActorTerms, retries: u32) -> (Key, Method, usize) {
    let (actor, method) = of_terms(stage, terms, retries);
    stage.settle();
    (actor, method, stage.place_of(actor))
}

/// Calls that go on until they are told to end, on an actor of their own: arguments that are slow.
struct Gate {
    actor: Key,
    method: Method,
    start: usize,
}

impl Gate {
    fn new(stage: &mut Stage) -> Self {
        let (actor, method, start) = alive(stage, terms(), 0);
        Self {
            actor,
            method,
            start,
        }
    }

    /// The bytes begin with `~`.
    fn close(&self, stage: &mut Stage, bytes: &[u8]) -> Key {
        let key = stage.driver.call(self.actor, self.method, bytes);
        stage.settle();
        key
    }

    fn open(&self, stage: &mut Stage, bytes: &[u8]) {
        stage.hand(self.start).finish(bytes);
        stage.settle();
    }
}

// Order and concurrency.

#[test]
fn calls_of_a_caller_begin_in_order_whatever_order_their_arguments_come_in() {
    let mut stage = Stage::new(|_| ());
    let gate = Gate::new(&mut stage);
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let slow = [b"~1", b"~2"].map(|bytes| gate.close(&mut stage, bytes));
    let call = |stage: &mut Stage, bytes: &[u8], deps: &[Key]| {
        let driver = &mut stage.driver;
        driver.call_in(NOBODY, actor, method, bytes, (deps, &[]))
    };
    call(&mut stage, b"a", &[]);
    call(&mut stage, b"b", &slow[..1]);
    call(&mut stage, b"c", &slow[1..]);
    call(&mut stage, b"d", &[]);
    stage.settle();
    assert_eq!(stage.hand(start).calls_of(actor), [b"a"]);
    gate.open(&mut stage, b"~2");
    assert_eq!(stage.hand(start).calls_of(actor), [b"a"]);
    gate.open(&mut stage, b"~1");
    assert_eq!(stage.hand(start).calls_of(actor), [b"a", b"b", b"c", b"d"]);
    stage.end();
}

#[test]
fn a_slow_argument_holds_up_no_other_caller() {
    let mut stage = Stage::new(|_| ());
    let gate = Gate::new(&mut stage);
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let slow = gate.close(&mut stage, b"~1");
    let other = stage.driver.put(b"another task", &[]);
    let driver = &mut stage.driver;
    driver.call_in(NOBODY, actor, method, b"a1", (&[slow], &[]));
    driver.call_in(NOBODY, actor, method, b"a2", (&[], &[]));
    driver.call_in(other, actor, method, b"b1", (&[], &[]));
    stage.settle();
    assert_eq!(stage.hand(start).calls_of(actor), [b"b1"]);
    gate.open(&mut stage, b"~1");
    assert_eq!(stage.hand(start).calls_of(actor), [b"b1", b"a1", b"a2"]);
    stage.end();
}

#[test]
fn out_of_order_a_call_that_is_ready_passes_one_that_is_not() {
    let mut stage = Stage::new(|_| ());
    let gate = Gate::new(&mut stage);
    let out_of_order = ActorTerms::default();
    let (actor, method, start) = alive(&mut stage, out_of_order, 0);
    let slow = gate.close(&mut stage, b"~1");
    let driver = &mut stage.driver;
    driver.call_in(NOBODY, actor, method, b"a", (&[slow], &[]));
    driver.call(actor, method, b"b");
    stage.settle();
    assert_eq!(stage.hand(start).calls_of(actor), [b"b"]);
    gate.open(&mut stage, b"~1");
    stage.end();
}

#[test]
fn a_call_whose_argument_fails_holds_up_nobody() {
    let mut stage = Stage::new(|_| ());
    let gate = Gate::new(&mut stage);
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let slow = gate.close(&mut stage, b"~1");
    let driver = &mut stage.driver;
    let first = driver.call_in(NOBODY, actor, method, b"a", (&[slow], &[]));
    driver.call(actor, method, b"b");
    stage.driver.cancel(slow, false, false);
    stage.settle();
    assert_eq!(stage.outcomes(&[first]), [Outcome::Cancelled]);
    assert_eq!(stage.hand(start).calls_of(actor), [b"b"]);
    stage.hand(gate.start).finish(b"~1");
    stage.end();
}

#[test]
fn so_many_calls_go_on_at_once_as_its_terms_say_and_groups_do_not_count_together() {
    let mut stage = Stage::new(|_| ());
    let of_two = ActorTerms {
        concurrency: 2,
        groups: vec![1],
        ..terms()
    };
    let (actor, plain, start) = alive(&mut stage, of_two, 0);
    let grouped = stage.method_of(1, 0, None);
    stage.hand(start).groups.insert(grouped.function, 1);
    for bytes in [b"~1", b"~2", b"~3"] {
        stage.driver.call(actor, plain, bytes);
    }
    for bytes in [b"~4", b"~5"] {
        stage.driver.call(actor, grouped, bytes);
    }
    stage.settle();
    let going = |stage: &mut Stage| stage.hand(start).going_on();
    assert_eq!(going(&mut stage), [b"~1", b"~2", b"~4"]);
    stage.hand(start).finish(b"~4");
    stage.settle();
    assert_eq!(going(&mut stage), [b"~1", b"~2", b"~5"]);
    stage.hand(start).finish(b"~1");
    stage.settle();
    assert_eq!(going(&mut stage), [b"~2", b"~5", b"~3"]);
    for bytes in [b"~2", b"~3", b"~5"] {
        stage.hand(start).finish(bytes);
    }
    stage.end();
}

#[test]
fn a_call_that_is_cancelled_before_it_begins_takes_no_part_of_its_group() {
    let mut stage = Stage::new(|_| ());
    let one = ActorTerms {
        concurrency: 1,
        ..terms()
    };
    let (actor, method, start) = alive(&mut stage, one, 0);
    let calls = [b"a", b"b", b"c"].map(|bytes| stage.driver.call(actor, method, bytes));
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round() && hand.begin_next());
    stage.driver.cancel(calls[1], false, false);
    while stage.hand(start).begin_next() {}
    stage.settle();
    assert_eq!(stage.hand(start).calls_of(actor), [b"a", b"c"]);
    let outcomes = stage.outcomes(&calls);
    assert_eq!(outcomes, [value(b"a"), Outcome::Cancelled, value(b"c")]);
    stage.driver.call(actor, method, b"~d");
    stage.settle();
    stage.driver.call(actor, method, b"e");
    stage.settle();
    assert_eq!(stage.hand(start).calls_of(actor).len(), 3, "one at once");
    stage.hand(start).finish(b"~d");
    stage.settle();
    assert_eq!(
        stage.hand(start).calls_of(actor).len(),
        4,
        "and one after it"
    );
    stage.end();
}

#[test]
fn a_call_that_goes_on_when_it_is_cancelled_keeps_its_part_until_its_code_has_ended() {
    let mut stage = Stage::new(|_| ());
    let one = ActorTerms {
        concurrency: 1,
        ..terms()
    };
    let (actor, method, start) = alive(&mut stage, one, 0);
    let first = stage.driver.call(actor, method, b"~a");
    stage.settle();
    stage.driver.call(actor, method, b"b");
    stage.driver.cancel(first, false, false);
    stage.settle();
    assert_eq!(stage.outcomes(&[first]), [Outcome::Cancelled]);
    assert_eq!(stage.hand(start).isolate.unwanted, [(first, false)]);
    assert_eq!(stage.hand(start).calls_of(actor), [b"~a"]);
    stage.hand(start).finish(b"~a");
    stage.settle();
    assert_eq!(stage.hand(start).calls_of(actor).len(), 2);
    stage.end();
}

#[test]
fn calls_that_are_queued_are_cancelled_in_any_number_and_the_rest_runs() {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let calls: Vec<Key> = (0..40)
        .map(|_| stage.driver.call(actor, method, b"x"))
        .collect();
    for key in calls.iter().step_by(2) {
        stage.driver.cancel(*key, false, false);
    }
    stage.settle();
    assert_eq!(stage.hand(start).calls_of(actor).len(), 20);
    stage.end();
}

#[test]
fn only_so_many_calls_may_be_pending() {
    let mut stage = Stage::new(|_| ());
    let at_most_two = ActorTerms {
        pending_max: Some(2),
        ..terms()
    };
    let (actor, method, start) = alive(&mut stage, at_most_two, 0);
    let room = |stage: &Stage| stage.driver.port.room_for_calls(actor);
    let first = stage.driver.call(actor, method, b"~1");
    stage.driver.call(actor, method, b"!2");
    stage.driver.flush();
    assert_eq!(room(&stage), 0);
    stage.settle();
    assert_eq!(room(&stage), 1, "one has thrown");
    stage.driver.cancel(first, false, false);
    assert_eq!(room(&stage), 2, "one was cancelled, though it goes on");
    stage.hand(start).finish(b"~1");
    stage.settle();
    stage.driver.kill(actor, true);
    assert_eq!(room(&stage), u32::MAX, "the dead say so by themselves");
    stage.driver.call(actor, method, b"3");
    stage.end();
}

// Life and death.

#[test]
fn an_actor_ends_when_its_last_handle_is_gone_after_its_queued_calls() {
    let mut stage = Stage::new(|_| ());
    let (actor, method) = simple(&mut stage, 0);
    let calls = [b"a", b"b"].map(|bytes| stage.driver.call(actor, method, bytes));
    stage.driver.release(actor);
    stage.settle();
    assert_eq!(stage.outcomes(&calls), [value(b"a"), value(b"b")]);
    assert_eq!(stage.places_of(actor), [0; 0]);
    stage.end();
}

#[test]
fn an_actor_that_has_nothing_to_do_ends_with_its_last_handle() {
    let mut stage = Stage::new(|_| ());
    let (actor, _, start) = alive(&mut stage, terms(), 0);
    stage.driver.release(actor);
    stage.settle();
    assert_eq!(stage.places_of(actor), [0; 0]);
    assert!(stage.hand(start).is_asleep);
    stage.end();
}

#[test]
fn a_call_that_goes_on_keeps_its_actor() {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let call = stage.driver.call(actor, method, b"~a");
    stage.driver.release(actor);
    stage.settle();
    assert_eq!(stage.place_of(actor), start);
    stage.hand(start).finish(b"~a");
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"~a")]);
    assert_eq!(stage.places_of(actor), [0; 0]);
    stage.end();
}

#[test]
fn a_call_that_is_cancelled_unbegun_does_not_keep_its_actor() {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let call = stage.driver.call(actor, method, b"a");
    stage.driver.release(actor);
    stage.driver.flush();
    assert!(stage.hand(start).take_round());
    stage.driver.cancel(call, false, false);
    assert!(!stage.hand(start).begin_next());
    stage.settle();
    assert_eq!(stage.places_of(actor), [0; 0]);
    stage.end();
}

#[test]
fn calls_that_are_cancelled_while_there_is_no_thread_do_not_keep_an_actor() {
    let mut stage = Stage::new(|_| ());
    let more_than_there_is = stage.class(terms(), cpus(100));
    let method = stage.method(0);
    let actor = stage.driver.create(more_than_there_is, b"new", &[], &[]);
    let call = stage.driver.call(actor, method, b"a");
    stage.driver.release(actor);
    stage.driver.cancel(call, false, false);
    stage.settle();
    assert!(stage.driver.port.is_over(actor));
    stage.end();
}

#[test]
fn a_handle_inside_of_a_value_keeps_an_actor() {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let inner = stage.driver.put(b"inner", &[actor]);
    let outer = stage.driver.put(b"outer", &[inner]);
    stage.driver.release(actor);
    stage.driver.release(inner);
    stage.settle();
    assert_eq!(stage.place_of(actor), start);
    stage.driver.fetch(&[outer, inner]);
    let call = stage.driver.call(actor, method, b"a");
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"a")]);
    stage.driver.release(inner);
    stage.driver.release(outer);
    stage.driver.release(actor);
    stage.settle();
    assert_eq!(stage.places_of(actor), [0; 0]);
    stage.end();
}

#[test]
fn handles_of_a_thread_end_with_it() {
    let mut stage = Stage::new(|_| ());
    let other = stage.start();
    stage.settle();
    let (actor, _, start) = alive(&mut stage, terms(), 0);
    let other = if other == start { stage.start() } else { other };
    stage.hand(other).wake();
    stage.hand(other).isolate.retain(actor);
    stage.hand(other).isolate.flush();
    stage.driver.release(actor);
    stage.settle();
    assert_eq!(stage.place_of(actor), start);
    stage.die(other);
    stage.settle();
    assert_eq!(stage.places_of(actor), [0; 0]);
    stage.end();
}

#[test]
fn what_a_constructor_was_given_goes_with_its_actor() {
    let mut stage = Stage::new(|_| ());
    let (inner, _, _) = alive(&mut stage, terms(), 0);
    let class = stage.class(terms(), cpus(0));
    let outer = stage.driver.create(class, b"new", &[], &[inner]);
    stage.driver.release(inner);
    stage.settle();
    stage.place_of(inner);
    stage.driver.release(outer);
    stage.settle();
    assert_eq!(stage.places_of(inner), [0; 0]);
    stage.end();
}

#[test]
fn a_long_chain_of_actors_that_hold_each_other_ends_at_once() {
    let mut stage = Stage::new(|config| config.hosts_max = 1);
    let class = stage.class(terms(), cpus(0));
    let mut last = stage.driver.create(class, b"new", &[], &[]);
    for _ in 0..3000 {
        let next = stage.driver.create(class, b"new", &[], &[last]);
        stage.driver.release(last);
        last = next;
    }
    stage.settle();
    stage.driver.release(last);
    stage.settle();
    stage.end();
}

#[test]
fn a_detached_actor_lives_until_it_is_killed() {
    let mut stage = Stage::new(|_| ());
    let class = stage.class(
        ActorTerms {
            is_detached: true,
            ..terms()
        },
        cpus(0),
    );
    let (actor, is_new) = stage.driver.create_named(class, "one", b"new");
    assert!(is_new);
    stage.driver.release(actor);
    stage.settle();
    let start = stage.place_of(actor);
    assert_eq!(stage.driver.find("one"), Some(actor));
    stage.driver.kill(actor, true);
    stage.settle();
    assert!(!stage.hand(start).has(actor));
    assert_eq!(stage.driver.find("one"), None);
    stage.end();
}

// Names.

#[test]
fn of_those_who_create_a_name_the_first_makes_it_and_the_others_find_it() {
    let mut stage = Stage::new(|_| ());
    let class = stage.class(terms(), cpus(0));
    let other = stage.start();
    let (actor, is_new) = stage.driver.create_named(class, "one", b"new");
    assert!(is_new);
    let (found, is_new) = stage.driver.create_named(class, "one", b"new");
    assert_eq!((found, is_new), (actor, false));
    let isolate = &mut stage.hand(other).isolate;
    let (found, is_new) = isolate.create_named(class, "one", b"new");
    assert_eq!((found, is_new), (actor, false));
    stage.settle();
    let made: usize = stage
        .hands
        .iter()
        .flatten()
        .map(|hand| hand.begun.len())
        .sum();
    assert_eq!(made, 1);
    stage.hand(other).wake();
    stage.hand(other).isolate.release(found);
    stage.end();
}

#[test]
fn a_name_is_free_when_its_actor_has_ended() {
    let mut stage = Stage::new(|_| ());
    let class = stage.class(terms(), cpus(0));
    let (first, _) = stage.driver.create_named(class, "one", b"new");
    stage.settle();
    stage.driver.release(first);
    stage.driver.flush();
    assert_eq!(stage.driver.find("one"), None);
    let (second, is_new) = stage.driver.create_named(class, "one", b"new");
    assert!(is_new && second != first);
    let unnamed = stage.driver.create(class, b"new", &[], &[]);
    stage.driver.flush();
    stage.driver.create_named(class, "other", b"new");
    let name_of = |key| stage.runtime.actor_name(key).map(|name| name.1.clone());
    assert_eq!([second, unnamed].map(name_of), [Some("one".into()), None]);
    stage.driver.kill(second, true);
    assert_eq!(stage.runtime.actor_name(second), None);
    let (third, is_new) = stage.driver.create_named(class, "one", b"new");
    assert!(is_new && third != second);
    stage.end();
}

#[test]
fn who_finds_an_actor_by_its_name_keeps_it() {
    let mut stage = Stage::new(|_| ());
    let class = stage.class(terms(), cpus(0));
    let method = stage.method(0);
    let (actor, _) = stage.driver.create_named(class, "one", b"new");
    stage.settle();
    let start = stage.place_of(actor);
    stage.driver.call(actor, method, b"~a");
    stage.settle();
    stage.driver.release(actor);
    stage.driver.flush();
    // Nobody has a handle, and it goes on.
    assert!(stage.driver.port.is_unheld(actor));
    assert_eq!(stage.driver.find("one"), Some(actor));
    stage.hand(start).finish(b"~a");
    stage.settle();
    assert_eq!(stage.place_of(actor), start);
    stage.driver.release(actor);
    stage.settle();
    assert_eq!(stage.places_of(actor), [0; 0]);
    stage.end();
}

// Constructors.

#[test]
fn a_constructor_waits_for_its_arguments() {
    let mut stage = Stage::new(|_| ());
    let gate = Gate::new(&mut stage);
    let slow = gate.close(&mut stage, b"~1");
    let (class, method) = (stage.class(terms(), cpus(0)), stage.method(0));
    let actor = stage.driver.create(class, b"new", &[slow], &[]);
    let call = stage.driver.call(actor, method, b"a");
    stage.settle();
    assert_eq!(stage.places_of(actor), [0; 0]);
    gate.open(&mut stage, b"~1");
    assert_eq!(stage.outcomes(&[call]), [value(b"a")]);
    stage.end();
}

#[test]
fn calls_of_an_actor_whose_arguments_fail_come_to_the_same() {
    let mut stage = Stage::new(|_| ());
    let gate = Gate::new(&mut stage);
    let slow = gate.close(&mut stage, b"~1");
    let (class, method) = (stage.class(terms(), cpus(0)), stage.method(0));
    let actor = stage.driver.create(class, b"new", &[slow], &[]);
    let call = stage.driver.call(actor, method, b"a");
    stage.driver.cancel(slow, false, false);
    let late = stage.driver.call(actor, method, b"b");
    stage.settle();
    let outcomes = stage.outcomes(&[call, late]);
    assert_eq!(outcomes, [Outcome::Cancelled, Outcome::Cancelled]);
    stage.hand(gate.start).finish(b"~1");
    stage.end();
}

#[test]
fn a_constructor_that_throws_fails_each_call_with_its_cause() {
    let mut stage = Stage::new(|_| ());
    let (class, method) = (stage.class(restarting(3), cpus(0)), stage.method(1));
    let actor = stage.driver.create(class, b"!broken", &[], &[]);
    let call = stage.driver.call(actor, method, b"a");
    stage.settle();
    let late = stage.driver.call(actor, method, b"b");
    stage.settle();
    let broken = || Outcome::ActorBroken {
        bytes: b"!broken".to_vec(),
    };
    assert_eq!(stage.outcomes(&[call, late]), [broken(), broken()]);
    stage.end();
}

#[test]
fn a_constructor_that_ends_its_thread_is_run_again_as_often_as_it_may() {
    let mut stage = Stage::new(|_| ());
    let (actor, method) = of_terms(&mut stage, restarting(1), 1);
    stage.start();
    let call = stage.driver.call(actor, method, b"a");
    stage.driver.flush();
    for last in [false, true] {
        let start = (0..stage.hands.len()).find(|start| {
            let hand = stage.hands[*start].as_mut();
            hand.is_some_and(|hand| hand.take_round())
        });
        let start = start.unwrap();
        assert!(stage.hand(start).claim_next().is_some());
        let before = stage.outcomes(&[call]);
        assert_eq!(before, [Outcome::Pending], "{last}");
        stage.start();
        stage.die(start);
    }
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [died(reason::CRASHED)]);
    stage.end();
}

#[test]
fn a_constructor_that_had_not_begun_when_its_thread_ended_was_not_run_in_vain() {
    let mut stage = Stage::new(|config| config.totals.named = vec![("db".to_owned(), WHOLE)]);
    let named = Demand {
        named: vec![("db".to_owned(), WHOLE)],
        ..cpus(1)
    };
    let (class, method) = (stage.class(terms(), named), stage.method(0));
    let first = stage.start();
    let actor = stage.driver.create(class, b"new", &[], &[]);
    let call = stage.driver.call(actor, method, b"a");
    stage.driver.flush();
    assert!(stage.hand(first).take_round());
    stage.die(first);
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"a")]);
    assert_eq!(
        (stage.left("db"), stage.left("CPU")),
        (0, 0),
        "it holds them"
    );
    stage.end();
}

// Kill, exit, and threads that end.

/// The instances that there were of an actor, wherever.
fn constructions(stage: &Stage, actor: Key) -> usize {
    let hands = stage.hands.iter().flatten();
    hands.map(|hand| hand.constructions_of(actor)).sum()
}

/// How often a call with these bytes was begun on threads that live.
fn runs(stage: &Stage, bytes: &[u8]) -> usize {
    let hands = stage.hands.iter().flatten();
    let of_it = |begun: &&support::hand::Begun| begun.bytes == bytes;
    hands
        .map(|hand| hand.begun.iter().filter(of_it).count())
        .sum()
}

#[test]
fn who_kills_an_actor_ends_all_its_calls_and_later_ones() {
    let mut stage = Stage::new(|_| ());
    let gate = Gate::new(&mut stage);
    let slow = gate.close(&mut stage, b"~1");
    let (actor, method, start) = alive(&mut stage, restarting(3), 3);
    let going = stage.driver.call(actor, method, b"~2");
    stage.settle();
    let driver = &mut stage.driver;
    let waiting = driver.call_in(NOBODY, actor, method, b"a", (&[slow], &[]));
    let behind = driver.call(actor, method, b"b");
    driver.kill(actor, true);
    driver.kill(actor, true);
    let late = driver.call(actor, method, b"c");
    stage.settle();
    let outcomes = stage.outcomes(&[going, waiting, behind, late]);
    assert_eq!(outcomes, [(); 4].map(|()| died(reason::KILLED)));
    assert!(!stage.hand(start).has(actor), "it was told");
    stage.hand(start).finish(b"~2");
    gate.open(&mut stage, b"~1");
    stage.end();
}

#[test]
fn an_actor_that_is_killed_before_it_has_a_thread_never_has_one() {
    let mut stage = Stage::new(|_| ());
    let (actor, method) = simple(&mut stage, 0);
    let call = stage.driver.call(actor, method, b"a");
    stage.driver.flush();
    stage.driver.kill(actor, true);
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [died(reason::KILLED)]);
    assert_eq!(constructions(&stage, actor), 0);
    stage.end();
}

#[test]
fn a_constructor_that_was_handed_out_does_not_begin_once_its_actor_is_killed() {
    let mut stage = Stage::new(|_| ());
    let start = stage.start();
    let (actor, _) = simple(&mut stage, 0);
    stage.driver.flush();
    assert!(stage.hand(start).take_round());
    stage.driver.kill(actor, true);
    assert!(!stage.hand(start).begin_next());
    stage.settle();
    stage.end();
}

#[test]
fn a_constructor_that_does_not_end_loses_its_thread_when_its_actor_is_killed() {
    let mut stage = Stage::new(|config| config.totals.named = vec![("db".to_owned(), WHOLE)]);
    let demand = Demand {
        named: vec![("db".to_owned(), WHOLE)],
        ..cpus(1)
    };
    let class = stage.class(restarting(3), demand);
    let start = stage.start();
    let actor = stage.driver.create(class, b"new", &[], &[]);
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round() && hand.claim_next().is_some());
    stage.driver.kill(actor, true);
    assert_eq!(stage.left("db"), 0, "its code runs");
    stage.runtime.skip_time(Duration::from_secs(2));
    stage.step_driver();
    assert!(stage.hands[start].is_none(), "its thread is ended");
    assert_eq!(stage.left("db"), WHOLE);
    stage.end();
}

#[test]
fn what_a_killed_constructor_held_is_there_when_it_has_ended() {
    let mut stage = Stage::new(|config| config.totals.named = vec![("db".to_owned(), WHOLE)]);
    let demand = Demand {
        named: vec![("db".to_owned(), WHOLE)],
        ..cpus(1)
    };
    let class = stage.class(terms(), demand);
    let inner = stage.driver.put(b"inner", &[]);
    let start = stage.start();
    let actor = stage.driver.create(class, b"new", &[inner], &[]);
    stage.driver.release(inner);
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round());
    let record = hand.claim_next().unwrap();
    stage.driver.kill(actor, true);
    assert_eq!(stage.left("db"), 0, "its code runs");
    let hand = stage.hand(start);
    assert_eq!(hand.isolate.fetch(&[inner]), [value(b"inner")]);
    hand.run(&record);
    stage.settle();
    assert_eq!(stage.left("db"), WHOLE);
    stage.end();
}

#[test]
fn code_that_does_not_end_loses_its_thread_when_its_actor_is_killed() {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let call = stage.driver.call(actor, method, b"a");
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round() && hand.claim_next().is_some());
    stage.driver.kill(actor, true);
    assert_eq!(stage.outcomes(&[call]), [died(reason::KILLED)]);
    stage.runtime.skip_time(Duration::from_millis(20));
    stage.step_driver();
    assert!(stage.hands[start].is_none());
    stage.end();
}

#[test]
fn code_that_goes_on_does_not_lose_its_thread_when_its_actor_is_killed() {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    stage.driver.call(actor, method, b"~a");
    stage.settle();
    stage.driver.kill(actor, true);
    stage.settle();
    stage.runtime.skip_time(Duration::from_secs(10));
    stage.settle();
    // Others may use it though the code goes on.
    let (other, _, there) = alive(&mut stage, terms(), 0);
    assert_eq!(there, start);
    stage.hand(start).finish(b"~a");
    stage.settle();
    assert_eq!(stage.place_of(other), start);
    stage.end();
}

#[test]
fn a_killed_actor_that_may_be_made_again_is_and_calls_that_may_be_made_again_wait() {
    let mut stage = Stage::new(|_| ());
    let (actor, once, start) = alive(&mut stage, restarting(1), 0);
    let again = stage.method(1);
    stage.driver.call(actor, again, b"~going");
    let lost = stage.driver.call(actor, once, b"~lost");
    stage.settle();
    let refused = stage.driver.call(actor, once, b"refused");
    let kept = stage.driver.call(actor, again, b"kept");
    // Before any of them begins.
    stage.driver.kill(actor, false);
    let late_refused = stage.driver.call(actor, once, b"late refused");
    let late = stage.driver.call(actor, again, b"late");
    stage.settle();
    let unavailable = [lost, refused, late_refused];
    let outcomes = stage.outcomes(&unavailable);
    assert_eq!(outcomes, [(); 3].map(|()| Outcome::ActorUnavailable));
    assert_eq!(
        stage.outcomes(&[kept, late]),
        [value(b"kept"), value(b"late")]
    );
    assert_eq!(constructions(&stage, actor), 2);
    assert_eq!(runs(&stage, b"~going"), 2, "it is made again");
    for hand in stage.hands.iter_mut().flatten() {
        while hand.going_on().contains(&b"~going".to_vec()) {
            hand.finish(b"~going");
        }
    }
    if stage.hand(start).going_on().contains(&b"~lost".to_vec()) {
        stage.hand(start).finish(b"~lost");
    }
    stage.settle();
    stage.driver.kill(actor, false);
    stage.settle();
    let dead = stage.driver.call(actor, again, b"dead");
    stage.settle();
    assert_eq!(stage.outcomes(&[dead]), [died(reason::KILLED)]);
    stage.end();
}

/// A call goes on in an instance that is lost, is made again on the same thread, and the old run ends before the new one.
#[test]
fn an_old_run_of_a_call_ends_beside_its_new_one_on_the_same_thread() {
    let mut stage = Stage::new(|config| config.workers_max = 1);
    let limited = Duration::from_secs(3600);
    let (actor, _, start) = alive(&mut stage, restarting(2), 1);
    let again = stage.method_of(0, 2, Some(limited));
    let call = stage.driver.call(actor, again, b"~a");
    stage.settle();
    stage.driver.kill(actor, false);
    stage.settle();
    assert_eq!(stage.hand(start).going_on(), [b"~a", b"~a"]);
    stage.hand(start).finish(b"~a");
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [Outcome::Pending]);
    stage.hand(start).finish(b"~a");
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"~a")]);
    stage.end();
}

#[test]
fn a_new_run_of_a_call_that_does_not_begin_comes_back_though_the_old_one_goes_on() {
    let mut stage = Stage::new(|config| config.workers_max = 1);
    let (actor, again, start) = alive(&mut stage, restarting(2), 1);
    let call = stage.driver.call(actor, again, b"~a");
    stage.settle();
    stage.driver.kill(actor, false);
    let hand = stage.hand(start);
    hand.wake();
    hand.read_mail();
    // The constructor, then the call, which is not begun in its first round.
    assert!(hand.take_round() && hand.begin_next());
    assert!(hand.take_round() && hand.has_round());
    assert!(hand.take_round() && hand.begin_next());
    stage.settle();
    stage.hand(start).finish(b"~a");
    stage.settle();
    assert_eq!(stage.hand(start).going_on(), [b"~a"]);
    stage.hand(start).finish(b"~a");
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"~a")]);
    stage.end();
}

/// A call goes on in an instance that is lost, and once more in the one after it, on the same thread. What comes of the old run comes late.
fn an_old_run_ends_as(end: End) {
    let mut stage = Stage::new(|config| config.workers_max = 1);
    let (actor, again, start) = alive(&mut stage, restarting(2), 5);
    let call = stage.driver.call(actor, again, b"~a");
    stage.settle();
    stage.driver.kill(actor, false);
    stage.settle();
    let hand = stage.hand(start);
    assert_eq!(hand.going_on(), [b"~a", b"~a"]);
    assert!(hand.is_lost(b"~a"), "the first is the old one");
    hand.finish_unasked(b"~a", end);
    stage.settle();
    assert_eq!(stage.hand(start).calls_of(actor).len(), 2, "once again");
    assert_eq!(stage.outcomes(&[call]), [Outcome::Pending]);
    stage.hand(start).finish(b"~a");
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"~a")]);
    stage.end();
}

#[test]
fn a_late_result_of_a_lost_instance_counts_nothing() {
    an_old_run_ends_as(End::Returns);
}

#[test]
fn a_late_error_of_a_lost_instance_does_not_have_the_call_made_once_more() {
    an_old_run_ends_as(End::ThrowsAgain);
}

#[test]
fn a_call_that_a_lost_instance_hands_back_late_is_not_made_once_more() {
    an_old_run_ends_as(End::ComesBack);
}

#[test]
fn a_constructor_that_comes_back_late_is_not_run_beside_the_next() {
    let mut stage = Stage::new(|config| config.workers_max = 1);
    let start = stage.start();
    let (actor, method) = of_terms(&mut stage, restarting(1), 1);
    stage.driver.flush();
    let hand = stage.hand(start);
    // It waits for its module.
    assert!(hand.take_round());
    let old = hand.claim_next().unwrap();
    stage.driver.kill(actor, false);
    let hand = stage.hand(start);
    hand.read_mail();
    assert!(hand.take_round());
    let new = hand.claim_next().unwrap();
    assert_eq!((old.key, new.key), (actor, actor));
    hand.isolate.hand_back_of((old.key, old.birth));
    hand.run(&new);
    let call = stage.driver.call(actor, method, b"a");
    stage.settle();
    assert_eq!(stage.hand(start).constructions_of(actor), 1);
    assert_eq!(stage.outcomes(&[call]), [value(b"a")]);
    stage.end();
}

#[test]
fn an_exit_of_an_instance_that_was_lost_does_not_end_the_new_one_on_the_same_thread() {
    let mut stage = Stage::new(|config| config.workers_max = 1);
    let (actor, method, start) = alive(&mut stage, restarting(1), 0);
    stage.driver.kill(actor, false);
    stage.settle();
    let hand = stage.hand(start);
    hand.wake();
    hand.isolate.exit_actor(actor, 1);
    let call = stage.driver.call(actor, method, b"a");
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"a")]);
    stage.end();
}

/// The thread runs round after round without a look at its mail.
#[test]
fn an_instance_is_not_dropped_by_the_news_about_the_one_before() {
    let mut stage = Stage::new(|config| (config.workers_max, config.hosts_max) = (1, 1));
    let (actor, again, start) = alive(&mut stage, restarting(1), 1);
    let (_, busy) = simple(&mut stage, 0);
    stage.settle();
    let call = stage.driver.call(actor, again, b"a");
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round());
    let record = hand.claim_next().unwrap();
    // By its own code, say.
    hand.isolate.kill(actor, false);
    hand.run(&record);
    hand.run_rounds();
    stage.settle();
    assert_eq!(stage.place_of(actor), start);
    let later = stage.driver.call(actor, busy, b"b");
    stage.settle();
    assert_eq!(stage.outcomes(&[call, later]), [value(b"a"), value(b"b")]);
    stage.end();
}

#[test]
fn an_actor_that_exits_is_not_made_again() {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, restarting(5), 5);
    let call = stage.driver.call(actor, method, b"~a");
    let queued = stage.driver.call(actor, method, b"~b");
    stage.settle();
    stage.hand(start).wake();
    stage.hand(start).exit(actor);
    for bytes in [b"~a", b"~b"] {
        stage.hand(start).read_mail();
        stage.hand(start).finish(bytes);
    }
    stage.settle();
    let outcomes = stage.outcomes(&[call, queued]);
    assert_eq!(outcomes, [died(reason::EXITED), died(reason::EXITED)]);
    stage.end();
}

#[test]
fn an_exit_of_an_instance_that_was_lost_does_not_end_the_new_one() {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, restarting(1), 0);
    stage.driver.call(actor, method, b"~a");
    stage.settle();
    stage.driver.kill(actor, false);
    let other = stage.start();
    while !stage.hand(other).has(actor) {
        assert!(stage.hand(other).turn());
    }
    stage.hand(start).exit(actor);
    let call = stage.driver.call(actor, method, b"b");
    stage.hand(start).wake();
    stage.hand(start).read_mail();
    stage.hand(start).finish(b"~a");
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"b")]);
    stage.end();
}

/// A thread ends while its actor has calls that have ended, that run, that go on, and that are queued.
fn thread_ends(restarts: u32, retries: u32) -> (Vec<Outcome>, Vec<usize>) {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, restarting(restarts), retries);
    let done = stage.driver.call(actor, method, b"done");
    let going = stage.driver.call(actor, method, b"~going");
    stage.settle();
    let runs_now = stage.driver.call(actor, method, b"runs");
    let handed = stage.driver.call(actor, method, b"handed");
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round() && hand.claim_next().is_some());
    let queued = stage.driver.call(actor, method, b"queued");
    stage.driver.flush();
    stage.die(start);
    stage.settle();
    for hand in stage.hands.iter_mut().flatten() {
        if hand.has(actor) && hand.going_on().contains(&b"~going".to_vec()) {
            hand.finish(b"~going");
        }
    }
    stage.settle();
    let after = stage.driver.call(actor, method, b"after");
    stage.settle();
    let outcomes = stage.outcomes(&[done, going, runs_now, handed, queued, after]);
    let again: [&[u8]; 6] = [b"done", b"~going", b"runs", b"handed", b"queued", b"after"];
    let again = again.map(|bytes| runs(&stage, bytes)).to_vec();
    stage.end();
    (outcomes, again)
}

#[test]
fn without_restarts_all_calls_end_with_the_thread() {
    let (outcomes, again) = thread_ends(0, 3);
    assert_eq!(outcomes[0], value(b"done"));
    assert_eq!(outcomes[1..], [(); 5].map(|()| died(reason::CRASHED)));
    assert_eq!(again, [0; 6]);
}

#[test]
fn at_most_once_a_call_that_was_lost_or_meant_for_what_was_lost_is_refused() {
    let (outcomes, again) = thread_ends(1, 0);
    assert_eq!(outcomes[0], value(b"done"));
    let refused = [(); 4].map(|()| Outcome::ActorUnavailable);
    assert_eq!(outcomes[1..5], refused);
    assert_eq!(outcomes[5], value(b"after"));
    assert_eq!(again, [0, 0, 0, 0, 0, 1]);
}

#[test]
fn at_least_once_what_had_not_ended_is_made_again_in_order_and_nothing_else() {
    let (outcomes, again) = thread_ends(1, 1);
    let all: [&[u8]; 6] = [b"done", b"~going", b"runs", b"handed", b"queued", b"after"];
    assert_eq!(outcomes, all.map(value));
    assert_eq!(again, [0, 1, 1, 1, 1, 1]);
}

#[test]
fn a_call_is_made_again_as_often_as_it_may_and_no_more() {
    let mut stage = Stage::new(|_| ());
    let (actor, method) = of_terms(&mut stage, restarting(u32::MAX), 2);
    stage.settle();
    let call = stage.driver.call(actor, method, b"ends its thread");
    stage.driver.flush();
    for attempt in 0..3 {
        stage.step_driver();
        let start = stage.place_of(actor);
        let hand = stage.hand(start);
        hand.wake();
        assert!(hand.take_round());
        let record = hand.claim_next().unwrap();
        assert_eq!(hand.isolate.port.attempt(record.key), attempt);
        stage.die(start);
        // The constructor alone.
        let next = stage.start();
        let hand = stage.hand(next);
        assert!(hand.take_round() && hand.begin_next());
        hand.isolate.flush();
    }
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [Outcome::ActorUnavailable]);
    stage.end();
}

#[test]
fn a_call_that_throws_what_may_be_tried_again_goes_before_those_behind_it() {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, terms(), 2);
    let calls = [&b"?a"[..], b"b"].map(|bytes| stage.driver.call(actor, method, bytes));
    stage.settle();
    let outcomes = stage.outcomes(&calls);
    assert_eq!(outcomes, [thrown(b"?a"), value(b"b")]);
    let begun = stage.hand(start).calls_of(actor).len();
    assert_eq!(begun, 4);
    assert_eq!(constructions(&stage, actor), 1);
    stage.end();
}

// Threads.

#[test]
fn each_has_a_thread_of_its_own_as_long_as_there_are_few_and_shares_the_least_busy_after_that() {
    let mut stage = Stage::new(|config| config.hosts_max = 2);
    let places: Vec<usize> = (0..5).map(|_| alive(&mut stage, terms(), 0).2).collect();
    assert_ne!(places[0], places[1]);
    let count = |place| places.iter().filter(|other| **other == place).count();
    assert_eq!(count(places[0]) + count(places[1]), 5);
    assert!(
        count(places[0]).abs_diff(count(places[1])) == 1,
        "{places:?}"
    );
    stage.end();
}

#[test]
fn who_must_have_its_own_has_it_and_nobody_comes_there() {
    let mut stage = Stage::new(|config| config.hosts_max = 1);
    let own = ActorTerms {
        is_own: true,
        ..terms()
    };
    let (_, _, first) = alive(&mut stage, own.clone(), 0);
    // Though there is a thread for actors already, and no more should be.
    let (_, _, second) = alive(&mut stage, terms(), 0);
    let (_, _, third) = alive(&mut stage, own, 0);
    let (_, _, fourth) = alive(&mut stage, terms(), 0);
    assert!(first != second && third != first && third != second);
    assert_eq!(fourth, second);
    stage.end();
}

#[test]
fn those_who_wait_for_a_thread_that_another_brings_along_do_so_no_longer_than_it() {
    let mut stage = Stage::new(|config| config.hosts_max = 1);
    let (first, _) = simple(&mut stage, 0);
    let (second, method) = simple(&mut stage, 0);
    stage.driver.flush();
    stage.driver.kill(first, true);
    let call = stage.driver.call(second, method, b"a");
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"a")]);
    stage.end();
}

#[test]
fn where_no_more_threads_can_be_had_they_are_shared() {
    let mut stage = Stage::new(|config| config.workers_max = 1);
    let places: Vec<usize> = (0..3).map(|_| alive(&mut stage, terms(), 0).2).collect();
    assert_eq!(places, [0, 0, 0]);
    stage.end();
}

#[test]
fn one_that_must_have_its_own_waits_until_there_is_one() {
    let mut stage = Stage::new(|config| config.workers_max = 1);
    let (first, _, start) = alive(&mut stage, terms(), 0);
    let own = ActorTerms {
        is_own: true,
        ..terms()
    };
    let (second, method) = of_terms(&mut stage, own, 0);
    let call = stage.driver.call(second, method, b"a");
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [Outcome::Pending]);
    stage.driver.release(first);
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"a")]);
    assert_eq!(stage.place_of(second), start);
    stage.end();
}

#[test]
fn neighbours_end_with_their_thread_for_another_reason_than_who_ended_it() {
    let mut stage = Stage::new(|config| config.hosts_max = 1);
    let (culprit, method, start) = alive(&mut stage, terms(), 0);
    let (neighbour, _, _) = alive(&mut stage, terms(), 0);
    let (restarted, _, _) = alive(&mut stage, restarting(1), 0);
    let calls = [culprit, neighbour].map(|actor| stage.driver.call(actor, method, b"~a"));
    stage.settle();
    stage.driver.call(culprit, method, b"ends it");
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round() && hand.claim_next().is_some());
    stage.die(start);
    let later = stage.driver.call(restarted, method, b"b");
    stage.settle();
    let outcomes = stage.outcomes(&[calls[0], calls[1], later]);
    assert_eq!(outcomes[0], died(reason::CRASHED));
    assert_eq!(outcomes[1], died(reason::NEIGHBOUR));
    stage.place_of(restarted);
    stage.end();
}

#[test]
fn code_on_a_shared_thread_has_a_second_to_end_before_it_goes_with_its_neighbours() {
    let mut stage = Stage::new(|config| config.hosts_max = 1);
    let (killed, method, start) = alive(&mut stage, terms(), 0);
    let (neighbour, _, _) = alive(&mut stage, restarting(1), 0);
    stage.driver.call(killed, method, b"a");
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round() && hand.claim_next().is_some());
    stage.driver.kill(killed, true);
    stage.runtime.skip_time(Duration::from_millis(500));
    stage.step_driver();
    assert!(stage.hands[start].is_some(), "it has a second");
    stage.runtime.skip_time(Duration::from_millis(600));
    stage.step_driver();
    assert!(stage.hands[start].is_none());
    stage.settle();
    assert_ne!(stage.place_of(neighbour), start);
    stage.end();
}

#[test]
fn one_that_came_to_a_thread_which_is_being_ended_loses_nothing() {
    let mut stage = Stage::new(|config| (config.hosts_max, config.workers_max) = (1, 1));
    let (killed, method, start) = alive(&mut stage, terms(), 0);
    let (_, _, _) = alive(&mut stage, restarting(1), 0);
    stage.driver.call(killed, method, b"a");
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round() && hand.claim_next().is_some());
    stage.driver.kill(killed, true);
    // May not be made again, and waits behind code that does not end.
    let (late, _) = simple(&mut stage, 0);
    let call = stage.driver.call(late, method, b"b");
    stage.driver.flush();
    stage.runtime.skip_time(Duration::from_secs(2));
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"b")]);
    stage.end();
}

#[test]
fn a_task_that_is_run_inside_of_a_wait_of_an_actors_code_counts_as_any() {
    let mut stage = Stage::new(|_| ());
    let function = stage.function();
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let call = stage.driver.call(actor, method, b"a");
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round());
    let record = hand.claim_next().unwrap();
    let task = hand
        .isolate
        .submit_in(record.key, function, b"task", &Given::default());
    let inner = hand.isolate.take(task).expect("nobody has begun it");
    assert_eq!(inner.actor, None);
    hand.run(&inner);
    assert_eq!(hand.isolate.fetch(&[task]), [value(b"task")]);
    hand.run(&record);
    hand.isolate.release(task);
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"a")]);
    stage.end();
}

#[test]
fn a_task_that_was_run_inside_of_a_wait_of_an_actors_code_fails_with_the_thread() {
    let mut stage = Stage::new(|_| ());
    let function = stage.function();
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    stage.driver.call(actor, method, b"a");
    let task = stage.driver.submit(function, b"task", &[], &[]);
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round() && hand.claim_next().is_some());
    assert!(hand.isolate.take(task).is_some());
    stage.die(start);
    stage.settle();
    let outcome = stage.outcomes(&[task]).remove(0);
    assert!(matches!(outcome, Outcome::Crashed { .. }), "{outcome:?}");
    stage.end();
}

#[test]
fn what_is_behind_a_call_that_blocks_waits_for_it() {
    let mut stage = Stage::new(|_| ());
    let one = ActorTerms {
        concurrency: 1,
        ..terms()
    };
    let (actor, method, start) = alive(&mut stage, one, 0);
    let calls = [&b"a"[..], b"b", b"c"].map(|bytes| stage.driver.call(actor, method, bytes));
    stage.driver.flush();
    let other = stage.driver.put(b"x", &[]);
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round());
    let record = hand.claim_next().unwrap();
    let never = hand
        .isolate
        .call_in(record.key, actor, method, b"d", (&[], &[]));
    let token = hand.isolate.get(&[never]);
    hand.isolate.park(0);
    assert!(!hand.begin_next(), "the round was given back");
    hand.isolate.end_wait(token);
    while hand.isolate.drain().is_empty() {}
    hand.isolate.forget(token);
    hand.isolate.resume();
    hand.run(&record);
    hand.isolate.release(never);
    stage.settle();
    let begun = stage.hand(start).calls_of(actor).concat();
    assert_eq!(begun, b"abcd");
    assert_eq!(
        stage.outcomes(&calls),
        [value(b"a"), value(b"b"), value(b"c")]
    );
    stage.driver.release(other);
    stage.end();
}

// Waits of an actor's code for its neighbours.

/// `Reason` of the park.
const MAIL: u32 = 1;
const CYCLE: u32 = 4;
const HELPS: u32 = 6;

/// Two actors on the only thread, and a call of the first that has begun and does not return.
struct Neighbours {
    stage: Stage,
    start: usize,
    first: Key,
    second: Key,
    method: Method,
    caller: TaskRecord,
}

impl Neighbours {
    fn new() -> Self {
        let mut stage = Stage::new(|config| config.hosts_max = 1);
        let one = ActorTerms {
            concurrency: 1,
            ..terms()
        };
        let (first, method, start) = alive(&mut stage, one.clone(), 0);
        let (second, _, there) = alive(&mut stage, one, 0);
        assert_eq!(start, there);
        stage.driver.call(first, method, b"caller");
        stage.driver.flush();
        let hand = stage.hand(start);
        hand.wake();
        assert!(hand.take_round());
        let caller = hand.claim_next().unwrap();
        Self {
            stage,
            start,
            first,
            second,
            method,
            caller,
        }
    }

    fn hand(&mut self) -> &mut Hand {
        self.stage.hand(self.start)
    }

    /// The caller calls an actor.
    fn call(&mut self, actor: Key, bytes: &[u8]) -> Key {
        let (parent, method) = (self.caller.key, self.method);
        let isolate = &mut self.hand().isolate;
        isolate.call_in(parent, actor, method, bytes, (&[], &[]))
    }

    /// The caller blocks for this, until something is to be said of it.
    fn park(&mut self, key: Key) -> u32 {
        let isolate = &mut self.hand().isolate;
        let token = isolate.get(&[key]);
        let mut reason = isolate.park(NO_TIMEOUT);
        while reason == 0 {
            reason = isolate.park(NO_TIMEOUT);
        }
        isolate.end_wait(token);
        while isolate.drain().is_empty() {}
        isolate.forget(token);
        isolate.resume();
        reason
    }

    /// All that was called is let go of, and the caller returns.
    fn end(mut self, calls: &[Key]) {
        let caller = self.caller.clone();
        let hand = self.hand();
        for key in calls {
            hand.isolate.release(*key);
        }
        hand.run(&caller);
        self.stage.settle();
        self.stage.end();
    }
}

#[test]
fn a_call_of_a_neighbour_is_run_inside_of_the_wait_for_it_after_those_before_it() {
    let mut it = Neighbours::new();
    let (second, method) = (it.second, it.method);
    let before = it.stage.driver.call(second, method, b"before");
    it.stage.driver.flush();
    let wanted = it.call(second, b"wanted");
    for expected in [before, wanted] {
        let hand = it.hand();
        let inner = hand.isolate.take(wanted).expect("it can run here");
        assert_eq!(
            (inner.key, inner.actor, inner.birth),
            (expected, Some(second), 1)
        );
        hand.run(&inner);
        hand.isolate.flush();
    }
    assert_eq!(
        it.hand().isolate.take(wanted).map(|record| record.key),
        None
    );
    assert_eq!(it.hand().isolate.fetch(&[wanted]), [value(b"wanted")]);
    assert_eq!(it.stage.outcomes(&[before]), [value(b"before")]);
    it.end(&[wanted]);
}

#[test]
fn a_neighbour_that_was_just_made_is_constructed_inside_of_the_wait() {
    let mut it = Neighbours::new();
    let class = it.stage.class(terms(), cpus(0));
    let third = it.stage.driver.create(class, b"new", &[], &[]);
    it.stage.driver.flush();
    let method = it.method;
    let wanted = it.stage.driver.call(third, method, b"wanted");
    it.stage.driver.flush();
    for expected in [third, wanted] {
        let hand = it.hand();
        let inner = hand.isolate.take(wanted).expect("it can run here");
        assert_eq!(inner.key, expected);
        hand.run(&inner);
        hand.isolate.flush();
    }
    assert_eq!(it.stage.outcomes(&[wanted]), [value(b"wanted")]);
    it.end(&[]);
}

#[test]
fn what_a_call_of_a_neighbour_needs_is_told_to_the_thread_that_blocks() {
    let mut it = Neighbours::new();
    let (second, method) = (it.second, it.method);
    let first = it.stage.driver.call(second, method, b"first");
    let driver = &mut it.stage.driver;
    let wanted = driver.call_in(first, second, method, b"wanted", (&[first], &[]));
    driver.flush();
    assert!(it.hand().isolate.take(wanted).is_none(), "it lacks that");
    assert_eq!(it.park(wanted), HELPS);
    let told = record::key_at(&it.hand().isolate.area, layout::FETCH_AT);
    assert_eq!(told, first);
    for key in [first, wanted] {
        let hand = it.hand();
        let inner = hand.isolate.take(key).expect("it can run here");
        hand.run(&inner);
        hand.isolate.flush();
    }
    assert_eq!(it.park(wanted), MAIL);
    it.end(&[]);
}

#[test]
fn a_call_that_cannot_run_inside_of_the_wait_is_a_deadlock_and_runs_after_it() {
    let mut it = Neighbours::new();
    let wanted = it.call(it.second, b"wanted");
    let hand = it.hand();
    let inner = hand.isolate.take(wanted).expect("it can run here");
    // It turns out to be async.
    hand.isolate.hand_back_of((inner.key, inner.birth));
    assert_eq!(it.park(wanted), CYCLE);
    it.stage.driver.retain(wanted);
    it.stage.driver.flush();
    let (stage, start, second) = (&mut it.stage, it.start, it.second);
    assert!(stage.hand(start).calls_of(second).is_empty());
    let caller = it.caller.clone();
    it.hand().run(&caller);
    it.stage.settle();
    assert_eq!(it.stage.outcomes(&[wanted]), [value(b"wanted")]);
    let hand = it.hand();
    hand.wake();
    hand.isolate.release(wanted);
    it.stage.settle();
    it.stage.end();
}

#[test]
fn a_neighbour_with_as_many_calls_as_it_may_have_that_need_the_loop_is_a_deadlock() {
    let mut it = Neighbours::new();
    let (second, method) = (it.second, it.method);
    let going = it.stage.driver.call(second, method, b"~going");
    it.stage.driver.flush();
    let hand = it.hand();
    let inner = hand.isolate.take(going).expect("it can run here");
    hand.run(&inner);
    hand.isolate.flush();
    let wanted = it.call(second, b"wanted");
    assert!(it.hand().isolate.take(wanted).is_none());
    assert_eq!(it.park(wanted), CYCLE);
    let caller = it.caller.clone();
    let hand = it.hand();
    hand.isolate.release(wanted);
    hand.run(&caller);
    it.stage.settle();
    assert_eq!(it.hand().calls_of(second), [b"~going"]);
    it.hand().finish(b"~going");
    it.stage.settle();
    assert_eq!(it.hand().calls_of(second).concat(), b"~goingwanted");
    it.stage.end();
}

#[test]
fn calls_that_wait_for_each_other_on_one_thread_are_a_circle() {
    let mut it = Neighbours::new();
    let (first, second, method) = (it.first, it.second, it.method);
    let wanted = it.call(second, b"wanted");
    let inner = it.hand().isolate.take(wanted).expect("it can run here");
    let isolate = &mut it.hand().isolate;
    let back = isolate.call_in(inner.key, first, method, b"back", (&[], &[]));
    assert!(isolate.take(back).is_none(), "one call at once");
    assert_eq!(it.park(back), CYCLE);
    it.hand().run(&inner);
    it.end(&[wanted, back]);
}

#[test]
fn code_of_a_neighbour_inside_of_a_wait_loses_its_thread_when_that_is_killed() {
    let mut it = Neighbours::new();
    let wanted = it.call(it.second, b"wanted");
    assert!(it.hand().isolate.take(wanted).is_some());
    let second = it.second;
    it.stage.driver.kill(second, true);
    it.stage.runtime.skip_time(Duration::from_secs(2));
    it.stage.step_driver();
    assert!(it.stage.hands[it.start].is_none(), "its thread is ended");
    it.stage.end();
}

#[test]
fn code_that_waited_for_a_neighbour_does_not_lose_its_thread_when_that_is_killed_after_it() {
    let mut it = Neighbours::new();
    let wanted = it.call(it.second, b"wanted");
    let hand = it.hand();
    let inner = hand.isolate.take(wanted).expect("it can run here");
    let second = it.second;
    it.stage.driver.kill(second, true);
    let hand = it.hand();
    hand.run(&inner);
    hand.isolate.flush();
    it.stage.runtime.skip_time(Duration::from_secs(2));
    it.stage.step_driver();
    assert!(it.stage.hands[it.start].is_some(), "the caller is innocent");
    it.end(&[wanted]);
}

#[test]
fn a_thread_that_blocks_for_a_call_that_goes_on_is_no_wedge_though_no_other_comes_up() {
    let mut stage = Stage::new(|config| (config.workers_max, config.hosts_max) = (2, 1));
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let other = stage.start();
    let task = stage.function();
    let waiting = stage.driver.submit(task, b"task", &[], &[]);
    stage.driver.flush();
    let hand = stage.hand(other);
    assert!(hand.take_round() && hand.claim_next().is_some());
    let call = hand
        .isolate
        .call_in(waiting, actor, method, b"call", (&[], &[]));
    let token = hand.isolate.get(&[call]);
    hand.isolate.flush();
    let stays_blocked = |stage: &mut Stage| {
        for _ in 0..40 {
            let reason = stage.hand(other).isolate.park(NO_TIMEOUT);
            assert_eq!(reason, Reason::Slice as u32);
        }
    };
    // It will begin, and then it has.
    stays_blocked(&mut stage);
    let hand = stage.hand(start);
    assert!(hand.take_round());
    let record = hand.claim_next().unwrap();
    stays_blocked(&mut stage);
    stage.hand(start).run(&record);
    stage.hand(start).isolate.flush();
    let hand = stage.hand(other);
    assert_eq!(hand.isolate.park(NO_TIMEOUT), Reason::Mail as u32);
    while hand.isolate.drain().is_empty() {}
    hand.isolate.forget(token);
    hand.isolate.resume();
    hand.isolate.release(call);
    hand.isolate.result(waiting, false, b"x", &[]);
    hand.isolate.flush();
    stage.end();
}

// Resources.

/// An actor that needs one CPU, a part of a GPU, and the only "db".
fn rich(stage: &mut Stage, restarts: u32) -> (Key, Method) {
    let demand = Demand {
        gpu: WHOLE / 2,
        named: vec![("db".to_owned(), WHOLE)],
        ..cpus(1)
    };
    let (class, method) = (stage.class(restarting(restarts), demand), stage.method(0));
    (stage.driver.create(class, b"new", &[], &[]), method)
}

fn with_resources() -> Stage {
    Stage::new(|config| {
        config.totals.gpus = 1;
        config.totals.named = vec![("db".to_owned(), WHOLE)];
    })
}

#[test]
fn an_actor_holds_what_it_needs_while_it_lives() {
    let mut stage = with_resources();
    let (actor, _) = rich(&mut stage, 0);
    stage.settle();
    let left = ["CPU", "GPU", "db"].map(|name| stage.left(name));
    assert_eq!(left, [0, WHOLE / 2, 0]);
    let granted = stage.runtime.granted(actor).unwrap();
    assert_eq!(&*granted.gpus, [0]);
    stage.end();
}

#[test]
fn on_every_way_out_what_an_actor_held_goes_to_who_waits_for_it() {
    type WayOut = fn(&mut Stage, Key, Method);
    let ways: [WayOut; 8] = [
        |stage, actor, _| stage.driver.release(actor),
        |stage, actor, _| stage.driver.kill(actor, true),
        // It may be made anew, when there is what it needs.
        |stage, actor, _| {
            stage.driver.kill(actor, false);
            stage.driver.kill(actor, true);
        },
        |stage, actor, _| {
            let start = stage.place_of(actor);
            stage.hand(start).wake();
            stage.hand(start).exit(actor);
        },
        |stage, actor, _| {
            let start = stage.place_of(actor);
            stage.driver.kill(actor, false);
            stage.settle();
            let start = if stage.hands[start].is_some() {
                stage.place_of(actor)
            } else {
                start
            };
            stage.die(start);
        },
        |stage, actor, method| {
            let start = stage.place_of(actor);
            stage.driver.call(actor, method, b"~a");
            stage.settle();
            stage.driver.kill(actor, true);
            stage.settle();
            assert_eq!(stage.left("db"), 0, "its code goes on");
            stage.hand(start).finish(b"~a");
        },
        |stage, actor, method| {
            let start = stage.place_of(actor);
            stage.driver.call(actor, method, b"a");
            stage.driver.flush();
            assert!(stage.hand(start).take_round());
            stage.driver.kill(actor, true);
        },
        |stage, actor, _| {
            stage.driver.free(actor);
        },
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let mut stage = with_resources();
        let (first, method) = rich(&mut stage, 1);
        stage.settle();
        let (second, _) = rich(&mut stage, 0);
        let call = stage.driver.call(second, method, b"b");
        stage.settle();
        assert_eq!(stage.outcomes(&[call]), [Outcome::Pending], "{number}");
        way(&mut stage, first, method);
        stage.settle();
        assert_eq!(stage.outcomes(&[call]), [value(b"b")], "{number}");
        stage.end();
    }
}

#[test]
fn a_task_that_waits_for_the_cpu_of_an_actor_runs_when_that_has_ended() {
    let mut stage = with_resources();
    let function = stage.function();
    let (actor, _) = rich(&mut stage, 0);
    stage.settle();
    let task = stage.driver.submit(function, b"task", &[], &[]);
    stage.settle();
    assert_eq!(stage.outcomes(&[task]), [Outcome::Pending]);
    stage.driver.release(actor);
    stage.settle();
    assert_eq!(stage.outcomes(&[task]), [value(b"task")]);
    stage.end();
}

#[test]
fn an_actor_that_is_killed_while_it_waits_for_resources_waits_no_longer() {
    let mut stage = with_resources();
    let (first, method) = rich(&mut stage, 0);
    stage.settle();
    let (second, _) = rich(&mut stage, 0);
    let call = stage.driver.call(second, method, b"b");
    stage.settle();
    stage.driver.kill(second, true);
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [died(reason::KILLED)]);
    stage.driver.release(first);
    stage.settle();
    assert_eq!(stage.left("db"), WHOLE);
    stage.end();
}

#[test]
fn of_an_actor_that_waits_for_what_others_hold_somebody_is_told_once() {
    let mut stage = with_resources();
    let (first, _) = rich(&mut stage, 0);
    stage.settle();
    // Its own call holds the other, whose end it waits for.
    let (second, method) = rich(&mut stage, 0);
    let driver = &mut stage.driver;
    let call = driver.call_in(NOBODY, second, method, b"b", (&[], &[first]));
    stage.driver.release(first);
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [Outcome::Pending]);
    let told: Vec<_> = (0..20).map(|_| stage.runtime.long_poor()).collect();
    let named = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let poor = mobula_runtime::Poor {
        name: "A".to_owned(),
        needs: named(&["CPU", "GPU", "db"]),
        holders: named(&["actor A"]),
    };
    assert_eq!(told.concat(), [poor]);
    assert!(told[..4].concat().is_empty(), "not at once");
    stage.driver.kill(first, true);
    stage.settle();
    assert_eq!(stage.outcomes(&[call]), [value(b"b")]);
    stage.end();
}

// Time limits.

#[test]
fn a_time_limit_settles_a_call_and_leaves_its_thread_alone() {
    let mut stage = Stage::new(|_| ());
    let (actor, _, start) = alive(&mut stage, terms(), 0);
    let limited = stage.method_of(0, 0, Some(Duration::from_secs(1)));
    let call = stage.driver.call(actor, limited, b"a");
    stage.driver.flush();
    let hand = stage.hand(start);
    assert!(hand.take_round());
    let record = hand.claim_next().unwrap();
    stage.runtime.skip_time(Duration::from_secs(2));
    assert_eq!(stage.outcomes(&[call]), [Outcome::TimedOut { ms: 1000 }]);
    stage.runtime.skip_time(Duration::from_secs(60));
    stage.step_driver();
    let hand = stage.hand(start);
    hand.run(&record);
    stage.settle();
    assert_eq!(stage.hand(start).isolate.unwanted, [(call, true)]);
    let next = stage.driver.call(actor, limited, b"b");
    stage.settle();
    assert_eq!(stage.outcomes(&[next]), [value(b"b")]);
    stage.end();
}

#[test]
fn a_time_limit_of_a_task_does_not_end_the_thread_of_an_actor_that_it_calls() {
    let mut stage = Stage::new(|_| ());
    let (actor, method, start) = alive(&mut stage, terms(), 0);
    let other = stage.start();
    let limited = stage.define(mobula_runtime::Terms {
        limit: Some(Duration::from_secs(1)),
        ..mobula_runtime::Terms::default()
    });
    let task = stage.driver.submit(limited, b"task", &[], &[]);
    stage.driver.flush();
    let hand = stage.hand(other);
    assert!(hand.take_round());
    let record = hand.claim_next().unwrap();
    let isolate = &mut hand.isolate;
    let call = isolate.call_in(record.key, actor, method, b"a", (&[], &[]));
    isolate.flush();
    let host = stage.hand(start);
    host.wake();
    assert!(host.take_round());
    let begun = host.claim_next().unwrap();
    stage.runtime.skip_time(Duration::from_secs(2));
    assert_eq!(stage.outcomes(&[task, call])[1], Outcome::Cancelled);
    // The task's code comes back; the actor's does not.
    let hand = stage.hand(other);
    hand.run(&record);
    hand.isolate.release(call);
    assert!(hand.turn());
    stage.runtime.skip_time(Duration::from_secs(60));
    stage.step_driver();
    let host = stage.hands[start].as_mut().expect("it lives");
    host.run(&begun);
    stage.settle();
    stage.end();
}
