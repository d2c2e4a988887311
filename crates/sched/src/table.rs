//! The table of slots and the graph between them: reserve, wait, resolve, free.

use mobula_sync::Mutex;
use mobula_sync::atomic::{AtomicU32, Ordering};

use crate::edge::Edges;
use crate::key::Key;
use crate::slab::Slab;
use crate::slot::{GENERATION_MAX, Phase, Slot};

/// Edges of a list that a registration looks at for one to take over.
const LOOK_BACK_MAX: usize = 4;

/// All slots of a runtime. Every operation but `reserve` and `free` is lock-free on the slots it touches.
#[derive(Debug, Default)]
pub struct Table {
    slots: Slab<Slot>,
    edges: Edges,
    free: Mutex<Free>,
    fresh: AtomicU32,
}

/// Slots that were used and are not now.
#[derive(Debug, Default)]
struct Free {
    indices: Vec<u32>,
    /// Slots that had their last generation: keys of an earlier life would come alive again in a next one.
    retired: usize,
}

impl Table {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// A slot in phase `New`.
    pub fn reserve(&self) -> Key {
        let mut one = Vec::with_capacity(1);
        self.reserve_many(1, &mut one);
        one[0]
    }

    /// Appends `count` slots in phase `New`: isolates take them in batches, so that a ref exists without a crossing.
    pub fn reserve_many(&self, count: usize, out: &mut Vec<Key>) {
        let start = out.len();
        {
            let mut free = self.free.lock();
            let kept = free.indices.len().saturating_sub(count);
            out.extend(free.indices.drain(kept..).map(|index| Key {
                index,
                generation: 0,
            }));
        }
        while out.len() < start + count {
            out.push(Key {
                index: self.fresh.fetch_add(1, Ordering::Relaxed),
                generation: 0,
            });
        }
        for key in &mut out[start..] {
            key.generation = self.slots.at(key.index).reserve();
        }
    }

    /// Gives slots back. The caller holds their last references; a stale or double one is ignored. One whose generations are
    /// used up is not used again.
    pub fn free_many(&self, keys: &[Key]) {
        let vacated = keys
            .iter()
            .filter(|key| self.slots.at(key.index).vacate(key.generation));
        let (last, vacated): (Vec<&Key>, Vec<&Key>) =
            vacated.partition(|key| key.generation == GENERATION_MAX);
        let mut free = self.free.lock();
        free.indices.extend(vacated.iter().map(|key| key.index));
        free.retired += last.len();
    }

    /// The phase of a key's slot; `None` for a stale key.
    pub fn phase(&self, key: Key) -> Option<Phase> {
        self.slots.get(key.index)?.phase(key.generation)
    }

    /// The key that names a slot now, and its phase: for walks over the table.
    pub fn occupant(&self, index: u32) -> Option<(Key, Phase)> {
        let (generation, phase) = self.slots.get(index)?.occupant();
        Some((Key { index, generation }, phase))
    }

    /// `from` → `to`; true for the one caller that did it.
    pub fn advance(&self, key: Key, from: Phase, to: Phase) -> bool {
        self.slots
            .get(key.index)
            .is_some_and(|slot| slot.advance(key.generation, from, to))
    }

    /// Lets `waiter` wait until `arrivals` of `on` are settled. True if that is so already: the caller then acts as if
    /// `resolve` had named it. The slots of `on` must be kept from being freed until this returns; a key that was stale
    /// before, or made up, counts as settled, since nobody will ever settle it.
    pub fn wait_for(&self, waiter: Key, on: &[Key], arrivals: u32) -> bool {
        let slot = self.slots.at(waiter.index);
        // One more than needed: the registrar's own, so that it cannot fire while half of the edges are missing.
        slot.expect(waiter.generation, arrivals.saturating_add(1));
        let mut arrived = 1;
        let mut missing = Vec::with_capacity(on.len());
        {
            let mut free = self.edges.lock();
            for key in on {
                // A made-up key may name a slot that there never was.
                let object = self.slots.get(key.index).filter(|object| {
                    !matches!(object.phase(key.generation), None | Some(Phase::Free))
                });
                match object {
                    None => arrived += 1,
                    Some(object) if self.take_over(object, waiter) => {}
                    Some(object) => missing.push((object, free.take())),
                }
            }
        }
        let mut unused = Vec::new();
        for (object, edge) in missing {
            let link = self.edges.at(edge);
            link.aim(waiter);
            if !object.push(edge, |next| link.link(next)) {
                arrived += 1;
                unused.push(edge);
            }
        }
        self.edges.give_back(&unused);
        slot.arrive(waiter.generation, arrived)
    }

    /// Puts `waiter` in the place of one that waits no longer, among the newest edges: who polls an object leaves one edge
    /// there, not one for each time. The caller holds the lock on the edges, so an edge seen in this list stays in it. A
    /// visitor of the list has either seen the old waiter, and this fails, or will see the new one.
    fn take_over(&self, object: &Slot, waiter: Key) -> bool {
        let mut newest = object.newest();
        for _ in 0..LOOK_BACK_MAX {
            let Some(edge) = newest else { return false };
            let link = self.edges.at(edge);
            match link.waiter() {
                Some(old) if !self.is_counting(old) => return link.hand_over(old, waiter),
                _ => newest = Slot::edge_of(link.next()),
            }
        }
        false
    }

