//! A runtime with a driver and hands, moved until nobody has anything to do; in the end all is as it was.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mobula_runtime::{ActorTerms, Config, Demand, Function, Runtime, Terms, WHOLE};
use mobula_sched::Key;

use super::hand::Hand;
use super::isolate::{Isolate, Method};
use super::record::Outcome;
use super::{assert_empty, runtime_with};

pub(crate) struct Stage {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) driver: Isolate,
    /// By start; threads end.
    pub(crate) hands: Vec<Option<Hand>>,
    /// What hands are told of groups.
    limits: HashMap<u32, Vec<usize>>,
    groups: HashMap<u32, usize>,
    definitions: u32,
}

/// An actor that needs nothing.
pub(crate) fn terms() -> ActorTerms {
    ActorTerms {
        in_order: true,
        ..ActorTerms::default()
    }
}

/// CPUs alone.
pub(crate) fn cpus(cpu: u64) -> Demand {
    Demand {
        cpu: cpu * WHOLE,
        ..Demand::default()
    }
}

impl Stage {
    /// As many records at once as there are, and one CPU and four threads unless `change` says otherwise.
    pub(crate) fn new(change: impl FnOnce(&mut Config)) -> Self {
        let runtime = runtime_with(|config| {
            config.workers_max = 4;
            config.crossing = Duration::from_secs(3600);
            change(config);
        });
        // From now on by hand.
        runtime.skip_time(Duration::ZERO);
        Self {
            driver: Isolate::driver(&runtime),
            runtime,
            hands: Vec::new(),
            limits: HashMap::new(),
            groups: HashMap::new(),
            definitions: 0,
        }
    }

    pub(crate) fn define(&mut self, terms: Terms) -> u32 {
        self.definitions += 1;
        let function = Function {
            name: "A".to_owned(),
            source: self.definitions.to_string(),
        };
        self.runtime.define_on(function, terms).id
    }

    pub(crate) fn class(&mut self, actor: ActorTerms, demand: Demand) -> u32 {
        let limits = std::iter::once(actor.concurrency).chain(actor.groups.iter().copied());
        let as_class_says = |limit| if limit == 0 { 1000 } else { limit as usize };
        let limits = limits.map(as_class_says).collect();
        let terms = Terms {
            demand,
            actor: Some(actor),
            ..Terms::default()
        };
        let class = self.define(terms);
        self.limits.insert(class, limits);
        class
    }

    pub(crate) fn method(&mut self, retries: u32) -> Method {
        self.method_of(0, retries, None)
    }

    pub(crate) fn method_of(
        &mut self,
        group: u32,
        retries: u32,
        limit: Option<Duration>,
    ) -> Method {
        let function = self.define(Terms {
            is_method: true,
            retries,
            limit,
            ..Terms::default()
        });
        self.groups.insert(function, group as usize);
        Method { function, group }
    }

    /// An ordinary task's function.
    pub(crate) fn function(&mut self) -> u32 {
        self.define(Terms::default())
    }

    pub(crate) fn start(&mut self) -> usize {
        let start = self.hands.len();
        let mut hand = Hand::new(&self.runtime, start as u32);
        (hand.limits, hand.groups) = (self.limits.clone(), self.groups.clone());
        self.hands.push(Some(hand));
        start
    }

    pub(crate) fn hand(&mut self, start: usize) -> &mut Hand {
        self.hands[start].as_mut().expect("it lives")
    }

    /// Everybody has done what he can: no periodic look of anybody's has helped.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut moved = self.step_driver();
            for hand in self.hands.iter_mut().flatten() {
                moved |= hand.turn();
            }
            if !moved {
                return;
            }
        }
    }

    pub(crate) fn step_driver(&mut self) -> bool {
        self.driver.flush();
        let mut moved = false;
        if self.driver.port.has_mail() {
            moved = true;
            for (token, _) in self.driver.drain() {
                self.driver.forget(token);
            }
        }
        for _ in 0..std::mem::take(&mut self.driver.wanted) {
            moved = true;
            self.start();
        }
        for start in std::mem::take(&mut self.driver.doomed) {
            moved = true;
            if self.runtime.execute(start) {
                self.die(start as usize);
            }
        }
        moved
    }

    /// The thread of this start ends.
    pub(crate) fn die(&mut self, start: usize) {
        let hand = self.hands[start].take().expect("it lives");
        hand.die();
        self.runtime.thread_ended(start as u32, String::new());
    }

    /// The threads that have an instance of it.
    pub(crate) fn places_of(&self, actor: Key) -> Vec<usize> {
        let hands = self.hands.iter().enumerate();
        let has = |hand: &Option<Hand>| hand.as_ref().is_some_and(|hand| hand.has(actor));
        hands
            .filter(|(_, hand)| has(hand))
            .map(|(start, _)| start)
            .collect()
    }

    /// The only one.
    pub(crate) fn place_of(&self, actor: Key) -> usize {
        let places = self.places_of(actor);
        assert_eq!(places.len(), 1, "one instance");
        places[0]
    }

    pub(crate) fn live(&self) -> usize {
        self.hands.iter().flatten().count()
    }

    /// What became of each; nothing but that is looked at.
    pub(crate) fn outcomes(&mut self, keys: &[Key]) -> Vec<Outcome> {
        self.driver.fetch(keys)
    }

    /// What is left of a resource.
    pub(crate) fn left(&self, name: &str) -> u64 {
        let figures = self.runtime.resources();
        let of_name = figures.iter().find(|(other, ..)| other == name);
        of_name.expect("there is such").2
    }

    /// Nobody has any handle any more, and all is as it was before: what there is is left, every thread takes tasks, and nothing is
    /// kept of anything.
    pub(crate) fn end(mut self) {
        let driver = std::mem::replace(&mut self.driver, Isolate::driver(&self.runtime));
        driver.close(None, "");
        let function = self.runtime.define(Function {
            name: "task".to_owned(),
            source: "last".to_owned(),
        });
        self.settle();
        for (name, total, left) in self.runtime.resources() {
            assert_eq!(left, total, "{name} is left");
        }
        for start in 0..self.hands.len() {
            let Some(hand) = &mut self.hands[start] else {
                continue;
            };
            assert!(hand.actors().is_empty(), "no instance is left");
            let key = self.driver.submit(function, b"task", &[], &[]);
            self.driver.flush();
            hand.is_asleep = false;
            hand.isolate.port.retract();
            hand.run_rounds();
            let outcome = self.driver.fetch(&[key]).remove(0);
            assert!(
                matches!(outcome, Outcome::Value { .. }),
                "the thread of start {start} takes tasks: {outcome:?}"
            );
            self.driver.release(key);
            self.driver.flush();
            let hand = self.hand(start);
            hand.is_asleep = hand.isolate.port.announce();
        }
        self.driver.close(None, "");
        for hand in self.hands.into_iter().flatten() {
            hand.isolate.close(Some(0), "");
        }
        assert_empty(&self.runtime);
        assert_eq!(self.runtime.stats().workers, 0);
    }
}
