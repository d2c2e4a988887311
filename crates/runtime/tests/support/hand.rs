//! A thread that runs actors and tasks, moved by hand: what `src/worker` does, without Node. What a call does is what its bytes say.
//!
//! | bytes begin with | the code |
//! |---|---|
//! | `!` | throws |
//! | `?` | throws what may be tried again |
//! | `~` | goes on after it has returned, until `finish` |
//! | anything else | returns its bytes |

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mobula_runtime::layout::{header, how};
use mobula_runtime::{Forage, Role, Runtime};
use mobula_sched::Key;

use super::isolate::Isolate;
use super::record::TaskRecord;

/// So many calls of a group go on at once where nothing else is said.
const LIMIT: usize = 1000;

/// An instance that lives here.
#[derive(Debug)]
struct Instance {
    birth: u32,
    /// Tells it from those of the same actor that were here before.
    number: u64,
    /// So many of its calls may go on at once, by group.
    limits: Vec<usize>,
}

/// A call that has returned and goes on.
#[derive(Debug, Clone)]
struct Going {
    key: Key,
    birth: u32,
    actor: Key,
    instance: u64,
    group: usize,
    bytes: Vec<u8>,
}

/// Code that was begun: whose, and what it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begun {
    /// `None`: of a task.
    pub(crate) actor: Option<Key>,
    pub(crate) is_constructor: bool,
    pub(crate) bytes: Vec<u8>,
}

/// How code that went on ends.
#[derive(Copy, Clone, Debug)]
pub(crate) enum End {
    Returns,
    /// What may be tried again.
    ThrowsAgain,
    /// It had not begun: modules were on their way.
    ComesBack,
}

pub(crate) struct Hand {
    pub(crate) isolate: Isolate,
    instances: HashMap<Key, Instance>,
    made: u64,
    going: Vec<Going>,
    /// By class: what its terms say of how many calls go on at once, by group.
    pub(crate) limits: HashMap<u32, Vec<usize>>,
    /// By definition, if it is not the first.
    pub(crate) groups: HashMap<u32, usize>,
    /// All that was begun here, in order.
    pub(crate) begun: Vec<Begun>,
    round: Vec<TaskRecord>,
    /// Something of the last round did not begin, since its actor had as many calls going on as it may.
    pub(crate) was_cut_short: bool,
    /// Its loop sleeps.
    pub(crate) is_asleep: bool,
}

impl Hand {
    pub(crate) fn new(runtime: &Arc<Runtime>, start: u32) -> Self {
        let isolate = Isolate::new(runtime, Role::Worker { start });
        Self {
            isolate: isolate.expect("a place for one more worker"),
            instances: HashMap::new(),
            made: 0,
            going: Vec::new(),
            limits: HashMap::new(),
            groups: HashMap::new(),
            begun: Vec::new(),
            round: Vec::new(),
            was_cut_short: false,
            is_asleep: false,
        }
    }

    /// One look of its loop: its mail, then rounds until there is nothing, then sleep. False if it sleeps on.
    pub(crate) fn turn(&mut self) -> bool {
        if self.is_asleep {
            if !self.isolate.bell.take() {
                return false;
            }
            self.isolate.port.retract();
            self.is_asleep = false;
        }
        self.read_mail();
        while self.isolate.port.forage() == Forage::Work {
            self.run_rounds();
            self.read_mail();
        }
        self.isolate.flush();
        self.is_asleep = self.isolate.port.announce();
        true
    }

    /// Rounds until one is empty, as the loop runs them between two looks at its mail.
    pub(crate) fn run_rounds(&mut self) {
        while self.take_round() {
            while self.begin_next() {}
        }
    }

    /// The next round is there, and nothing of it has begun. False: it is empty.
    pub(crate) fn take_round(&mut self) -> bool {
        self.wake();
        self.was_cut_short = false;
        self.round = self.isolate.next();
        self.round.reverse();
        !self.round.is_empty()
    }

    /// Runs the next record of the round that was not taken back. False: there is none.
    pub(crate) fn begin_next(&mut self) -> bool {
        while let Some(record) = self.claim_next() {
            if self.run(&record) {
                return true;
            }
        }
        false
    }

    /// The same without running it: its code has begun and does not return.
    pub(crate) fn claim_next(&mut self) -> Option<TaskRecord> {
        while let Some(record) = self.round.pop() {
            // Its actor has as many calls going on as it may: the next round gives it back.
            if !self.has_room(&record) {
                self.was_cut_short = true;
            } else if self.isolate.begin(record.k) {
                return Some(record);
            }
        }
        None
    }

    fn has_room(&self, record: &TaskRecord) -> bool {
        let Some(actor) = record.actor else {
            return true;
        };
        let Some(Instance { number, limits, .. }) = self.instances.get(&actor) else {
            return true;
        };
        let group = self.group_of(record.function);
        let beside = |going: &&Going| going.instance == *number && going.group == group;
        let count = self.going.iter().filter(beside).count();
        count < limits.get(group).copied().unwrap_or(LIMIT)
    }

    fn group_of(&self, function: u32) -> usize {
        self.groups.get(&function).copied().unwrap_or(0)
    }

    pub(crate) fn read_mail(&mut self) {
        if self.isolate.port.has_mail() {
            self.isolate.drain();
        }
        for actor in std::mem::take(&mut self.isolate.dropped) {
            self.instances.remove(&actor);
        }
    }

