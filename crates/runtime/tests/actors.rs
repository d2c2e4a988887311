//! What actors promise, one promise per test: order, concurrency, life and death, threads, resources. Every test ends with a look whether
//! all is as it was before (`Stage::end`).
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use mobula_runtime::layout::reason;
use mobula_runtime::{ActorTerms, Demand, WHOLE};
use mobula_sched::Key;
use support::isolate::{Method, NOBODY};
use support::record::Outcome;
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
    assert_eq!(stage.driver.port.is_over(actor), true);
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
    stage.driver.kill(second, true);
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
