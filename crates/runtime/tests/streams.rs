//! What streams promise: items in order and once, room for as many as nobody has taken, one failure and then the end, nothing left behind.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use mobula_runtime::layout::{self, status};
use mobula_runtime::{Function, Origin, Role, Runtime, Terms, WHOLE};
use mobula_sched::Key;
use support::isolate::Isolate;
use support::record::Outcome;
use support::{assert_empty, runtime_with};

fn generator(runtime: &Runtime, limit: u32, retries: u32) -> u32 {
    let function = Function {
        name: "generator".to_owned(),
        source: String::new(),
    };
    let terms = Terms {
        stream: Some(limit),
        retries,
        ..Terms::default()
    };
    runtime.define_on(function, terms).id
}

fn value(bytes: &[u8]) -> Outcome {
    Outcome::Value {
        bytes: bytes.to_vec(),
        refs: Vec::new(),
    }
}

/// A stream with so much room whose producer has begun on a worker.
fn begun(limit: u32, retries: u32) -> (Arc<Runtime>, Isolate, Isolate, Key) {
    let runtime = runtime_with(|config| {
        config.workers_max = 4;
        config.totals.cpu = 2 * WHOLE;
    });
    let function = generator(&runtime, limit, retries);
    let mut driver = Isolate::driver(&runtime);
    let mut worker = Isolate::worker(&runtime);
    let stream = driver.submit(function, b"", &[], &[]);
    driver.flush();
    begin(&mut worker, stream);
    (runtime, driver, worker, stream)
}

/// Begins the only task there is; its round ends, and it goes on.
fn begin(worker: &mut Isolate, stream: Key) {
    let records = worker.next();
    assert_eq!(records.len(), 1, "one record");
    assert_eq!(records[0].key, stream);
    assert!(worker.begin(0));
    worker.hold(1);
    assert!(worker.next().is_empty());
}

fn end(runtime: &Runtime, isolates: impl IntoIterator<Item = Isolate>) {
    isolates
        .into_iter()
        .for_each(|isolate| isolate.close(Some(0), ""));
    assert_empty(runtime);
}

fn outcome(isolate: &mut Isolate, key: Key) -> Outcome {
    isolate.fetch(&[key]).remove(0)
}

#[test]
fn items_arrive_in_order_while_the_producer_goes_on_and_after_them_the_end() {
    let (runtime, mut driver, mut worker, stream) = begun(4, 0);
    // Asked for before it is there, and after.
    let first = driver.next_item(stream);
    driver.took(stream);
    let token = driver.get(&[first]);
    assert_eq!(outcome(&mut driver, first), Outcome::Pending);
    worker.yields(stream, 0, b"zero", &[]);
    worker.yields(stream, 1, b"one", &[]);
    worker.flush();
    assert_eq!(driver.drain(), [(token, status::READY)]);
    assert_eq!(outcome(&mut driver, first), value(b"zero"));
    assert_eq!(driver.take_item(stream).1, value(b"one"));
    assert_eq!(outcome(&mut driver, stream), Outcome::Pending);
    let [third, fourth] = [(); 2].map(|()| driver.next_item(stream));
    driver.flush();
    worker.yields(stream, 2, b"two", &[]);
    worker.result(stream, false, b"returned", &[]);
    worker.hold(0);
    worker.flush();
    assert_eq!(outcome(&mut driver, third), value(b"two"));
    assert_eq!(outcome(&mut driver, fourth), Outcome::End);
    for _ in 0..2 {
        assert_eq!(driver.take_item(stream).1, Outcome::End);
    }
    assert_eq!(outcome(&mut driver, stream), value(b"returned"));
    end(&runtime, [driver, worker]);
}