    /// Runs what was begun. True if it was there to be run.
    pub(crate) fn run(&mut self, record: &TaskRecord) -> bool {
        let is_constructor = record.actor == Some(record.key);
        let birth = record.birth;
        let run = (record.key, birth);
        let begun = Begun {
            actor: record.actor,
            is_constructor,
            bytes: record.bytes.clone(),
        };
        let kind = record.bytes.first().copied();
        match record.actor {
            Some(actor) if is_constructor => {
                self.made += 1;
                let number = self.made;
                let limits = self.limits.get(&record.function).cloned();
                let limits = limits.unwrap_or_default();
                let limit = limits.first().copied().unwrap_or(LIMIT);
                let instance = Instance {
                    birth,
                    number,
                    limits,
                };
                self.instances.insert(actor, instance);
                match kind {
                    Some(b'!') => {
                        self.instances.remove(&actor);
                        self.isolate.result_as(how::FAILED, run, &record.bytes, &[]);
                    }
                    _ => self.isolate.constructed(run, limit as u32),
                }
            }
            Some(actor) => {
                let Some(Instance { number, .. }) = self.instances.get(&actor) else {
                    self.isolate.let_go(run);
                    return false;
                };
                match kind {
                    Some(b'~') => self.going.push(Going {
                        key: record.key,
                        birth,
                        actor,
                        instance: *number,
                        group: self.group_of(record.function),
                        bytes: record.bytes.clone(),
                    }),
                    Some(b'?') => {
                        self.isolate
                            .result_as(how::FAILED_AGAIN, run, &record.bytes, &[]);
                    }
                    kind => {
                        let throws = kind == Some(b'!');
                        let how = if throws { how::FAILED } else { how::DONE };
                        self.isolate.result_as(how, run, &record.bytes, &[]);
                    }
                }
            }
            None => self.isolate.result(record.key, false, &record.bytes, &[]),
        }
        self.begun.push(begun);
        true
    }

    /// Calls that go on here, by what they were given.
    pub(crate) fn going_on(&self) -> Vec<Vec<u8>> {
        self.going.iter().map(|going| going.bytes.clone()).collect()
    }

    /// Something of its own, as a timer or I/O, has its loop go on.
    pub(crate) fn wake(&mut self) {
        if std::mem::take(&mut self.is_asleep) {
            self.isolate.port.retract();
        }
    }

    /// The first call that goes on with these bytes ends. An instance that was dropped has nobody who wants to hear of it.
    pub(crate) fn finish(&mut self, bytes: &[u8]) {
        let at = self.going.iter().position(|going| going.bytes == bytes);
        let going = self.going.remove(at.expect("it goes on here"));
        self.wake();
        let instance = self.instances.get(&going.actor);
        let run = (going.key, going.birth);
        match instance.is_some_and(|instance| instance.number == going.instance) {
            true => self.isolate.result_as(how::DONE, run, bytes, &[]),
            false => self.isolate.let_go(run),
        }
        self.isolate.flush();
    }

    /// The same with another end, which a thread reports that has not heard yet, or never asks, whether the instance is nobody's.
    pub(crate) fn finish_unasked(&mut self, bytes: &[u8], end: End) {
        let at = self.going.iter().position(|going| going.bytes == bytes);
        let going = self.going.remove(at.expect("it goes on here"));
        self.wake();
        let run = (going.key, going.birth);
        match end {
            End::Returns => self.isolate.result_as(how::DONE, run, bytes, &[]),
            End::ThrowsAgain => self.isolate.result_as(how::FAILED_AGAIN, run, bytes, &[]),
            End::ComesBack => self.isolate.hand_back_of(run),
        }
        self.isolate.flush();
    }

    /// The instance of the first call that goes on with these bytes is not here any more.
    pub(crate) fn is_lost(&self, bytes: &[u8]) -> bool {
        let mut going = self.going.iter();
        let going = going.find(|going| going.bytes == bytes);
        going.is_some_and(|going| self.instance_of(going.actor) != Some(going.instance))
    }

    /// The code of an actor that lives here ends it.
    pub(crate) fn exit(&mut self, actor: Key) {
        let birth = self.instances.get(&actor).map_or(0, |it| it.birth);
        self.isolate.exit_actor(actor, birth);
    }

    /// The instance of this actor that is here.
    pub(crate) fn instance_of(&self, actor: Key) -> Option<u64> {
        Some(self.instances.get(&actor)?.number)
    }

    /// Whether it has an instance of this actor.
    pub(crate) fn has(&self, actor: Key) -> bool {
        self.instances.contains_key(&actor)
    }

    /// What was begun here of an actor's calls.
    pub(crate) fn calls_of(&self, actor: Key) -> Vec<&[u8]> {
        let of_it = |begun: &&Begun| begun.actor == Some(actor) && !begun.is_constructor;
        let begun = self.begun.iter().filter(of_it);
        begun.map(|begun| &*begun.bytes).collect()
    }

    /// How often an actor's constructor has begun here.
    pub(crate) fn constructions_of(&self, actor: Key) -> usize {
        let of_it = |begun: &&Begun| begun.actor == Some(actor) && begun.is_constructor;
        self.begun.iter().filter(of_it).count()
    }

    /// The actors that have instances here.
    pub(crate) fn actors(&self) -> HashSet<Key> {
        self.instances.keys().copied().collect()
    }

    /// Its thread ends, with all that runs there.
    pub(crate) fn die(self) {
        self.isolate.close(Some(7), "died");
    }

    /// True if it was handed records and has begun none of them.
    pub(crate) fn has_round(&self) -> bool {
        !self.round.is_empty()
    }

    pub(crate) fn tasks_of_round(&self) -> u32 {
        self.isolate.header(header::TASKS)
    }
}
