//! Who has how much of what: CPU with workers, for as long as code of tasks runs on them; everything else with tasks, from
//! their hand-out until their code has ended.

use std::collections::HashMap;
use std::sync::Arc;

use mobula_sched::Key;

use crate::resources::{Demand, Kind, Shape, Stock, Totals, WHOLE};

/// What a worker holds.
#[derive(Debug, Default)]
pub(crate) struct Holder {
    pub(crate) place: usize,
    /// CPU in parts, which may be none of it; `None`: it may not run tasks.
    pub(crate) cpu: Option<u64>,
    /// Inside of a blocking wait.
    pub(crate) is_blocked: bool,
    /// It has begun async tasks that have not ended.
    pub(crate) is_encumbered: bool,
    /// It runs actors, whose CPU is their own.
    pub(crate) is_host: bool,
}

impl Holder {
    pub(crate) fn at(place: usize) -> Self {
        Self {
            place,
            ..Self::default()
        }
    }

    /// It has nothing to run, and async tasks that may go on at any time.
    fn rests(&self) -> bool {
        self.is_encumbered && !self.is_blocked && self.cpu.is_none()
    }

    pub(crate) fn parts(&self) -> u64 {
        self.cpu.unwrap_or(0)
    }
}

/// What a task holds until its code has ended.
#[derive(Debug)]
struct Grant {
    /// The worker that runs it, or was handed it.
    place: usize,
    /// CPU that is its own, too (actors).
    cpu: u64,
    shape: Arc<Shape>,
    gpus: Box<[u32]>,
}

/// What a granted task has: its GPUs by number, and everything but CPU by name, in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// GPUs by number.
    pub gpus: Box<[u32]>,
    /// Parts of each resource by name, `GPU` among them.
    pub named: Vec<(String, u64)>,
}

/// Changed under the pool's lock only: whoever gives something back does it there, and looks for work, or has others look,
/// after that.
#[derive(Debug)]
pub(crate) struct Budget {
    cpu: u64,
    /// CPU that workers hold.
    running: u64,
    /// CPU that actors hold while they live.
    reserved: u64,
    /// CPU that code that blocked waits for, to go on.
    owed: u64,
    /// Workers that hold CPU, be it none of it: they run tasks, or are about to.
    holders: u32,
    /// Workers with unfinished async tasks that neither hold CPU nor block.
    resting: u32,
    stock: Stock,
    grants: HashMap<Key, Grant>,
}

impl Budget {
    pub(crate) fn new(totals: &Totals) -> Self {
        Self {
            cpu: totals.cpu,
            running: 0,
            reserved: 0,
            owed: 0,
            holders: 0,
            resting: 0,
            stock: Stock::new(totals),
            grants: HashMap::new(),
        }
    }

    /// In terms of what there is; `None`: more than there is.
    pub(crate) fn shape(&self, demand: &Demand) -> Option<Shape> {
        self.stock.shape(demand)
    }

    pub(crate) fn cpu(&self) -> u64 {
        self.cpu
    }

    pub(crate) fn holders(&self) -> u32 {
        self.holders
    }

    pub(crate) fn resting(&self) -> u32 {
        self.resting
    }

    /// Changes what a worker is, and counts it anew.
    pub(crate) fn change(&mut self, at: &mut Holder, change: impl FnOnce(&mut Holder)) {
        self.running -= at.parts();
        self.holders -= u32::from(at.cpu.is_some());
        self.resting -= u32::from(at.rests());
        change(at);
        self.running += at.parts();
        self.holders += u32::from(at.cpu.is_some());
        self.resting += u32::from(at.rests());
    }

    pub(crate) fn grants(&self) -> usize {
        self.grants.len()
    }

    /// CPU for new tasks. What code waits for to go on is not free: that code takes it as soon as it wakes.
    pub(crate) fn free_cpu(&self) -> u64 {
        self.cpu
            .saturating_sub(self.running + self.reserved + self.owed)
    }

    /// Common tasks that could begin now on workers that hold nothing.
    pub(crate) fn room_of_common(&self) -> u32 {
        (self.free_cpu() / WHOLE) as u32
    }

    /// True if a worker could have so much CPU for new tasks in place of what it holds.
    pub(crate) fn has_cpu(&self, at: &Holder, cpu: u64) -> bool {
        self.running + self.reserved + self.owed + cpu <= self.cpu + at.parts()
    }

    /// True if the worker could begin such a task.
    pub(crate) fn fits(&self, at: &Holder, shape: &Shape) -> bool {
        self.has_cpu(at, shape.cpu) && self.stock.fits(shape)
    }

    /// The worker holds so much CPU instead of what it held.
    pub(crate) fn set_cpu(&mut self, at: &mut Holder, cpu: u64) {
        self.change(at, |at| at.cpu = Some(cpu));
    }

    /// The worker holds no CPU any more.
    pub(crate) fn give_up(&mut self, at: &mut Holder) {
        self.change(at, |at| at.cpu = None);
    }

    /// Code that blocked waits for so much CPU. What others wait for does not count here: they blocked, too, and all of them
    /// go before new tasks.
    pub(crate) fn can_resume(&self, cpu: u64) -> bool {
        self.running + self.reserved + cpu <= self.cpu
    }

    pub(crate) fn owe(&mut self, cpu: u64) {
        self.owed += cpu;
    }

    pub(crate) fn no_longer_owe(&mut self, cpu: u64) {
        self.owed -= cpu;
    }

