//! Actors that have waited for long for what others hold. Nothing tells whether that will ever end: a queued call may hold the very actor
//! whose end its own waits for. So it is said, once for each class.

use std::collections::BTreeSet;
use std::sync::Arc;

use mobula_sched::Key;
use mobula_sync::atomic::Ordering;

use super::Actor;
use crate::cell::Body;
use crate::runtime::Runtime;

/// So many looks an actor is seen to wait before it is told of: one every two seconds.
const LOOKS: u32 = 5;
/// So many of those who hold something are named.
const HOLDERS_MAX: usize = 5;

/// An actor that waits for resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poor {
    /// The name of its class.
    pub name: String,
    /// What it is to hold while it lives, by name.
    pub needs: Vec<String>,
    /// The actors and tasks that hold some of that, by name: the first few.
    pub holders: Vec<String>,
}

impl Runtime {
    /// Those that have waited for long since somebody looked first, and have not been told of. To be called every second or two.
    pub fn long_poor(&self) -> Vec<Poor> {
        if !self.hosts.has_poor() {
            return Vec::new();
        }
        let waiting: Vec<Arc<Actor>> = self
            .hosts
            .arrange(|placement| placement.poor.iter().cloned().collect());
        let is_long = |actor: &&Arc<Actor>| {
            let looks = actor.poor_looks.fetch_add(1, Ordering::Relaxed) + 1;
            looks >= LOOKS && self.hosts.is_first_of_class(actor.class)
        };
        let long: Vec<&Arc<Actor>> = waiting.iter().filter(is_long).collect();
        long.into_iter()
            .filter_map(|it| self.describe(it))
            .collect()
    }

    /// `None`: it needs more than there is, which was said when its class was defined.
    fn describe(&self, actor: &Actor) -> Option<Poor> {
        let demand = &actor.definition.terms.demand;
        let keys = self.pool.see_budget(|budget| budget.holders_of(demand))?;
        let names: BTreeSet<String> = keys.iter().map(|key| self.holder_name(*key)).collect();
        let named = demand.named.iter().map(|(name, parts)| (&**name, *parts));
        let needs = [("CPU", demand.cpu), ("GPU", demand.gpu)].into_iter();
        let needs = needs.chain(named).filter(|(_, parts)| *parts > 0);
        Some(Poor {
            name: actor.definition.function.name.clone(),
            needs: needs.map(|(name, _)| name.to_owned()).collect(),
            holders: names.into_iter().take(HOLDERS_MAX).collect(),
        })
    }

    fn holder_name(&self, key: Key) -> String {
        if let Some(actor) = self.actor(key) {
            return format!("actor {}", actor.definition.function.name);
        }
        let function = match &*self.cell(key).body.lock() {
            Body::Task(task) => self.functions.get(task.function),
            _ => None,
        };
        // Its code has not ended.
        function.map_or_else(
            || "a task that was given up".to_owned(),
            |definition| format!("task '{}'", definition.function.name),
        )
    }
}
