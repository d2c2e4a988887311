//! A worker's next tasks: where they come from, how many at once, and what happens to those it does not get to.

use std::time::{Duration, Instant};

use mobula_sched::{BATCH_MAX, Key, Lane, Phase};
use mobula_sync::atomic::{Ordering, fence};

use crate::area::{Area, Heap};
use crate::cell::Body;
use crate::layout::{self, header, place};
use crate::lines::OF_ACTOR;
use crate::pool::Relief;
use crate::port::{Port, Seat};
use crate::runtime::Runtime;
use crate::turn::Turn;
use crate::value::{Bytes, Value, Which, table_bytes};

/// What one record takes, in nanoseconds, before anything was measured: as much as a crossing should hand out.
pub(crate) const PACE_AT_FIRST: u64 = 50_000;
/// Records that were not begun for so long may be taken by others.
const PATIENCE: Duration = Duration::from_micros(200);

/// So long a worker that passes something by leaves its CPU to the one who takes it.
const YIELD: Duration = Duration::from_millis(1);

/// What an idle worker found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Forage {
    /// Something to run.
    Work,
    /// Nothing yet, but others hold records that may be taken after this time.
    Later(Duration),
    /// Nothing.
    Nothing,
}

impl Port {
    /// Ends the last round and starts the next: flushes, then hands out task records. The header says how many.
    pub fn next(&mut self, bytes: &mut [u8]) {
        if let Some(seat) = &self.seat {
            self.runtime.pool.show(seat.place, 0);
            self.runtime.conduct.turn(seat.place);
        }
        // Once for all: where a clock is slow it is what a crossing costs.
        let now = Instant::now();
        self.crossed = Some(now);
        self.perform_all(bytes);
        self.close_segment();
        let mut area = Area::new(bytes);
        self.end_round(now);
        self.be_host_no_more();
        let ends = |seat: &Seat| seat.is_leaving || self.runtime.conduct.is_dying(seat.place);
        let keys = if self.seat.as_ref().is_some_and(ends) || self.runtime.is_stopped() {
            Vec::new()
        } else {
            self.gather(&mut area)
        };
        let round = match &mut self.seat {
            // Others may need what it took for work that somebody else had by then.
            Some(seat) if keys.is_empty() => {
                self.runtime.pool.release(&mut seat.holder);
                0
            }
            Some(seat) => {
                if !std::mem::replace(&mut seat.has_worked, true) {
                    self.runtime.pool.proved();
                }
                self.runtime.pool.forget_to_leave(seat.place);
                seat.round_len = keys.len() as u32;
                seat.round_started = Some(now);
                self.runtime.pool.show(seat.place, seat.holder.parts());
                seat.start_round(&self.runtime, &keys, now)
            }
            _ => 0,
        };
        self.look_at_constructors(&keys);
        area.set_header(header::TASKS, keys.len() as u32);
        area.set_header(header::ROUND, round);
        let in_flight = self.seat.as_ref().map_or(0, |seat| seat.in_flight.len());
        area.set_header(header::IN_FLIGHT, in_flight as u32);
        // The woken one wakes the next, if work is left: in a queue, or behind the first of these records, which may be long.
        // What this round's results made ready and this worker takes itself is nobody else's business: a chain stays where
        // it is.
        let queued = std::mem::take(&mut self.queued);
        let is_host = self.seat.as_ref().is_some_and(|seat| seat.host.is_some());
        if (keys.len() > 1 && !is_host)
            || ((queued || !keys.is_empty()) && self.runtime.has_queued())
        {
            self.runtime.ask_for_workers();
        }
    }

    fn end_round(&mut self, now: Instant) {
        let Some(seat) = &mut self.seat else { return };
        if let Some(started) = seat.round_started.take() {
            let time = now.saturating_duration_since(started).as_nanos() as u64;
            let each = time / u64::from(seat.round_len.max(1));
            seat.pace = (3 * seat.pace + each) / 4;
            self.runtime.pool.was_busy(seat.place, now);
        }
        if seat.host.is_some() {
            return self.end_round_of_calls();
        }
        let runtime = &self.runtime;
        let mut unbegun = Vec::new();
        let (in_flight, returned) = (&mut seat.in_flight, &seat.returned);
        let mut lost = seat.granted_now.take();
        let begun = |key| {
            lost = lost.filter(|other| *other != key);
            // Not if its result is in: then it is settled, or even freed. What went back may be another's by now.
            if runtime.goes_on(key) && !returned.contains(&key) {
                in_flight.insert(key);
            }
        };
        seat.claims.end_round(begun, &mut unbegun);
        seat.returned.clear();
        if let Some(lost) = lost {
            seat.granted.remove(&lost);
        }
        if let Some((key, _)) = seat.timed_now.take()
            && !seat.in_flight.contains(&key)
        {
            seat.timed.remove(&key);
            self.runtime.clock.end(seat.place, key);
        }
        self.runtime.hand_back(&unbegun, Some(&mut seat.local));
    }

