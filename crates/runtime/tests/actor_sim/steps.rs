//! What the driver and the threads do, a step at a time.

use std::time::Duration;

use mobula_runtime::Forage;
use mobula_sched::Key;

use crate::support::hand::{End, Hand};
use crate::support::isolate::{Method, NOBODY};
use crate::support::record::TaskRecord;
use crate::{Actor, Call, Caller, Frame, Sim};

impl Sim {
    pub(crate) fn step_driver(&mut self) {
        match self.rng.below(20) {
            0 | 1 if self.budget > 0 => self.create(),
            2..=10 if self.budget > 0 => self.call_by_task(),
            11 => {
                let Some(actor) = self.rng.pick(&self.held) else {
                    return;
                };
                if self.rng.chance(40) {
                    self.let_go(actor);
                }
            }
            12 if self.rng.chance(30) => {
                let Some(actor) = self.rng.pick(&self.held) else {
                    return;
                };
                let no_restart = self.rng.chance(40);
                self.kill(actor, no_restart);
            }
            13 if self.rng.chance(50) => self.cancel(),
            14 if self.rng.chance(20) => {
                self.stage.runtime.skip_time(Duration::from_secs(100));
            }
            15 if self.deaths > 0 && self.rng.chance(10) => {
                let live = |start: &usize| self.stage.hands[*start].is_some();
                let live: Vec<usize> = (0..self.stage.hands.len()).filter(live).collect();
                if let Some(start) = self.rng.pick(&live) {
                    self.deaths -= 1;
                    self.die(start);
                }
            }
            _ => {}
        }
        self.listen();
    }

    /// The driver looks at its mail, starts threads and ends those that were given up. True if it had something to do.
    pub(crate) fn listen(&mut self) -> bool {
        let driver = &mut self.stage.driver;
        driver.flush();
        let mut moved = driver.port.has_mail();
        driver.drain();
        for _ in 0..std::mem::take(&mut driver.wanted) {
            moved = true;
            self.stage.start();
        }
        for start in std::mem::take(&mut self.stage.driver.doomed) {
            moved = true;
            if self.stage.runtime.execute(start) {
                self.seen.insert("a thread is given up");
                self.die(start as usize);
            }
        }
        moved
    }

    pub(crate) fn die(&mut self, start: usize) {
        let actors = self.stage.hand(start).actors();
        if !actors.is_empty() {
            self.seen.insert("an actor is lost with its thread");
        }
        self.frames.remove(&start);
        self.loading.retain(|(at, _)| *at != start);
        self.in_rounds.remove(&start);
        self.kept.retain(|(at, _), _| *at != start);
        self.stage.die(start);
    }

    fn create(&mut self) {
        self.budget -= 1;
        let number = self.rng.below(self.classes.len());
        let (class, ref terms, _) = self.classes[number];
        let is_in_order = terms.in_order;
        // Made of what a call comes to, or of another actor.
        let deps: Vec<Key> = match self.rng.chance(20) {
            true => self.some_call().into_iter().collect(),
            false => Vec::new(),
        };
        let refs: Vec<Key> = match self.rng.chance(20) {
            true => self
                .some_actor()
                .map(|actor| self.actors[actor].key)
                .into_iter()
                .collect(),
            false => Vec::new(),
        };
        let bytes: &[u8] = if self.rng.chance(5) { b"!new" } else { b"new" };
        let key = self.stage.driver.create(class, bytes, &deps, &refs);
        self.stage.driver.flush();
        self.held.push(self.actors.len());
        self.actors.push(Actor {
            key,
            is_in_order,
            has_deps: !deps.is_empty(),
            class: number,
        });
    }

    fn some_call(&mut self) -> Option<Key> {
        let recent = self.calls.len().saturating_sub(20);
        let keys: Vec<Key> = self.calls[recent..].iter().map(|call| call.key).collect();
        self.rng.pick(&keys)
    }

    fn some_actor(&mut self) -> Option<usize> {
        self.rng.pick(&self.held)
    }

    fn call_by_task(&mut self) {
        let Some(actor) = self.some_actor() else {
            return;
        };
        self.budget -= 1;
        let task = self.rng.below(self.tasks.len() + 1);
        let parent = self.tasks.get(task).copied().unwrap_or(NOBODY);
        let deps: Vec<Key> = (0..self.rng.below(3).saturating_sub(1))
            .filter_map(|_| self.some_call())
            .collect();
        // Older ones alone: those that hold each other never end.
        let older = self.held.iter().copied().filter(|other| *other < actor);
        let older: Vec<usize> = older.collect();
        let other = self.rng.pick(&older).filter(|_| self.rng.chance(30));
        let refs: Vec<Key> = other
            .map(|other| self.actors[other].key)
            .into_iter()
            .collect();
        let (mut call, method) = self.new_call(Caller::Task(task), actor);
        let (key, driver) = (self.actors[actor].key, &mut self.stage.driver);
        call.has_deps = !deps.is_empty();
        call.key = driver.call_in(parent, key, method, &call.bytes, (&deps, &refs));
        driver.flush();
        self.calls.push(call);
    }