#[test]
fn there_is_room_for_as_many_as_nobody_has_taken_and_one_taken_admits_one() {
    for limit in [1, 2, 3, 5, 16] {
        let (runtime, mut driver, mut worker, stream) = begun(limit, 0);
        for k in 0..limit {
            assert_eq!(worker.room(stream, k), limit - k);
            worker.yields(stream, k, &[k as u8], &[]);
        }
        assert_eq!(worker.room(stream, limit), 0);
        // To ask whether there is one takes none.
        let item = driver.next_item(stream);
        assert_eq!(outcome(&mut driver, item), value(&[0]));
        worker.drain();
        assert!(worker.resumed.is_empty());
        for k in 0..3 {
            driver.took(stream);
            driver.flush();
            worker.drain();
            assert_eq!(std::mem::take(&mut worker.resumed), [stream]);
            assert_eq!(worker.room(stream, limit + k), 1);
            worker.yields(stream, limit + k, b"more", &[]);
            assert_eq!(worker.room(stream, limit + k + 1), 0);
        }
        end(&runtime, [driver, worker]);
    }
}

#[test]
fn what_was_yielded_before_an_error_can_be_had_and_then_the_error_once_and_then_the_end() {
    let (runtime, mut driver, mut worker, stream) = begun(4, 0);
    worker.yields(stream, 0, b"zero", &[]);
    worker.result(stream, true, b"boom", &[]);
    worker.flush();
    let boom = Outcome::Thrown {
        bytes: b"boom".to_vec(),
        refs: Vec::new(),
    };
    assert_eq!(driver.take_item(stream).1, value(b"zero"));
    assert_eq!(driver.take_item(stream).1, boom);
    for _ in 0..2 {
        assert_eq!(driver.take_item(stream).1, Outcome::End);
    }
    assert_eq!(outcome(&mut driver, stream), boom);
    end(&runtime, [driver, worker]);
}