    /// Takes tasks from the queues and writes their records.
    fn gather(&mut self, area: &mut Area<'_>) -> Vec<Key> {
        if self.become_host() || self.seat.as_ref().is_some_and(|seat| seat.host.is_some()) {
            return self.gather_calls(area);
        }
        let mut keys = Vec::new();
        let Some(seat) = &mut self.seat else {
            return keys;
        };
        if std::mem::take(&mut seat.is_searching) {
            self.runtime.idle.end_search();
        }
        let room = seat.room(&self.runtime, self.outstanding);
        if room == 0 {
            return keys;
        }
        let most = room.min(BATCH_MAX) as u64;
        let mut count = (self.runtime.crossing / seat.pace.max(1)).clamp(1, most) as usize;
        if seat.yield_cpu(&self.runtime) {
            self.runtime.ask_for_relief();
            return keys;
        }
        seat.yields_until = None;
        if seat.seniority.count_round() {
            // Others may need what it was given.
            self.queued |= seat.take_over(&self.runtime);
        }
        let mut lanes = seat.lanes(&self.runtime);
        if self.runtime.lines.is_waiting() {
            match self.gather_in_turn(area, count) {
                Turn::Common { most, lane } => (count, lanes) = (most, [Some(lane), None]),
                Turn::Over(keys) => return keys,
            }
        }
        let Some(seat) = &mut self.seat else {
            return keys;
        };
        let pool = &self.runtime.pool;
        if !pool.acquire(&mut seat.holder) {
            return keys;
        }
        let idle = self.runtime.idle.parked();
        if idle > 0 {
            // Leave their share to the idle that could run too.
            let sharers = idle.min(pool.free() as usize) + 1;
            count = count.min(self.runtime.queues.len().div_ceil(sharers).max(1));
        }
        count = count.min(room);
        let mut heap = Heap::new(layout::TASK_HEAP_AT);
        // All of a round are from one lane: code behind others that turn out to be async does not run beside those.
        while keys.len() < count {
            let Some(seat) = &mut self.seat else { break };
            let [Some(lane), other] = lanes else { break };
            let Some(key) = seat.next(&self.runtime, lane) else {
                lanes = [other.filter(|_| keys.is_empty()), None];
                continue;
            };
            seat.takes_from(lane, &self.runtime);
            if self.runtime.table.phase(key) != Some(Phase::Ready) {
                // Taken by a thread that waited for it, or failed in the queue.
                continue;
            }
            let limit = self.runtime.limit_of(key);
            // Alone: its time begins when it is handed out.
            let is_too_late = limit.is_some() && !keys.is_empty();
            if is_too_late || !self.write_task(area, &mut heap, keys.len(), key) {
                self.runtime
                    .enqueue(key, self.seat.as_mut().map(|seat| &mut seat.local));
                break;
            }
            if self
                .runtime
                .table
                .advance(key, Phase::Ready, Phase::Offered)
            {
                keys.push(key);
                if let (Some(limit), Some(seat)) = (limit, &mut self.seat) {
                    seat.timed_now = Some((key, limit));
                    break;
                }
            }
        }
        keys
    }

