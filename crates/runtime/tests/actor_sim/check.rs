//! What holds of all together, after each step and in the end.

use std::collections::HashSet;

use mobula_runtime::WHOLE;
use mobula_sched::Key;

use crate::support::hand::Hand;
use crate::support::record::{Outcome, TaskRecord};
use crate::{Actor, Instance, Sim};

/// A thread that has so much to do without a pause does nothing.
const STEPS_MAX: usize = 10_000;

impl Sim {
    /// A call begins in an instance.
    pub(crate) fn check_begin(&mut self, record: &TaskRecord, instance: Instance) {
        let text = String::from_utf8(record.bytes.clone()).unwrap();
        let number: usize = text.trim_start_matches(['~', '!', '?']).parse().unwrap();
        let port = &self.stage.driver.port;
        let call = &self.calls[number];
        assert_eq!(call.key, record.key);
        assert!(!port.is_over(call.key), "it has ended: {call:?}");
        assert!(call.runs <= call.retries, "once too often: {call:?}");
        let is_before = |other: &&crate::Call| {
            (other.actor, other.caller, other.group) == (call.actor, call.caller, call.group)
                && !port.is_over(other.key)
                && other.begun_in != Some(instance)
        };
        if self.actors[call.actor].is_in_order {
            let overtaken = self.calls[..number].iter().find(is_before);
            assert!(overtaken.is_none(), "{call:?} goes before {overtaken:?}");
        }
        let call = &mut self.calls[number];
        if call.runs > 0 {
            self.seen.insert("a call is made again");
        }
        call.runs += 1;
        call.begun_in = Some(instance);
    }

    pub(crate) fn check(&mut self) {
        let port = &self.stage.driver.port;
        for call in &self.calls {
            let actor = self.actors[call.actor].key;
            assert!(
                !port.is_over(actor) || port.is_over(call.key),
                "its actor is dead: {call:?}"
            );
        }
        let held: u64 = self
            .actors
            .iter()
            .filter_map(|actor| self.stage.runtime.granted(actor.key))
            .flat_map(|granted| granted.named)
            .filter(|(name, _)| name == "db")
            .map(|(_, parts)| parts)
            .sum();
        assert_eq!(self.stage.left("db") + held, WHOLE, "what is held adds up");
    }

    /// Nobody wants anything more.
    pub(crate) fn let_all_go(&mut self) {
        self.budget = 0;
        for actor in self.held.clone() {
            self.let_go(actor);
        }
    }

    /// Everybody does what he has to, and code that goes on ends when nobody has.
    pub(crate) fn finish_all(&mut self) {
        loop {
            let mut moved = self.listen();
            for start in 0..self.stage.hands.len() {
                let mut steps = 0;
                while self.step_hand(start, false) {
                    moved = true;
                    steps += 1;
                    assert!(steps < STEPS_MAX, "the thread of start {start} spins");
                }
                self.check();
            }
            if moved {
                continue;
            }
            let goes_on = |hand: &Option<Hand>| {
                let hand = hand.as_ref();
                hand.is_some_and(|hand| !hand.going_on().is_empty())
            };
            let Some(start) = self.stage.hands.iter().position(goes_on) else {
                return;
            };
            let mut hand = self.stage.hands[start].take().unwrap();
            self.finish_one(&mut hand);
            self.stage.hands[start] = Some(hand);
        }
    }

    /// The youngest actor that lacks what others have, and will not give back: they are held by what waits for it.
    pub(crate) fn hopeless(&self) -> Option<usize> {
        let hands = || self.stage.hands.iter().flatten();
        let is_full =
            hands().count() >= self.workers_max && hands().all(|hand| !hand.actors().is_empty());
        let is_own = |key: &Key| {
            let mut actors = self.actors.iter();
            let actor = actors.find(|actor| actor.key == *key);
            actor.is_some_and(|actor| self.classes[actor.class].1.is_own)
        };
        let are_own = hands().all(|hand| hand.actors().iter().all(is_own));
        (0..self.actors.len()).rev().find(|actor| {
            let Actor { key, class, .. } = &self.actors[*actor];
            let (_, terms, demand) = &self.classes[*class];
            let db: u64 = demand.named.iter().map(|(_, parts)| parts).sum();
            let lacks = self.stage.left("db") < db
                || self.stage.left("CPU") < demand.cpu
                || (is_full && (terms.is_own || are_own));
            let lives = hands().any(|hand| hand.has(*key));
            lacks && !lives && !self.stage.driver.port.is_over(*key)
        })
    }

    pub(crate) fn check_end(mut self) -> HashSet<&'static str> {
        let keys: Vec<_> = self.calls.iter().map(|call| call.key).collect();
        let outcomes = self.stage.driver.fetch(&keys);
        for (call, outcome) in self.calls.iter().zip(outcomes) {
            let kind = call.bytes[0];
            match outcome {
                Outcome::Value { bytes, .. } => {
                    assert_eq!(bytes, call.bytes);
                    assert!(call.runs > 0 && kind != b'!' && kind != b'?', "{call:?}");
                }
                Outcome::Thrown { bytes, .. } => {
                    // Its own, or of a call that it was to be given.
                    let is_own = bytes == call.bytes;
                    assert!(!is_own || call.runs > 0, "{call:?}");
                    assert!(!is_own || kind == b'!' || kind == b'?', "{call:?}");
                    let runs = if kind == b'?' { call.retries + 1 } else { 1 };
                    assert!(!is_own || call.runs + call.waits >= runs, "{call:?}");
                }
                Outcome::ActorUnavailable => {
                    self.seen
                        .insert("a call is refused while its actor is made anew");
                    let given = call.has_deps || self.actors[call.actor].has_deps;
                    let is_used_up = call.retries == 0 || call.runs + call.waits > call.retries;
                    assert!(given || is_used_up, "{call:?}");
                }
                Outcome::TimedOut { .. } => {
                    self.seen.insert("a call takes too long");
                }
                Outcome::Cancelled | Outcome::ActorDied { .. } | Outcome::ActorBroken { .. } => {}
                other => panic!("{call:?} came to {other:?}"),
            }
        }
        assert!(self.kept.is_empty(), "no instance keeps anything");
        self.stage.end();
        self.seen
    }
}
