//! What is kept of actors.

use std::collections::HashMap;

use mobula_runtime::{Instance, Stage};
use napi_derive::napi;

use crate::control::current;

/// One instance of an actor; for one that was not made, what there is of it. Times are milliseconds of the calendar.
#[napi(object)]
#[derive(Debug)]
pub struct InstanceRecord {
    /// The actor's public id.
    pub id: String,
    /// The name of its class.
    pub class_name: String,
    /// The actor's, if it was given one.
    pub name: Option<String>,
    /// The scope of that.
    pub namespace: Option<String>,
    /// How often the actor was made before.
    pub restarts: u32,
    /// The number of the thread that it has, or had last.
    pub worker: Option<u32>,
    /// How far it has come.
    pub stage: String,
    /// Why it is gone, by number.
    pub reason: Option<u32>,
    /// What there is to say of that.
    pub text: String,
    /// When the actor was created, or lost the instance before.
    pub wanted: f64,
    /// When its constructor had returned.
    pub alive: Option<f64>,
    /// When it was gone.
    pub gone: Option<f64>,
}

/// The last instances of all actors, and those that are there, in the order in which they were wanted.
#[napi(catch_unwind)]
pub fn instances() -> Vec<InstanceRecord> {
    let Some(runtime) = current() else {
        return Vec::new();
    };
    let mut names = HashMap::new();
    let date = |stamp| (stamp > 0).then(|| runtime.date(stamp));
    let record = |it: Instance| InstanceRecord {
        id: it.id.iter().map(|word| format!("{word:08x}")).collect(),
        class_name: names
            .entry(it.class)
            .or_insert_with(|| {
                let definition = runtime.definition(it.class);
                definition.map_or_else(String::new, |it| it.function.name.clone())
            })
            .clone(),
        name: it.name.as_ref().map(|name| name.1.clone()),
        namespace: it.name.as_ref().map(|name| name.0.clone()),
        restarts: it.restarts,
        worker: it.worker,
        stage: stage_name(it.stage).to_owned(),
        reason: it.reason.map(|reason| reason.number()),
        text: it.text,
        wanted: runtime.date(it.wanted),
        alive: date(it.alive),
        gone: date(it.gone),
    };
    runtime.instances().into_iter().map(record).collect()
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Unplaced => "unplaced",
        Stage::Starting => "starting",
        Stage::Alive => "alive",
        Stage::Lost => "lost",
        Stage::Ended => "ended",
    }
}