    /// Writes the record of a task. False if the heap is too full for it.
    pub(crate) fn write_task(
        &self,
        area: &mut Area<'_>,
        heap: &mut Heap,
        k: usize,
        key: Key,
    ) -> bool {
        let (body, pin) = self.body(key, Which::Arguments);
        // A task that was settled meanwhile leaves an empty record, which its failed `advance` discards.
        let Body::Task(task) = &*body else {
            return true;
        };
        let deps = &task.deps;
        let refs = || task.arguments.refs.iter().chain(&task.brought);
        let ref_count = task.arguments.refs.len() + usize::from(task.brought.is_some());
        let tables = (ref_count + deps.len()) * layout::REF_BYTES;
        let inline = task.arguments.copied(pin.as_ref());
        let size = tables + inline.map_or(0, <[u8]>::len);
        let few = task.few_deps();
        let mut record = [
            key.index,
            key.generation,
            task.function,
            place::VIEW,
            0,
            0,
            ref_count as u32,
            0,
            deps.len() as u32,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        if !heap.fits(size, 3) {
            if k > 0 {
                return false;
            }
            record[3] = place::BULK;
        } else {
            record[7] = heap.put(area, &table_bytes(refs()));
            record[9] = heap.put(area, &table_bytes(deps));
            if let Some(bytes) = inline {
                record[3] = place::HEAP;
                record[4] = heap.put(area, bytes);
                record[5] = bytes.len() as u32;
            }
            // Nobody holds two bodies at once.
            drop(body);
            if let Some(carried) = self.write_deps(area, heap, &few) {
                record[10..].copy_from_slice(&carried);
            }
        }
        let at = layout::TASKS_AT + k * layout::TASK_BYTES;
        area.set_words(at, &record);
        // Of no actor, unless whoever hands it out says so: records lie where others lay before.
        area.set_words(at + layout::TASK_ACTOR_AT, &[0, 0, 0]);
        true
    }

    /// Writes the values of deps: a crossing less for the task. `None` if one is large, refers to others, was freed, or finds no room.
    fn write_deps(
        &self,
        area: &mut Area<'_>,
        heap: &mut Heap,
        keys: &[Option<Key>],
    ) -> Option<[u32; 2 * layout::DEPS_CARRIED_MAX]> {
        let mut carried = [0; 2 * layout::DEPS_CARRIED_MAX];
        for (key, words) in keys.iter().flatten().zip(carried.chunks_exact_mut(2)) {
            let body = self.runtime.cell(*key).body.lock();
            // Asked under the lock: a slot that is somebody else's by now was emptied under it before.
            let is_there = self.runtime.table.phase(*key) == Some(Phase::Done);
            let Body::Value(Value {
                bytes: Bytes::Inline(bytes),
                refs,
                ..
            }) = &*body
            else {
                return None;
            };
            if !is_there || !refs.is_empty() || !heap.fits(bytes.len(), 1) {
                return None;
            }
            words.copy_from_slice(&[heap.put(area, bytes), bytes.len() as u32]);
        }
        Some(carried)
    }

    /// Looks for work that `next` would hand out; takes what others were handed and left lying.
    pub fn forage(&mut self) -> Forage {
        let runtime = self.runtime.clone();
        let Some(seat) = &mut self.seat else {
            return Forage::Nothing;
        };
        seat.sees_open_records = false;
        seat.sees_claim = false;
        seat.awaits_relief = false;
        runtime.conduct.turn(seat.place);
        // No code of tasks runs here now, whatever this worker still holds.
        runtime.pool.show(seat.place, 0);
        if !seat.may_run(&runtime) {
            return Forage::Nothing;
        }
        if let Some(host) = &seat.host {
            return match seat.host_finds(&runtime, host) {
                true => Forage::Work,
                false => Forage::Nothing,
            };
        }
        if runtime.hosts.unplaced() > 0 && seat.can_host(&runtime) {
            return Forage::Work;
        }
        if seat.room(&runtime, self.outstanding) == 0 {
            if seat.holder.cpu.is_some() {
                // As below. Others may need it.
                runtime.pool.release(&mut seat.holder);
                runtime.ask_for_workers();
            }
            return Forage::Nothing;
        }
        if let Some(left) = seat.yields() {
            return Forage::Later(left);
        }
        let relief = seat.relief(&runtime);
        let sight = runtime.look(&seat.holder, false, relief.is_some());
        if sight.finds.is_some() {
            return Forage::Work;
        }
        let mut soonest = sight.later;
        seat.sees_claim = soonest.is_some();
        if seat.has_cpu(&runtime) {
            let mut taken = Vec::new();
            for claims in runtime.others(seat.place) {
                let later = claims.take_back(PATIENCE, false, &mut taken);
                soonest = [soonest, later].into_iter().flatten().min();
                if !taken.is_empty() {
                    runtime.hand_back(&taken, Some(&mut seat.local));
                    if runtime
                        .look(&seat.holder, true, relief.is_some())
                        .finds
                        .is_some()
                    {
                        return Forage::Work;
                    }
                    taken.clear();
                }
            }
            seat.sees_open_records = soonest.is_some();
        }
        if seat.holder.is_encumbered {
            // Its loop may go on without ever sleeping, and what it passes by needs the CPU.
            runtime.pool.release(&mut seat.holder);
        }
        if let Some(relief) = relief
            && runtime.has_plain()
        {
            // Whoever passes work by calls for one who takes it.
            runtime.ask_for_relief();
            seat.awaits_relief = true;
            let passed = runtime.pool.pass_by();
            let left = match relief {
                // Passed by for too long, and yet a thread is coming up for it.
                Relief::Start(left) if passed.is_zero() => left,
                Relief::Start(left) => left.min(passed),
                _ => passed,
            };
            soonest = [soonest, Some(left)].into_iter().flatten().min();
        }
        soonest.map_or(Forage::Nothing, Forage::Later)
    }

    /// A cheap look while spinning: something may be queued.
    pub fn has_work(&self) -> bool {
        let seat = self.seat.as_ref();
        if let Some(seat) = seat
            && let Some(host) = &seat.host
        {
            return seat.host_finds(&self.runtime, host);
        }
        seat.is_some_and(|seat| {
            seat.room(&self.runtime, self.outstanding) > 0
                && seat.yields().is_none()
                && match seat.relief(&self.runtime) {
                    Some(_) => self.runtime.has_async(),
                    None => self.runtime.has_queued(),
                }
        })
    }

    /// Looks around before going to sleep: while someone does, producers wake nobody.
    pub fn start_search(&mut self) {
        if let Some(seat) = &mut self.seat
            && seat.host.is_none()
            && seat.room(&self.runtime, self.outstanding) > 0
            // It may pass by what producers would leave to it.
            && !seat.holder.is_encumbered
            && !std::mem::replace(&mut seat.is_searching, true)
        {
            self.runtime.idle.start_search();
        }
    }

    /// Stops looking around; `announce` and one more look must follow.
    pub fn end_search(&mut self) {
        if let Some(seat) = &mut self.seat
            && std::mem::take(&mut seat.is_searching)
        {
            self.runtime.idle.end_search();
        }
    }

    /// Takes one task out of wherever it is queued, to run it inside of a wait for it; where that is a call of an actor's that lives
    /// here, what goes first. True if the record is now the first in the area. Other records of this round go back first: they would be
    /// overwritten, and wait behind this.
    pub fn take(&mut self, bytes: &mut [u8], key: Key) -> bool {
        let key = self.runtime.task_of(key);
        self.flush(bytes);
        let handed_back = self.hand_back_unbegun();
        let mut area = Area::new(bytes);
        let taken = match self.runtime.line_of(key) {
            OF_ACTOR => self.take_call(&mut area, key),
            _ => self.take_task(&mut area, key),
        };
        if handed_back && self.runtime.has_queued() {
            self.runtime.ask_for_workers();
        }
        taken
    }

    fn take_task(&mut self, area: &mut Area<'_>, key: Key) -> bool {
        let runtime = self.runtime.clone();
        let Some(seat) = &mut self.seat else {
            return false;
        };
        let taken = seat.take(&runtime, key);
        if taken {
            if let Some(limit) = runtime.limit_of(key) {
                seat.timed.insert(key);
                runtime.start_time(seat.place, key, limit);
            }
            seat.in_flight.insert(key);
            self.write_task(area, &mut Heap::new(layout::TASK_HEAP_AT), 0, key);
        }
        taken
    }

    /// Everything of this round that was not begun is for others to take. False if there was nothing.
    pub(crate) fn hand_back_unbegun(&mut self) -> bool {
        let mut taken = Vec::new();
        if let Some(seat) = &mut self.seat {
            seat.claims.take_back(Duration::ZERO, true, &mut taken);
            if seat.host.is_none() {
                self.runtime.hand_back(&taken, Some(&mut seat.local));
            }
        }
        for key in &taken {
            self.give_back_call(*key);
        }
        !taken.is_empty()
    }

    /// Bytes and refs of a task or a value in one piece: table of deps, table of refs, bytes. `None` if they were freed.
    pub fn bulk(&self, key: Key, which: Which) -> Result<Option<Vec<u8>>, mobula_store::Error> {
        let pin = self.pin(key, which)?;
        let body = self.runtime.cell(key).body.lock();
        let Some((deps, value)) = body.value(which) else {
            return Ok(None);
        };
        let bytes = match (&value.bytes, &pin) {
            (Bytes::Inline(bytes), _) => bytes,
            (Bytes::Stored(stored), Some(pin)) if pin.object() == stored.object() => pin.bytes(),
            _ => return Ok(None),
        };
        let brought = match &*body {
            Body::Task(task) => task.brought.as_ref(),
            _ => None,
        };
        let mut out = table_bytes(deps);
        out.extend(table_bytes(value.refs.iter().chain(brought)));
        // The bytes begin as if at the start of memory of their own.
        out.resize(out.len().next_multiple_of(64), 0);
        out.extend_from_slice(bytes);
        Ok(Some(out))
    }
}

impl Seat {
    /// Lets JavaScript begin these. Those that were settled since they were taken from their queue are begun by nobody: whoever
    /// settles one later finds it here.
    fn start_round(&mut self, runtime: &Runtime, keys: &[Key], now: Instant) -> u32 {
        let at = runtime.history.at(now);
        self.segment.begin(at);
        for key in keys {
            let cell = runtime.cell(*key);
            cell.place.store(self.place as u32, Ordering::Relaxed);
            cell.handed.store(at, Ordering::Relaxed);
        }
        let round = self.claims.start_round(keys, now);
        if let Some((key, limit)) = self.timed_now {
            self.timed.insert(key);
            runtime.start_time(self.place, key, limit);
        }
        // With the one in `struck`.
        fence(Ordering::SeqCst);
        for key in keys {
            if runtime.table.phase(*key) != Some(Phase::Offered) && self.claims.take_one(*key) {
                if self.host.is_some() {
                    self.takes_no_part(runtime, *key);
                    continue;
                }
                runtime.pool.withdraw(*key);
                runtime.let_settled_linger_no_more(*key);
            }
        }
        round
    }

