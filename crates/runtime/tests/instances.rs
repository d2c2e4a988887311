//! What is kept of actors: each instance with the thread that it had, and why and when it was gone.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use mobula_runtime::{ActorReason, ActorTerms, Instance, Stage};
use support::stage::{Stage as Setting, cpus, terms};

/// Stage, restarts, thread, and why it is gone.
type Told = (Stage, u32, Option<u32>, Option<ActorReason>);

fn told(setting: &Setting) -> Vec<Told> {
    let instances = setting.runtime.instances();
    for it in &instances {
        let moments = [it.wanted, it.alive, it.gone];
        let known: Vec<u64> = moments.into_iter().filter(|moment| *moment > 0).collect();
        assert!(it.wanted > 0 && known.is_sorted(), "{it:?}");
        let is_over = matches!(it.stage, Stage::Lost | Stage::Ended);
        assert_eq!([it.gone > 0, it.reason.is_some()], [is_over; 2], "{it:?}");
    }
    let told = |it: Instance| (it.stage, it.restarts, it.worker, it.reason);
    instances.into_iter().map(told).collect()
}

fn restarting(restarts: u32) -> ActorTerms {
    ActorTerms {
        restarts,
        ..terms()
    }
}

#[test]
fn an_actor_is_told_of_from_its_creation_to_its_end() {
    let mut setting = Setting::new(|_| ());
    let class = setting.class(terms(), cpus(0));
    let slow = setting.function();
    let argument = setting.driver.submit(slow, b"~slow", &[], &[]);
    let actor = setting.driver.create(class, b"new", &[argument], &[]);
    setting.driver.flush();
    assert_eq!(told(&setting), [(Stage::Waiting, 0, None, None)]);
    setting.driver.free(argument);
    setting.driver.flush();
    let constructor = Some(ActorReason::Constructor);
    let upstream = (Stage::Ended, 0, None, constructor);
    assert_eq!(told(&setting), [upstream]);
    let (other, _) = setting.driver.create_named(class, "one", b"new");
    assert_eq!(told(&setting), [upstream, (Stage::Unplaced, 0, None, None)]);
    setting.settle();
    let start = setting.place_of(other) as u32;
    assert_eq!(
        told(&setting),
        [upstream, (Stage::Alive, 0, Some(start), None)]
    );
    let names = setting.runtime.instances().into_iter().map(|it| it.name);
    assert_eq!(
        names.flatten().map(|it| it.1.clone()).collect::<Vec<_>>(),
        ["one"]
    );
    setting.driver.release(other);
    setting.settle();
    let ended = (Stage::Ended, 0, Some(start), Some(ActorReason::OutOfScope));
    assert_eq!(told(&setting), [upstream, ended]);
    setting.driver.release(actor);
    setting.driver.release(argument);
    setting.end();
}

#[test]
fn each_restart_is_an_instance_of_its_own_until_none_is_left() {
    let mut setting = Setting::new(|_| ());
    let class = setting.class(restarting(2), cpus(0));
    let actor = setting.driver.create(class, b"new", &[], &[]);
    let mut gone = Vec::new();
    for restarts in 0..2 {
        setting.settle();
        let start = setting.place_of(actor);
        let alive = (Stage::Alive, restarts, Some(start as u32), None);
        assert_eq!(told(&setting), [&gone[..], &[alive]].concat());
        let reason = if restarts == 0 {
            setting.die(start);
            ActorReason::Crashed
        } else {
            setting.driver.kill(actor, false);
            ActorReason::Killed
        };
        gone.push((Stage::Lost, restarts, Some(start as u32), Some(reason)));
        let anew = told(&setting).pop().unwrap();
        assert_eq!((anew.0, anew.1), (Stage::Unplaced, restarts + 1));
    }
    setting.settle();
    let start = setting.place_of(actor) as u32;
    setting.driver.kill(actor, false);
    gone.push((Stage::Ended, 2, Some(start), Some(ActorReason::Killed)));
    assert_eq!(told(&setting), gone);
    setting.driver.release(actor);
    setting.end();
}

#[test]
fn a_constructor_that_throws_is_told_of_with_its_thread() {
    let mut setting = Setting::new(|_| ());
    let class = setting.class(restarting(5), cpus(0));
    let actor = setting.driver.create(class, b"!new", &[], &[]);
    setting.settle();
    let constructor = Some(ActorReason::Constructor);
    assert_eq!(told(&setting), [(Stage::Ended, 0, Some(0), constructor)]);
    setting.driver.release(actor);
    setting.end();
}

#[test]
fn the_end_of_a_thread_is_told_of_all_that_lived_there() {
    let mut setting = Setting::new(|config| config.hosts_max = 1);
    let class = setting.class(terms(), cpus(0));
    let method = setting.method(0);
    let create = |setting: &mut Setting| setting.driver.create(class, b"new", &[], &[]);
    let actors = [create(&mut setting), create(&mut setting)];
    setting.settle();
    setting.driver.call(actors[1], method, b"ends its thread");
    setting.driver.flush();
    let hand = setting.hand(0);
    hand.wake();
    assert!(hand.take_round() && hand.claim_next().is_some());
    setting.die(0);
    let ended = |reason| (Stage::Ended, 0, Some(0), Some(reason));
    assert_eq!(
        told(&setting),
        [ActorReason::Neighbour, ActorReason::Crashed].map(ended)
    );
    setting.settle();
    setting.end();
}