    /// A call that is to be made.
    fn new_call(&mut self, caller: Caller, actor: usize) -> (Call, Method) {
        let (method, retries) = self.methods[self.rng.below(self.methods.len())];
        let kind = ["", "", "", "~", "~", "!", "?"][self.rng.below(7)];
        let call = Call {
            key: NOBODY,
            actor,
            caller,
            group: method.group,
            retries,
            bytes: format!("{kind}{}", self.calls.len()).into_bytes(),
            runs: 0,
            waits: 0,
            begun_in: None,
            has_deps: false,
        };
        (call, method)
    }

    pub(crate) fn let_go(&mut self, actor: usize) {
        self.held.retain(|other| *other != actor);
        self.stage.driver.release(self.actors[actor].key);
        let (_, terms, _) = &self.classes[self.actors[actor].class];
        if terms.is_detached {
            self.kill(actor, true);
        }
    }

    pub(crate) fn kill(&mut self, actor: usize, no_restart: bool) {
        self.stage.driver.kill(self.actors[actor].key, no_restart);
        self.seen.insert(match no_restart {
            true => "an actor is killed for good",
            false => "an actor is killed and made anew",
        });
    }

    fn cancel(&mut self) {
        let open: Vec<usize> = (0..self.calls.len())
            .filter(|call| !self.stage.driver.port.is_over(self.calls[*call].key))
            .collect();
        let Some(call) = self.rng.pick(&open) else {
            return;
        };
        if self.calls[call].runs == 0 {
            self.seen.insert("a call is cancelled that was not begun");
        }
        let key = self.calls[call].key;
        self.stage.driver.cancel(key, false, self.rng.chance(20));
    }

    /// A step of a thread; `at_whim`: also such as nothing asks for. False if it had nothing to do.
    pub(crate) fn step_hand(&mut self, start: usize, at_whim: bool) -> bool {
        let Some(mut hand) = self.stage.hands[start].take() else {
            return false;
        };
        let mut moved = true;
        if hand.is_asleep {
            let loads = self.loading.iter().any(|(at, _)| *at == start);
            let whim = if at_whim { self.rng.chance(2) } else { loads };
            if hand.isolate.bell.take() || whim {
                hand.wake();
            } else if at_whim && !hand.going_on().is_empty() && self.rng.chance(20) {
                self.finish_one(&mut hand);
            } else {
                moved = false;
            }
        } else if self.frames.contains_key(&start) {
            if !at_whim || self.rng.chance(40) {
                self.return_from(start, &mut hand);
            } else if self.rng.chance(20) {
                self.wait_in(start, &mut hand);
            }
        } else if let Some(record) = hand.claim_next() {
            self.begin(start, &mut hand, record);
        } else if self.in_rounds.remove(&start) {
            // As long as nothing goes on there it comes back for more at once.
            if hand.going_on().is_empty() || hand.was_cut_short {
                self.take_round(start, &mut hand);
            } else {
                hand.isolate.flush();
            }
        } else if at_whim && !hand.going_on().is_empty() && self.rng.chance(30) {
            self.finish_one(&mut hand);
        } else if self.comes_back(start, &mut hand, at_whim) {
        } else {
            self.turn(start, &mut hand);
        }
        if hand.actors().len() > 1 {
            self.seen.insert("two actors share a thread");
        }
        self.stage.hands[start] = Some(hand);
        moved
    }

    fn take_round(&mut self, start: usize, hand: &mut Hand) {
        if hand.take_round() {
            self.in_rounds.insert(start);
        }
    }

    fn turn(&mut self, start: usize, hand: &mut Hand) {
        hand.read_mail();
        self.forget_dropped(start, hand);
        if hand.isolate.port.forage() == Forage::Work {
            self.take_round(start, hand);
            return;
        }
        hand.isolate.flush();
        hand.is_asleep = hand.isolate.port.announce();
    }

    /// What instances kept that are here no longer is let go of.
    fn forget_dropped(&mut self, start: usize, hand: &mut Hand) {
        let live = hand.actors();
        let gone = self
            .kept
            .extract_if(|(at, actor), _| *at == start && !live.contains(actor));
        let mut gone: Vec<Key> = gone.flat_map(|(_, keys)| keys).collect();
        gone.sort_by_key(|key| (key.index, key.generation));
        for key in gone {
            hand.isolate.release(key);
        }
    }