    pub(crate) fn is_owed(&self) -> bool {
        self.owed > 0
    }

    /// Gives a worker what a task needs: CPU in place of what it holds, and a grant. False, and nothing changed, if it cannot
    /// be had, or if the task has a grant: then it is somebody else's.
    pub(crate) fn take(&mut self, key: Key, shape: &Arc<Shape>, at: &mut Holder) -> bool {
        if !self.has_cpu(at, shape.cpu) || !self.grant(key, shape, at.place) {
            return false;
        }
        self.set_cpu(at, shape.cpu);
        true
    }

    /// Gives a task all that it is to hold until its end.
    pub(crate) fn grant(&mut self, key: Key, shape: &Arc<Shape>, place: usize) -> bool {
        if !shape.holds() {
            return true;
        }
        if self.grants.contains_key(&key) {
            return false;
        }
        let Some(gpus) = self.stock.take(shape) else {
            return false;
        };
        let grant = Grant {
            place,
            cpu: 0,
            shape: shape.clone(),
            gpus,
        };
        self.grants.insert(key, grant);
        true
    }

    /// An actor gets all that it is to hold while it lives, or nothing. True, too, if it has it.
    pub(crate) fn hold(&mut self, key: Key, demand: &Demand) -> bool {
        if self.grants.contains_key(&key) {
            return true;
        }
        let Some(shape) = self.shape(demand) else {
            return false;
        };
        if shape.cpu == 0 && !shape.holds() {
            return true;
        }
        if self.free_cpu() < shape.cpu {
            return false;
        }
        let Some(gpus) = self.stock.take(&shape) else {
            return false;
        };
        self.reserved += shape.cpu;
        let grant = Grant {
            place: usize::MAX,
            cpu: shape.cpu,
            shape: Arc::new(shape),
            gpus,
        };
        self.grants.insert(key, grant);
        true
    }

    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// The task, and its grant with it, is another worker's now.
    pub(crate) fn move_grant(&mut self, key: Key, place: usize) {
        if let Some(grant) = self.grants.get_mut(&key) {
            grant.place = place;
        }
    }

    pub(crate) fn withdraw(&mut self, key: Key) {
        if let Some(grant) = self.grants.remove(&key) {
            self.stock.give_back(&grant.shape, &grant.gpus);
            self.reserved -= grant.cpu;
        }
    }

    /// A worker is gone, and all code that it ran.
    pub(crate) fn withdraw_all_of(&mut self, place: usize) {
        let lost = |(_, grant): &(&Key, &Grant)| grant.place == place;
        let lost: Vec<Key> = self
            .grants
            .iter()
            .filter(lost)
            .map(|(key, _)| *key)
            .collect();
        lost.into_iter().for_each(|key| self.withdraw(key));
    }

    pub(crate) fn granted(&self, key: Key) -> Option<Granted> {
        let grant = self.grants.get(&key)?;
        let names = self.stock.names_of(&grant.shape);
        Some(Granted {
            gpus: grant.gpus.clone(),
            named: names
                .map(|(name, parts)| (name.to_owned(), parts))
                .collect(),
        })
    }

    /// What somebody who cannot begin such a task should find when he comes again. What tasks hold until they have ended comes
    /// first: CPU comes back sooner, and is not kept idle for the sake of the rest.
    pub(crate) fn to_withhold(&self, shape: &Shape) -> Vec<Kind> {
        let lacks_cpu_only = self.stock.fits(shape);
        let cpu = lacks_cpu_only.then_some(Kind::Cpu);
        shape.held_kinds().chain(cpu).collect()
    }

    /// How many of these tasks, so many of each shape, could begin now on workers that hold nothing; `most` at most.
    pub(crate) fn room<'a>(
        &self,
        queued: impl Iterator<Item = (&'a Shape, usize)>,
        most: u32,
    ) -> u32 {
        let mut stock = self.stock.clone();
        let mut cpu = self.free_cpu();
        let mut room: usize = 0;
        for (shape, count) in queued {
            let by_cpu = cpu.checked_div(shape.cpu).unwrap_or(u64::MAX);
            let count = count.min(most as usize).min(by_cpu as usize);
            let count = stock.take_many(shape, count);
            cpu -= shape.cpu * count as u64;
            room += count;
        }
        room.min(most as usize) as u32
    }

    /// The tasks that hold something of what keeps a task of this shape from beginning. None if nothing does, or if only CPU
    /// is missing: that always comes back.
    pub(crate) fn in_the_way(&self, shape: &Shape) -> Vec<Key> {
        if self.stock.fits(shape) {
            return Vec::new();
        }
        let shares = |grant: &Grant| shape.held_kinds().any(|kind| grant.shape.wants(kind));
        let holders = self.grants.iter().filter(|(_, grant)| shares(grant));
        holders.map(|(key, _)| *key).collect()
    }

    /// Who holds something of what an actor is to hold. `None`: that is more than there is.
    pub(crate) fn holders_of(&self, demand: &Demand) -> Option<Vec<Key>> {
        let shape = self.shape(demand)?;
        let shares = |grant: &Grant| {
            let mut kinds = shape.held_kinds();
            (shape.cpu > 0 && grant.cpu > 0) || kinds.any(|kind| grant.shape.wants(kind))
        };
        let holders = self.grants.iter().filter(|(_, grant)| shares(grant));
        Some(holders.map(|(key, _)| *key).collect())
    }

    /// Name, total and what is left of each but CPU.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.stock.figures()
    }
}