#[test]
fn of_those_who_wait_at_a_failure_the_first_gets_it_and_the_others_the_end() {
    let (runtime, mut driver, mut worker, stream) = begun(4, 0);
    let items = [(); 3].map(|()| driver.next_item(stream));
    let token = driver.get(&items);
    worker.result(stream, true, b"boom", &[]);
    worker.flush();
    assert_eq!(driver.drain(), [(token, status::FAILED)]);
    let outcomes = driver.fetch(&items);
    assert!(matches!(outcomes[0], Outcome::Thrown { .. }));
    assert_eq!(outcomes[1..], [Outcome::End, Outcome::End]);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_run_that_is_tried_again_gives_nothing_twice() {
    let (runtime, mut driver, mut worker, stream) = begun(2, 3);
    worker.yields(stream, 0, b"zero", &[]);
    worker.fail_again(stream, b"boom");
    worker.hold(0);
    worker.flush();
    begin(&mut worker, stream);
    assert_eq!(worker.room(stream, 0), 2);
    let inner = worker.put(b"inner", &[]);
    // It is another's by now that the first item was dropped: its refs are let go of.
    worker.yields(stream, 0, b"zero again", &[inner]);
    worker.release(inner);
    worker.yields(stream, 1, b"one", &[]);
    worker.flush();
    assert_eq!(driver.take_item(stream).1, value(b"zero"));
    assert_eq!(driver.take_item(stream).1, value(b"one"));
    worker.result(stream, false, b"", &[]);
    worker.flush();
    assert_eq!(driver.take_item(stream).1, Outcome::End);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_stream_whose_worker_dies_goes_on_on_another_from_where_it_was() {
    let (runtime, mut driver, mut worker, stream) = begun(2, 1);
    worker.yields(stream, 0, b"zero", &[]);
    worker.yields(stream, 1, b"one", &[]);
    assert_eq!(worker.room(stream, 2), 0);
    worker.close(Some(1), "");
    let mut other = Isolate::new(&runtime, Role::Worker { start: 1 }).unwrap();
    begin(&mut other, stream);
    assert_eq!(driver.take_item(stream).1, value(b"zero"));
    for (k, bytes) in [b"zero" as &[u8], b"one", b"two"].iter().enumerate() {
        assert!(other.room(stream, k as u32) > 0);
        other.yields(stream, k as u32, bytes, &[]);
    }
    assert_eq!(other.room(stream, 3), 0);
    assert_eq!(driver.take_item(stream).1, value(b"one"));
    assert_eq!(driver.take_item(stream).1, value(b"two"));
    other.drain();
    assert_eq!(other.resumed, [stream]);
    // Once more, and that is too often.
    other.close(Some(7), "");
    assert_eq!(
        driver.take_item(stream).1,
        Outcome::Crashed {
            exit_code: Some(7),
            text: String::new()
        }
    );
    assert_eq!(driver.take_item(stream).1, Outcome::End);
    end(&runtime, [driver]);
}

#[test]
fn a_cancelled_stream_lets_go_of_what_nobody_asked_for_and_its_producer_is_told() {
    let (runtime, mut driver, mut worker, stream) = begun(8, 3);
    let large = vec![7; layout::COPY_MAX + 1];
    for k in 0..4 {
        worker.yields(stream, k, &large, &[]);
    }
    worker.flush();
    let holdings = runtime.holdings();
    assert_eq!(holdings.len(), 1);
    assert!(matches!(holdings[0].origin, Origin::Result(_)));
    assert_eq!(holdings[0].objects, 4);
    driver.cancel(stream, false, true);
    assert_eq!(runtime.store().stats().objects, 0);
    worker.drain();
    assert_eq!(worker.unwanted, [(stream, false)]);
    assert_eq!(driver.take_item(stream).1, Outcome::Cancelled);
    assert_eq!(driver.take_item(stream).1, Outcome::End);
    assert_eq!(outcome(&mut driver, stream), Outcome::Cancelled);
    // What its code still yields before it ends is nobody's.
    worker.yields(stream, 4, &large, &[]);
    worker.result(stream, true, b"", &[]);
    worker.flush();
    assert_eq!(runtime.store().stats().objects, 0);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_stream_that_nobody_has_any_more_is_cancelled() {
    for forget in [
        Isolate::release as fn(&mut Isolate, Key),
        Isolate::leave_stream,
    ] {
        let (runtime, mut driver, mut worker, stream) = begun(1, 0);
        worker.yields(stream, 0, b"zero", &[]);
        assert_eq!(worker.room(stream, 1), 0);
        forget(&mut driver, stream);
        driver.flush();
        worker.drain();
        assert_eq!(worker.unwanted, [(stream, false)]);
        worker.result(stream, true, b"", &[]);
        worker.hold(0);
        worker.flush();
        end(&runtime, [driver, worker]);
    }
}

#[test]
fn the_end_of_its_consumers_thread_is_the_end_of_a_stream() {
    let (runtime, driver, mut worker, outer) = begun(1, 0);
    let function = generator(&runtime, 3, 0);
    let mut producer = Isolate::new(&runtime, Role::Worker { start: 1 }).unwrap();
    let inner = worker.submit(function, b"", &[], &[]);
    let item = worker.next_item(inner);
    worker.flush();
    begin(&mut producer, inner);
    producer.yields(inner, 0, b"zero", &[]);
    producer.yields(inner, 1, b"one", &[]);
    producer.flush();
    assert_eq!(outcome(&mut worker, item), value(b"zero"));
    worker.close(Some(1), "");
    producer.drain();
    assert_eq!(producer.unwanted, [(inner, false)]);
    producer.result(inner, true, b"", &[]);
    producer.hold(0);
    producer.flush();
    let _ = outer;
    end(&runtime, [driver, producer]);
}

#[test]
fn a_stream_that_is_cancelled_before_it_begins_never_does() {
    let runtime = runtime_with(|config| config.workers_max = 2);
    let function = generator(&runtime, 1, 0);
    let mut driver = Isolate::driver(&runtime);
    let stream = driver.submit(function, b"", &[], &[]);
    let item = driver.next_item(stream);
    let token = driver.get(&[item]);
    driver.cancel(stream, false, true);
    assert_eq!(driver.drain(), [(token, status::FAILED)]);
    let mut worker = Isolate::worker(&runtime);
    assert!(worker.next().is_empty());
    end(&runtime, [driver, worker]);
}

#[test]
fn a_stream_whose_argument_fails_fails_with_it() {
    let runtime = runtime_with(|config| config.workers_max = 2);
    let function = generator(&runtime, 1, 0);
    let mut driver = Isolate::driver(&runtime);
    let argument = driver.put(b"x", &[]);
    driver.free(argument);
    let stream = driver.submit(function, b"", &[argument], &[]);
    assert_eq!(driver.take_item(stream).1, Outcome::Freed);
    assert_eq!(driver.take_item(stream).1, Outcome::End);
    end(&runtime, [driver]);
}

#[test]
fn items_are_objects_of_their_own_that_outlive_their_stream() {
    let (runtime, mut driver, mut worker, stream) = begun(2, 0);
    let inner = worker.put(b"inner", &[]);
    worker.yields(stream, 0, b"outer", &[inner]);
    worker.release(inner);
    worker.result(stream, false, b"", &[]);
    worker.hold(0);
    worker.flush();
    let (item, _) = driver.take_item(stream);
    driver.release(inner);
    driver.release(stream);
    driver.flush();
    let Outcome::Value { bytes, refs } = outcome(&mut driver, item) else {
        panic!("an item");
    };
    assert_eq!((&bytes[..], &refs[..]), (b"outer" as &[u8], &[inner][..]));
    assert_eq!(outcome(&mut driver, inner), value(b"inner"));
    // A dependency as any other is.
    let echo = runtime.define(Function {
        name: "echo".to_owned(),
        source: String::new(),
    });
    let task = driver.submit(echo, b"", &[item], &[]);
    driver.flush();
    assert_eq!(worker.next()[0].key, task);
    assert!(worker.begin(0));
    worker.result(task, false, b"done", &[]);
    worker.flush();
    assert_eq!(outcome(&mut driver, task), value(b"done"));
    end(&runtime, [driver, worker]);
}

#[test]
fn several_returns_of_a_generator_settle_one_by_one_and_once() {
    let runtime = runtime_with(|config| config.workers_max = 4);
    let function = runtime
        .define_on(
            Function {
                name: "several".to_owned(),
                source: String::new(),
            },
            Terms {
                retries: 1,
                returns: 3,
                ..Terms::default()
            },
        )
        .id;
    let mut driver = Isolate::driver(&runtime);
    let mut worker = Isolate::worker(&runtime);
    let (task, returns) = driver.submit_many(function, 3);
    // The task's own slot is nobody's.
    driver.release(task);
    driver.flush();
    begin(&mut worker, task);
    worker.yields(task, 0, b"zero", &[]);
    worker.flush();
    assert_eq!(outcome(&mut driver, returns[0]), value(b"zero"));
    assert_eq!(outcome(&mut driver, returns[1]), Outcome::Pending);
    worker.close(Some(1), "");
    let mut worker = Isolate::new(&runtime, Role::Worker { start: 1 }).unwrap();
    begin(&mut worker, task);
    worker.yields(task, 0, b"zero again", &[]);
    worker.yields(task, 1, b"one", &[]);
    worker.flush();
    driver.release(returns[0]);
    assert_eq!(outcome(&mut driver, returns[1]), value(b"one"));
    worker.result(task, true, b"boom", &[]);
    worker.hold(0);
    worker.flush();
    assert_eq!(outcome(&mut driver, returns[1]), value(b"one"));
    assert!(matches!(
        outcome(&mut driver, returns[2]),
        Outcome::Thrown { .. }
    ));
    end(&runtime, [driver, worker]);
}
