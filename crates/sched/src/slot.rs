//! One slot: a phase, a countdown, and the list of those who wait for it. State is three words, each with named transitions.

use mobula_sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Where a slot is in its life.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// Not in use.
    Free = 0,
    /// Reserved: a ref may exist, nothing was submitted yet.
    New = 1,
    /// Waits for other slots.
    Waiting = 2,
    /// In a queue.
    Ready = 3,
    /// Handed to a worker, which may have begun it: the claim word tells.
    Offered = 4,
    /// Begun outside of a batch: run by the very thread that waits for it.
    Running = 5,
    /// Settled with a value.
    Done = 6,
    /// Settled with a failure.
    Failed = 7,
}

impl Phase {
    fn of(bits: u64) -> Phase {
        match bits as u32 {
            1 => Phase::New,
            2 => Phase::Waiting,
            3 => Phase::Ready,
            4 => Phase::Offered,
            5 => Phase::Running,
            6 => Phase::Done,
            7 => Phase::Failed,
            _ => Phase::Free,
        }
    }

    /// True for the two phases that nothing leaves but the end of the slot.
    pub fn is_settled(self) -> bool {
        matches!(self, Phase::Done | Phase::Failed)
    }
}

/// Nobody waits.
const EMPTY: u32 = 0;
/// The slot is settled: who comes now need not wait.
const CLOSED: u32 = u32::MAX;

/// A slot in this generation has no next one.
pub(crate) const GENERATION_MAX: u32 = u32::MAX;

fn pack(generation: u32, low: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(low)
}

fn generation_of(word: u64) -> u32 {
    (word >> 32) as u32
}

/// A slot of the table.
#[derive(Debug)]
pub(crate) struct Slot {
    /// generation 32 | phase 32
    state: AtomicU64,
    /// generation 32 | how many arrivals are still missing 32
    countdown: AtomicU64,
    /// First edge of the list of dependents, as edge + 1; `EMPTY` or `CLOSED`.
    dependents: AtomicU32,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            state: AtomicU64::new(0),
            countdown: AtomicU64::new(0),
            dependents: AtomicU32::new(EMPTY),
        }
    }
}

impl Slot {
    /// Free → New, in a new generation. Only the owner of a freed index calls it, so no exchange is needed; never after
    /// `GENERATION_MAX`.
    pub(crate) fn reserve(&self) -> u32 {
        // Generation 0 is never valid, so that a zeroed handle is stale.
        let generation = generation_of(self.state.load(Ordering::Relaxed)) + 1;
        self.dependents.store(EMPTY, Ordering::Relaxed);
        self.countdown.store(pack(generation, 0), Ordering::Relaxed);
        self.state
            .store(pack(generation, Phase::New as u32), Ordering::Release);
        generation
    }

    /// As if it had been used until this generation, and were free.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn age(&self, generation: u32) {
        self.state
            .store(pack(generation, Phase::Free as u32), Ordering::Release);
    }

    /// any → Free. The generation stays until the next `reserve` raises it, so keys of this life turn stale at once by phase.
    pub(crate) fn vacate(&self, generation: u32) -> bool {
        let state = self.state.load(Ordering::Acquire);
        generation_of(state) == generation
            && Phase::of(state & 0xffff_ffff) != Phase::Free
            && self
                .state
                .compare_exchange(
                    state,
                    pack(generation, Phase::Free as u32),
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// The phase of this generation; `None` for a stale one.
    pub(crate) fn phase(&self, generation: u32) -> Option<Phase> {
        let state = self.state.load(Ordering::Acquire);
        (generation_of(state) == generation).then(|| Phase::of(state & 0xffff_ffff))
    }

    /// The generation that it is in, and the phase of that.
    pub(crate) fn occupant(&self) -> (u32, Phase) {
        let state = self.state.load(Ordering::Acquire);
        (generation_of(state), Phase::of(state & 0xffff_ffff))
    }

    /// `from` → `to`, if this generation is in `from`. True for the one caller that did it.
    pub(crate) fn advance(&self, generation: u32, from: Phase, to: Phase) -> bool {
        self.state
            .compare_exchange(
                pack(generation, from as u32),
                pack(generation, to as u32),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    /// any unsettled → Done or Failed. The phase before, for the one caller that settled it: a task lost to a dead worker
    /// and its late result may race.
    pub(crate) fn settle(&self, generation: u32, to: Phase) -> Option<Phase> {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let phase = Phase::of(state & 0xffff_ffff);
            if generation_of(state) != generation || phase.is_settled() || phase == Phase::Free {
                return None;
            }
            match self.state.compare_exchange_weak(
                state,
                pack(generation, to as u32),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(phase),
                Err(now) => state = now,
            }
        }
    }

    /// Sets the countdown. Before any edge points here, so nobody counts yet.
    pub(crate) fn expect(&self, generation: u32, arrivals: u32) {
        self.countdown
            .store(pack(generation, arrivals), Ordering::Release);
    }

    /// `n` of the awaited things arrived. True for the one call that brings the count to zero; late ones count nothing.
    pub(crate) fn arrive(&self, generation: u32, n: u32) -> bool {
        let mut word = self.countdown.load(Ordering::Acquire);
        loop {
            let left = word as u32;
            if generation_of(word) != generation || left == 0 {
                return false;
            }
            let after = left.saturating_sub(n);
            // AcqRel: whoever brings it to zero sees what all the others wrote before they arrived.
            match self.countdown.compare_exchange_weak(
                word,
                pack(generation, after),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return after == 0,
                Err(now) => word = now,
            }
        }
    }

    /// Ends the countdown at once. True for the one caller that did.
    pub(crate) fn arrive_all(&self, generation: u32) -> bool {
        self.arrive(generation, u32::MAX)
    }

    /// Links an edge in, unless the slot is settled. `link` writes the edge's successor before the edge is published.
    pub(crate) fn push(&self, edge: u32, link: impl Fn(u32)) -> bool {
        let mut head = self.dependents.load(Ordering::Acquire);
        loop {
            if head == CLOSED {
                return false;
            }
            link(head);
            // Release publishes the edge's fields; Acquire on failure, since `CLOSED` means that the value is there.
            match self.dependents.compare_exchange_weak(
                head,
                edge + 1,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => head = now,
            }
        }
    }

    /// The newest edge; `None` if there is none or the list is closed.
    pub(crate) fn newest(&self) -> Option<u32> {
        Self::edge_of(self.dependents.load(Ordering::Acquire))
    }

    /// True while this generation's countdown runs.
    pub(crate) fn is_counting(&self, generation: u32) -> bool {
        let word = self.countdown.load(Ordering::Acquire);
        generation_of(word) == generation && word as u32 != 0
    }

    /// Closes the list; the caller alone owns what was in it. `None` if it was empty.
    pub(crate) fn close(&self) -> Option<u32> {
        match self.dependents.swap(CLOSED, Ordering::AcqRel) {
            EMPTY | CLOSED => None,
            head => Some(head - 1),
        }
    }

    /// The edge a link word names.
    pub(crate) fn edge_of(link: u32) -> Option<u32> {
        (link != EMPTY && link != CLOSED).then(|| link - 1)
    }
}
