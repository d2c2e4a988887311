//! What is kept of actors, beside the runs of tasks: a record for each instance that there was, and for what ended without one.

use std::cmp::Reverse;
use std::sync::Arc;

use mobula_sched::Key;

use super::{Actor, Bound, Life, Name, State};
use crate::cell::Body;
use crate::failure::{Kind, Reason};
use crate::history::Stamp;
use crate::runtime::Runtime;

/// How far an instance of an actor has come.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Arguments of its constructor are not there yet.
    Waiting,
    /// It lacks a thread, or the resources that it needs.
    Unplaced,
    /// It has a thread, where its constructor runs, or is about to.
    Starting,
    /// Its constructor has returned.
    Alive,
    /// It is gone, and the actor is made anew.
    Lost,
    /// It is gone, and so is the actor.
    Ended,
}

/// One instance of an actor; for one that was not made, what there is of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The actor's slot, which is another's after its end.
    pub key: Key,
    /// The actor's public id.
    pub id: [u32; 4],
    /// The number of its class.
    pub class: u32,
    /// The actor's, if it was given one.
    pub name: Option<Arc<Name>>,
    /// How often the actor was made before.
    pub restarts: u32,
    /// The start of the thread that it has, or had last.
    pub worker: Option<u32>,
    /// How far it has come.
    pub stage: Stage,
    /// Why it is gone.
    pub reason: Option<Reason>,
    /// What there is to say of that.
    pub text: String,
    /// When the actor was created, or lost the instance before.
    pub wanted: Stamp,
    /// When its constructor had returned.
    pub alive: Stamp,
    /// When it was gone.
    pub gone: Stamp,
}

impl Runtime {
    /// The last instances of all actors, and those that are there, in the order in which they were wanted. Walks the whole table.
    pub fn instances(&self) -> Vec<Instance> {
        let mut instances = Vec::new();
        for index in (0..).take_while(|index| self.cells.get(*index).is_some()) {
            let actor = self.living_in(index);
            instances.extend(actor.and_then(|actor| self.present(&actor, &actor.state.lock())));
        }
        // After them: what was gone in between is there twice, and not missing.
        instances.extend(self.history.instances());
        let actor = |it: &Instance| (it.key.index, it.key.generation);
        instances.sort_by_key(|it| (it.wanted, actor(it), it.restarts, Reverse(it.gone)));
        instances.dedup_by_key(|it| (actor(it), it.restarts));
        instances
    }

    fn living_in(&self, index: u32) -> Option<Arc<Actor>> {
        let body = self.cells.get(index)?.body.lock();
        match &*body {
            Body::Task(task) => match task.bound.as_deref() {
                Some(Bound::Constructor(actor)) => Some(actor.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The instance that an actor has, or waits for.
    fn present(&self, actor: &Actor, state: &State) -> Option<Instance> {
        let stage = match state.life {
            Life::Waiting => Stage::Waiting,
            Life::Unplaced => Stage::Unplaced,
            Life::Starting { .. } => Stage::Starting,
            Life::Alive { .. } => Stage::Alive,
            Life::Dead(_) => return None,
        };
        let member = state.life.place().and_then(|place| self.member(place));
        Some(Instance {
            key: actor.key,
            id: actor.id,
            class: actor.class,
            name: actor.name.clone(),
            restarts: state.restarts,
            worker: member.map(|member| member.start),
            stage,
            reason: None,
            text: String::new(),
            wanted: state.wanted,
            alive: state.alive,
            gone: 0,
        })
    }

    /// The instance that an actor has, or waits for, is gone from now on. Under the actor's lock, before its life says so.
    pub(super) fn note_gone(&self, actor: &Actor, state: &mut State, stage: Stage, kind: &Kind) {
        let Some(present) = self.present(actor, state) else {
            return;
        };
        let gone = self.history.now();
        let (reason, text) = cause(kind);
        self.history.note_instance(Instance {
            stage,
            reason: Some(reason),
            text: text.to_owned(),
            gone,
            ..present
        });
        (state.wanted, state.alive) = (gone, 0);
    }
}

/// Why an actor is gone that comes to this. What has no reason of its own kept its constructor from running.
fn cause(kind: &Kind) -> (Reason, &str) {
    match kind {
        Kind::ActorDied { reason, text, .. } => (*reason, text),
        Kind::Setup { text } | Kind::Crashed { text, .. } => (Reason::Constructor, text),
        _ => (Reason::Constructor, ""),
    }
}
