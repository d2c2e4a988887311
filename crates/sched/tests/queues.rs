//! Nothing that is queued is lost or handed out twice: own deques, injector, theft, and workers that leave.
#![cfg(not(loom))]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mobula_sched::{Key, Lane, Queues};

fn key(index: u32) -> Key {
    Key {
        index,
        generation: 1,
    }
}

#[test]
fn the_newest_own_work_goes_first_and_injected_work_in_order() {
    let queues = Queues::new();
    let mut local = queues.join(0);
    queues.inject(key(0), Lane::Plain);
    queues.inject(key(1), Lane::Plain);
    local.push(key(2), Lane::Plain);
    local.push(key(3), Lane::Plain);
    let order: Vec<_> = std::iter::from_fn(|| local.next(&queues, Lane::Plain)).collect();
    assert_eq!(order[..3], [key(3), key(2), key(0)]);
    assert_eq!((order.len(), queues.is_empty()), (4, true));
}

#[test]
fn a_leaver_gives_back_what_its_deque_held_and_its_place_is_used_again() {
    let queues = Queues::new();
    let mut local = queues.join(3);
    (0..5).for_each(|k| local.push(key(k), Lane::Plain));
    assert_eq!(queues.len(), 5);
    queues.leave(local);
    assert_eq!(queues.len(), 5);
    let mut next = queues.join(3);
    next.push(key(5), Lane::Plain);
    let mut other = queues.join(0);
    let mut all: Vec<_> = std::iter::from_fn(|| other.next(&queues, Lane::Plain))
        .map(|key| key.index)
        .collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn one_without_a_deque_takes_from_everywhere() {
    let queues = Queues::new();
    let mut local = queues.join(0);
    local.push(key(0), Lane::Plain);
    queues.inject(key(1), Lane::Plain);
    let mut all: Vec<_> = std::iter::from_fn(|| queues.take_any(Lane::Plain))
        .map(|key| key.index)
        .collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1]);
}

#[test]
fn thieves_and_leavers_hand_each_key_out_once() {
    const KEYS: usize = 20_000;
    let queues = Queues::new();
    let taken: Vec<AtomicUsize> = (0..KEYS).map(|_| AtomicUsize::new(0)).collect();
    let count = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..4 {
            let (queues, taken, count) = (&queues, &taken, &count);
            scope.spawn(move || {
                let mut local = queues.join(worker);
                (worker * KEYS / 4..(worker + 1) * KEYS / 4).for_each(|k| {
                    let lane = Lane::ALL[k / 2 % 2];
                    match k % 2 {
                        0 => local.push(key(k as u32), lane),
                        _ => queues.inject(key(k as u32), lane),
                    }
                });
                let mut rounds = 0;
                while count.load(Ordering::Relaxed) < KEYS {
                    match local.next(queues, Lane::ALL[rounds % 2]) {
                        Some(key) => {
                            taken[key.index as usize].fetch_add(1, Ordering::Relaxed);
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                        None => thread::yield_now(),
                    }
                    rounds += 1;
                    if rounds % 500 == 0 {
                        queues.leave(std::mem::replace(&mut local, queues.join(worker + 4)));
                        queues.leave(std::mem::replace(&mut local, queues.join(worker)));
                    }
                }
                queues.leave(local);
            });
        }
    });
    assert!(taken.iter().all(|times| times.load(Ordering::Relaxed) == 1));
}

#[test]
fn each_lane_is_a_queue_of_its_own() {
    let queues = Queues::new();
    let (mut owner, mut thief) = (queues.join(0), queues.join(1));
    queues.inject(key(0), Lane::Plain);
    owner.push(key(1), Lane::Plain);
    owner.push(key(2), Lane::Async);
    assert_eq!(Lane::ALL.map(|lane| queues.len_of(lane)), [2, 1]);
    assert_eq!(thief.next(&queues, Lane::Async), Some(key(2)));
    assert_eq!(thief.next(&queues, Lane::Async), None);
    assert_eq!(
        Lane::ALL.map(|lane| queues.has_work_in(lane)),
        [true, false]
    );
    // Also what a leaver gives back.
    queues.leave(owner);
    assert_eq!(queues.take_any(Lane::Async), None);
    let mut rest = [(); 2].map(|()| thief.next(&queues, Lane::Plain).map(|key| key.index));
    rest.sort_unstable();
    assert_eq!(rest, [Some(0), Some(1)]);
}