    /// The next task of a lane: nearest first, or, every so often, the one that has waited longest.
    fn next(&mut self, runtime: &Runtime, lane: Lane) -> Option<Key> {
        let is_ready = |key| runtime.table.phase(key) == Some(Phase::Ready);
        match self.seniority.take(lane) {
            true => self.local.eldest(&runtime.queues, lane, is_ready),
            false => self.local.next(&runtime.queues, lane),
        }
    }

    /// Queues here what others were handed and left lying. True if there was something.
    fn take_over(&mut self, runtime: &Runtime) -> bool {
        let mut taken = Vec::new();
        for claims in runtime.others(self.place) {
            claims.take_back(PATIENCE, false, &mut taken);
        }
        runtime.hand_back(&taken, Some(&mut self.local));
        !taken.is_empty()
    }

    /// The next round, or what there is of it, is from this lane.
    pub(crate) fn takes_from(&mut self, lane: Lane, runtime: &Runtime) {
        self.lane = lane;
        if lane == Lane::Plain {
            runtime.pool.passed_none();
        }
    }

    /// Which lanes it takes from, in this order: those that both have work take turns.
    fn lanes(&self, runtime: &Runtime) -> [Option<Lane>; 2] {
        if self.relief(runtime).is_some() {
            return [Some(Lane::Async), None];
        }
        // One that may take everything takes what others pass by; those have the rest.
        let takes_turns = self.holder.is_encumbered
            || !runtime.pool.has_encumbered()
            // Those may be full, or compute.
            || self.seniority.is_due(Lane::Async);
        let is_turn_of_async =
            takes_turns && self.lane == Lane::Plain && runtime.queues.has_work_in(Lane::Async);
        let first = if is_turn_of_async {
            Lane::Async
        } else {
            Lane::Plain
        };
        [Some(first), Some(first.other())]
    }

    /// Passing something by that an idle worker could do if it had this one's CPU, or one that would be started for it, it leaves
    /// that to it every other time.
    /// True if it holds none now.
    fn yield_cpu(&mut self, runtime: &Runtime) -> bool {
        if !self.holder.is_encumbered {
            return false;
        }
        if !runtime.has_plain() {
            runtime.pool.passed_none();
            return false;
        }
        if self.relief(runtime).is_none() {
            return false;
        }
        runtime.pool.pass_by();
        if runtime.pool.free() > 0 {
            // Before it takes it.
            runtime.ask_for_relief();
            return false;
        }
        let yields = self.lane == Lane::Async;
        if yields {
            self.lane = Lane::Plain;
            self.yields_until = Some(Instant::now() + YIELD);
            runtime.pool.release(&mut self.holder);
        }
        yields
    }
}