    pub(crate) fn finish_one(&mut self, hand: &mut Hand) {
        let going = hand.going_on();
        let bytes = going[self.rng.below(going.len())].clone();
        if !hand.is_lost(&bytes) || self.rng.chance(30) {
            return hand.finish(&bytes);
        }
        self.seen
            .insert("a run of an instance that was lost reports late");
        if going.iter().filter(|other| **other == bytes).count() > 1 {
            self.seen
                .insert("it does beside a run of the same call on the same thread");
        }
        let end = [End::Returns, End::ThrowsAgain, End::ComesBack][self.rng.below(3)];
        hand.finish_unasked(&bytes, end);
    }

    /// The modules of something are there, or its thread is about to run other code: it is handed back. False: there is nothing.
    fn comes_back(&mut self, start: usize, hand: &mut Hand, at_whim: bool) -> bool {
        let at = self.loading.iter().position(|(at, _)| *at == start);
        let Some(at) = at.filter(|_| !at_whim || self.rng.chance(20)) else {
            return false;
        };
        let (_, run) = self.loading.remove(at);
        self.seen.insert("what waited for a module comes back");
        hand.isolate.hand_back_of(run);
        true
    }

    fn begin(&mut self, start: usize, hand: &mut Hand, record: TaskRecord) {
        let Some(actor) = record.actor else {
            panic!("there are no tasks");
        };
        let number = self.actors.iter().position(|other| other.key == actor);
        let number = number.expect("it is one of them");
        // Calls that keep their order are not passed by others.
        let may_wait = record.key == actor || !self.actors[number].is_in_order;
        if may_wait && self.budget > 0 && self.rng.chance(10) {
            self.loading.push((start, (record.key, record.birth)));
            let mut calls = self.calls.iter_mut();
            if let Some(call) = calls.find(|call| call.key == record.key) {
                call.waits += 1;
            }
            return;
        }
        if record.key == actor {
            assert!(!self.stage.driver.port.is_over(actor), "nobody wants it");
        } else if let Some(instance) = hand.instance_of(actor) {
            self.check_begin(&record, (start, instance));
            if self.rng.chance(20) {
                self.use_handles(start, hand, number, &record);
            }
            if self.rng.chance(1) {
                self.seen.insert("an actor exits");
                hand.exit(actor);
            }
        }
        let frames = self.frames.entry(start).or_default();
        frames.push(Frame { record });
    }

    /// The code that runs on a thread waits for some call, which is run inside of the wait if it can be.
    fn wait_in(&mut self, start: usize, hand: &mut Hand) {
        let Some(call) = self.some_call() else { return };
        if let Some(record) = hand.isolate.take(call) {
            self.seen
                .insert("a call is run inside of a wait of a neighbour");
            self.begin(start, hand, record);
        }
    }

    /// The code of a call calls an actor that it was handed, or its instance keeps the handle.
    fn use_handles(&mut self, start: usize, hand: &mut Hand, number: usize, record: &TaskRecord) {
        let caller = self.actors[number].key;
        for key in &record.refs {
            let Some(other) = self.actors.iter().position(|actor| actor.key == *key) else {
                continue;
            };
            let isolate = &mut hand.isolate;
            isolate.retain(*key);
            isolate.flush();
            if self.rng.chance(50) {
                self.seen.insert("an instance calls another actor");
                let (mut call, method) = self.new_call(Caller::Actor(number), other);
                let isolate = &mut hand.isolate;
                let arguments: (&[Key], &[Key]) = (&[], &[]);
                call.key = isolate.call_in(record.key, *key, method, &call.bytes, arguments);
                isolate.flush();
                self.stage.driver.retain(call.key);
                self.stage.driver.flush();
                isolate.release(call.key);
                self.calls.push(call);
            }
            if self.rng.chance(50) {
                self.seen.insert("an instance keeps a handle");
                self.kept.entry((start, caller)).or_default().push(*key);
            } else {
                hand.isolate.release(*key);
            }
        }
    }

    fn return_from(&mut self, start: usize, hand: &mut Hand) {
        let frames = self.frames.get_mut(&start);
        let Some(frame) = frames.and_then(Vec::pop) else {
            return;
        };
        let is_outermost = self.frames[&start].is_empty();
        hand.run(&frame.record);
        match is_outermost {
            true => drop(self.frames.remove(&start)),
            false => hand.isolate.flush(),
        }
        if frame.record.actor == Some(frame.record.key) {
            // One that was here before is gone, with all that it kept.
            let before = self.kept.remove(&(start, frame.record.key));
            for key in before.into_iter().flatten() {
                hand.isolate.release(key);
            }
        }
        self.forget_dropped(start, hand);
    }
}
