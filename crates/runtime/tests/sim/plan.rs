//! What a task does when it runs, decided when it is submitted, and on which terms.

use mobula_runtime::{Demand, WHOLE};
use mobula_sched::Key;

use crate::frame::Frame;
use crate::{Sim, TURNS_OUT, WAYS};

/// Another storm begins if the last `RECENT` tasks have no more than so many of their tasks: those that there were are over, or few.
const STORMS_MAX: usize = 3;
const RECENT: usize = 20;
/// Steps of a long computation.
const COMPUTES: u32 = 3000;

pub(crate) const SIZES: [usize; 6] = [4, 200, 1024, 1025, 5000, 20_000];

/// What a task does when it runs, decided when it is submitted.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) children: usize,
    pub(crate) waits: bool,
    pub(crate) helps: bool,
    pub(crate) is_async: bool,
    pub(crate) throws: bool,
    /// So many of its runs throw what may be tried again.
    pub(crate) throws_again: u32,
    pub(crate) returns_refs: bool,
    pub(crate) size: usize,
    /// Its terms, by number.
    pub(crate) terms: usize,
    /// Its code starts another like it.
    pub(crate) storms: bool,
    /// So many steps it only computes.
    pub(crate) computes: u32,
}

impl Sim {
    pub(crate) fn plan(&mut self, is_child: bool) -> Plan {
        let rng = &mut self.rng;
        let children = if rng.chance(30) { rng.below(5) } else { 0 };
        let waits = rng.chance(60);
        let mut terms = if rng.chance(50) { 0 } else { rng.below(WAYS) };
        // What waits for others holds nothing that they may need, and nobody waits for what can never run: that never ends.
        let demand = &self.terms[terms].1.demand;
        let holds = demand.gpu + Self::db_of(demand) > 0;
        if (children > 0 && waits && holds) || (is_child && !self.exists(demand)) {
            terms = 0;
        }
        let rng = &mut self.rng;
        let is_async = rng.chance(30);
        // One that returned a promise once need not do so again.
        if rng.chance(if is_async { 60 } else { 10 }) {
            terms += WAYS;
        } else if terms == 0 && rng.chance(20) {
            terms = TURNS_OUT;
        }
        Plan {
            children,
            waits,
            terms,
            helps: rng.chance(50),
            is_async,
            throws: rng.chance(8),
            throws_again: if rng.chance(15) {
                1 + rng.below(3) as u32
            } else {
                0
            },
            returns_refs: rng.chance(30),
            size: SIZES[rng.below(SIZES.len())],
            storms: false,
            computes: 0,
        }
    }

    /// The same where tasks start others for ever: the first child of such a task is one, too, and all others start none.
    pub(crate) fn plan_of_storm(&mut self, parent: Option<&Frame>) -> Plan {
        // Some of what is submitted beside a storm waits where its tasks do.
        let beside = match parent {
            Some(frame) => Some(&self.tasks[frame.task]),
            None => self.tasks.last(),
        };
        let like = beside.map(|task| (task.plan.terms, task.plan.is_async));
        let goes_on = parent.is_some_and(|frame| frame.children.is_empty());
        let is_another = parent.is_none() && {
            let recent = self.tasks.iter().rev().take(RECENT);
            recent.filter(|task| task.plan.storms).count() < STORMS_MAX && self.rng.chance(30)
        };
        let storms = goes_on || is_another;
        let mut terms = if self.rng.chance(30) {
            0
        } else {
            self.rng.below(WAYS)
        };
        if !self.exists(&self.terms[terms].1.demand) {
            terms = 0;
        }
        let rng = &mut self.rng;
        let is_async = rng.chance(20);
        let terms = if is_async { terms + WAYS } else { terms };
        let keeps = goes_on || (!is_another && rng.chance(25));
        let (terms, is_async) = like.filter(|_| keeps).unwrap_or((terms, is_async));
        Plan {
            children: if storms {
                1 + usize::from(rng.chance(2))
            } else {
                0
            },
            waits: false,
            terms,
            helps: false,
            is_async,
            throws: !storms && rng.chance(8),
            throws_again: u32::from(!storms && rng.chance(8)),
            returns_refs: false,
            size: SIZES[0],
            storms,
            computes: if !storms && rng.chance(10) {
                COMPUTES
            } else {
                0
            },
        }
    }

    /// Calls of its function may begin beside other async tasks.
    pub(crate) fn is_known(&self, task: usize) -> bool {
        match self.tasks[task].plan.terms {
            TURNS_OUT => self.has_turned_out,
            terms => terms >= WAYS,
        }
    }

    pub(crate) fn retries(&self, task: usize) -> u32 {
        self.terms[self.tasks[task].plan.terms].1.retries
    }

    pub(crate) fn demand(&self, task: usize) -> &Demand {
        &self.terms[self.tasks[task].plan.terms].1.demand
    }

    pub(crate) fn db_of(demand: &Demand) -> u64 {
        demand.named.iter().map(|(_, parts)| parts).sum()
    }

    /// It needs more than there is: nobody may wait for it.
    pub(crate) fn is_for_ever_pending(&self, key: Key) -> bool {
        let task = self.ids[&key];
        !self.tasks[task].is_object && !self.exists(self.demand(task))
    }

    /// True if so much exists in total.
    pub(crate) fn exists(&self, demand: &Demand) -> bool {
        demand.cpu <= self.cpu && demand.gpu <= self.gpus * WHOLE && Self::db_of(demand) <= self.db
    }
}