    fn is_counting(&self, waiter: Key) -> bool {
        self.slots.at(waiter.index).is_counting(waiter.generation)
    }

    /// Ends a wait before its time (a failure, a timeout). True for the one caller that ended it.
    pub fn end_wait(&self, waiter: Key) -> bool {
        self.slots
            .get(waiter.index)
            .is_some_and(|slot| slot.arrive_all(waiter.generation))
    }

    /// Settles a slot and counts down those who wait for it; who reached zero is appended to `ready`, in the order of
    /// registration. False if it was settled before.
    pub fn resolve(&self, key: Key, to: Phase, ready: &mut Vec<Key>) -> bool {
        let Some(slot) = self.slots.get(key.index) else {
            return false;
        };
        if slot.settle(key.generation, to).is_none() {
            return false;
        }
        self.visit_dependents(slot, |waiter| {
            if self.slots.at(waiter.index).arrive(waiter.generation, 1) {
                ready.push(waiter);
            }
        });
        true
    }

    /// Settles a slot as failed; all who wait for it are appended to `dependents`, whatever else they wait for: a failure
    /// is news at once. Each of them is named by one caller only. Gives the phase before; `None` if it was settled.
    pub fn resolve_failed(&self, key: Key, dependents: &mut Vec<Key>) -> Option<Phase> {
        let slot = self.slots.get(key.index)?;
        let before = slot.settle(key.generation, Phase::Failed)?;
        self.visit_dependents(slot, |waiter| dependents.push(waiter));
        Some(before)
    }

    /// One of the things a waiter waits for is there. True for the one call that ends its wait.
    pub fn arrive(&self, waiter: Key) -> bool {
        self.slots
            .get(waiter.index)
            .is_some_and(|slot| slot.arrive(waiter.generation, 1))
    }

    fn visit_dependents(&self, slot: &Slot, mut visit: impl FnMut(Key)) {
        let mut link = slot.close();
        let mut edges = Vec::new();
        let mut waiters = Vec::new();
        while let Some(edge) = link {
            let visited = self.edges.at(edge);
            waiters.push(visited.visit());
            edges.push(edge);
            link = Slot::edge_of(visited.next());
        }
        self.edges.give_back(&edges);
        // The list is newest first; those who came first go first.
        waiters.into_iter().rev().for_each(&mut visit);
    }

    /// Slots that were ever used, and edges in use now.
    pub fn sizes(&self) -> (usize, usize) {
        // The lock first: whatever is free by then was counted as used before.
        let free = self.free.lock();
        let used = self.fresh.load(Ordering::Relaxed) as usize;
        (
            used - free.indices.len() - free.retired,
            self.edges.in_use(),
        )
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A table whose only slot is free and has had all generations but so many.
    fn aged(lives_left: u32) -> Table {
        let table = Table::new();
        let first = table.reserve();
        table.free_many(&[first]);
        table.slots.at(first.index).age(GENERATION_MAX - lives_left);
        table
    }

    fn means_nothing(table: &Table, key: Key) {
        assert!(
            matches!(table.phase(key), None | Some(Phase::Free)),
            "{key:?} {:?}",
            table.phase(key)
        );
        assert!(!table.arrive(key) && !table.end_wait(key), "{key:?}");
        assert!(
            !table.advance(key, Phase::New, Phase::Ready),
            "{key:?} is of another life"
        );
        assert!(!table.resolve(key, Phase::Done, &mut Vec::new()));
        assert_eq!(table.resolve_failed(key, &mut Vec::new()), None);
        let late = table.reserve();
        assert!(table.wait_for(late, &[key], 1), "{key:?} is waited for");
        table.free_many(&[key, late]);
    }

    #[test]
    fn stale_keys_stay_stale_when_the_generations_of_a_slot_are_used_up() {
        let table = aged(2);
        let mut old: Vec<Key> = (0..4)
            .map(|generation| Key {
                index: 0,
                generation,
            })
            .collect();
        for life in 0..4 {
            let (object, waiter) = (table.reserve(), table.reserve());
            let is_used = [object, waiter].iter().any(|key| key.index == 0);
            assert_eq!(is_used, life < 2, "two lives were left");
            old.iter().for_each(|key| means_nothing(&table, *key));
            assert_eq!(table.phase(object), Some(Phase::New));
            assert!(!table.wait_for(waiter, &[object], 1));
            let mut ready = Vec::new();
            assert!(table.resolve(object, Phase::Done, &mut ready));
            assert_eq!(ready, [waiter]);
            table.free_many(&[object, waiter]);
            old.extend([object, waiter]);
            old.iter().for_each(|key| means_nothing(&table, *key));
            assert_eq!(table.sizes(), (0, 0));
        }
        assert!(old.iter().any(|key| key.generation == GENERATION_MAX));
    }

    #[test]
    fn an_edge_of_a_wait_that_ended_in_the_last_generation_calls_nobody() {
        let table = aged(1);
        let waiter = table.reserve();
        assert_eq!(waiter.generation, GENERATION_MAX);
        let object = table.reserve();
        assert!(!table.wait_for(waiter, &[object], 1));
        assert!(table.end_wait(waiter));
        table.free_many(&[waiter]);
        let next = table.reserve();
        assert!(!table.wait_for(next, &[object], 2));
        let mut ready = Vec::new();
        assert!(table.resolve(object, Phase::Done, &mut ready));
        assert_eq!(ready, [], "one of two is there, and the other wait is over");
    }
}
