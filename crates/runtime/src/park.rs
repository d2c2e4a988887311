//! Blocking a thread until there is mail, in slices, so that the thread can be terminated between them.

use std::time::{Duration, Instant};

use crate::area::Area;
use crate::deadlock::{Lookout, Step, Verdict};
use crate::layout::{self, header};
use crate::port::Port;
use crate::refs::KeySet;

/// Why a park ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    /// The slice is over: call again.
    Slice = 0,
    /// There is mail: drain it.
    Mail = 1,
    /// The worker holds a slot again: go on.
    Resumed = 2,
    /// All workers wait for others, and no more may be started: give this wait up.
    Deadlock = 3,
    /// Workers were asked for long ago, and none has come up (driver, and a thread that is not ready itself).
    Stalled = 5,
    /// What is waited for waits for this thread: give this wait up. The fetch entries say who waits for whom.
    Cycle = 4,
    /// What is waited for waits for a call of an actor of this very thread, which the first fetch entry names: run that, and wait anew.
    Helps = 6,
}

/// So often a driver looks for wake-ups that got lost.
const TEND_EVERY: Duration = Duration::from_secs(2);

/// Slices in which nobody went on, before one of them must give up.
const WEDGED_SLICES: u32 = 10;

impl Port {
    /// Flushes, then blocks this thread for a slice at most, or for the time in the header. A worker gives up its slot and
    /// the tasks it was handed and has not begun: others go on with them.
    pub fn park(&mut self, bytes: &mut [u8]) {
        self.flush(bytes);
        self.burst.is_over();
        let mut area = Area::new(bytes);
        if !self.mailbox.has_mail() {
            self.block(area.header(header::PARK_MS) != layout::NO_TIMEOUT);
            let limit = match area.header(header::PARK_MS) {
                layout::NO_TIMEOUT => Self::SLICE,
                ms => Self::SLICE.min(Duration::from_millis(u64::from(ms))),
            };
            self.mailbox.block(limit);
        }
        let reason = if self.mailbox.has_mail() {
            Reason::Mail
        } else if self.is_wedged() {
            Reason::Deadlock
        } else if let Some(verdict) = self.judge() {
            match verdict {
                Verdict::Dead(cycle) => {
                    write_cycle(&mut area, &cycle);
                    Reason::Cycle
                }
                Verdict::Helps(call) => {
                    area.set_words(layout::FETCH_AT, &[call.index, call.generation]);
                    Reason::Helps
                }
            }
        } else if self.seat.is_none() && self.runtime.is_stalled() {
            Reason::Stalled
        } else {
            // A thread that blocks has no timers that would.
            let now = Instant::now();
            self.runtime.store.tend(now);
            self.tend_wakes(now);
            Reason::Slice
        };
        area.set_header(header::PARK_REASON, reason as u32);
    }

    /// A driver that blocks does it here.
    fn tend_wakes(&mut self, now: Instant) {
        let tended = *self.tended.get_or_insert(now);
        if self.is_driver() && now - tended > TEND_EVERY {
            self.tended = Some(now);
            self.runtime.tend_wakes();
        }
    }

    /// True for the one waiter that must give up, since none of those that wait can go on otherwise.
    fn is_wedged(&mut self) -> bool {
        let Some(seat) = &mut self.seat else {
            return false;
        };
        let now = self.runtime.pool.wedge();
        seat.wedged = match (now, seat.wedged) {
            (Some(figure), Some((before, slices))) if figure == before => {
                Some((figure, slices + 1))
            }
            (Some(figure), _) => Some((figure, 1)),
            (None, _) => None,
        };
        if seat.wedged.is_none_or(|(_, slices)| slices < WEDGED_SLICES) {
            return false;
        }
        // A wait that is over, or may be, frees a thread: that the thread has not been seen to go on says nothing.
        if self.runtime.somebody_may_go_on() {
            seat.wedged = None;
            return false;
        }
        let is_chosen = self.runtime.pool.break_wedge();
        if is_chosen {
            self.runtime.blocked.give_up(seat.place);
        }
        is_chosen
    }

    fn judge(&mut self) -> Option<Verdict> {
        let seat = self.seat.as_mut()?;
        seat.lookout.look(|| self.runtime.judge(seat.place))
    }

    fn block(&mut self, has_limit: bool) {
        let Some(seat) = &mut self.seat else { return };
        if seat.holder.is_blocked {
            return;
        }
        self.hand_back_unbegun();
        if let Some(seat) = &mut self.seat {
            let mut holds = seat.claims.begun();
            holds.retain(|key| !seat.returned.contains(key));
            holds.extend(&seat.in_flight);
            let need = std::mem::take(&mut seat.need);
            seat.lookout = Lookout::default();
            let host = seat.host.as_ref();
            let refused = host.map_or_else(KeySet::default, |host| host.refused.clone());
            self.runtime
                .blocked
                .enter(seat.place, need, (holds, refused), has_limit);
            seat.resuming = self.runtime.pool.block(&mut seat.holder);
            self.runtime.pool.show(seat.place, 0);
        }
        self.runtime.ask_for_workers();
    }

    /// After a wait that blocked: waits a slice at most for a slot to go on with.
    pub fn resume(&mut self, bytes: &mut [u8]) {
        let mut area = Area::new(bytes);
        let mut reason = Reason::Resumed;
        if let Some(seat) = &mut self.seat
            && seat.holder.is_blocked
        {
            self.runtime.blocked.leave(seat.place);
            let (wait, holder) = (&mut seat.resuming, &mut seat.holder);
            if self.runtime.pool.resume(wait, holder, Self::SLICE) {
                self.runtime.pool.show(seat.place, seat.holder.parts());
            } else if !self.runtime.is_stopped() {
                reason = Reason::Slice;
            }
        }
        area.set_header(header::PARK_REASON, reason as u32);
    }
}

/// Each step as two words: function, and whether its task is on a thread that waits for the next. Long ways are cut.
fn write_cycle(area: &mut Area<'_>, cycle: &[Step]) {
    let count = cycle.len().min(layout::FETCH_MAX);
    for (k, step) in cycle[..count].iter().enumerate() {
        let words = [step.function, u32::from(step.is_on_thread)];
        area.set_words(layout::FETCH_AT + k * layout::FETCH_BYTES, &words);
    }
    area.set_header(header::FETCH_ANSWERED, count as u32);
}
