//! Reads the records that an isolate wrote, in the order in which it wrote them.

use mobula_sched::{Key, Phase};
use mobula_store::Object;

use std::sync::Arc;

use crate::actor::{Actor, Bound, Caller, Found};
use crate::area::Area;
use crate::cancel::{Why, Wish};
use crate::cell::{Task, Waiter};
use crate::deadlock::Need;
use crate::failure::{Failure, Kind};
use crate::holders;
use crate::layout::{self, cancel, header, kill, op};
use crate::port::Port;
use crate::returns::Returns;
use crate::value::{Bytes, RefEntry, Value};

impl Port {
    /// Reads and performs what was written since the last time, and fills the stock up.
    pub fn flush(&mut self, area: &mut [u8]) {
        self.crossed = None;
        self.perform_all(area);
        self.close_segment();
        let mut area = Area::new(area);
        if std::mem::take(&mut self.queued) {
            self.runtime.ask_for_workers();
        }
        self.report_wanted(&mut area);
    }

    /// The same without telling others of what was queued: for one who is about to take of it himself.
    pub(crate) fn perform_all(&mut self, area: &mut [u8]) {
        self.notice_awake();
        let mut area = Area::new(area);
        if let Some(seat) = &mut self.seat
            && seat.host.is_none()
        {
            let is_encumbered = area.header(header::HELD) > 0;
            self.runtime.pool.encumber(&mut seat.holder, is_encumbered);
        }
        let count = (area.header(header::OPS) as usize).min(layout::OPS_MAX);
        // First of all: whatever happens, no record is performed twice.
        area.set_header(header::OPS, 0);
        area.set_header(header::OP_HEAP, 0);
        for k in 0..count {
            let words = area.words::<16>(layout::OPS_AT + k * layout::OP_BYTES);
            self.perform(&mut area, &words);
        }
        // Together, since the table's lock is taken for each call. Whatever else these records say came before.
        self.runtime.release(self.released.drain(..));
        self.restock(&mut area);
        self.mailbox.set_handles(self.ledger.len());
        area.set_header(header::OUTSTANDING, self.outstanding);
        area.set_header(header::FAULTS, self.runtime.config.faults.mask());
        area.set_header(header::ROOM, self.runtime.room_for_tasks());
    }

    fn perform(&mut self, area: &mut Area<'_>, words: &[u32; 16]) {
        let key = Key {
            index: words[1],
            generation: words[2],
        };
        match words[0] {
            op::SUBMIT => self.submit(area, key, words),
            op::CREATE => self.create(area, key, words),
            op::TO => self.to = Some((key, words[3])),
            op::KILL => {
                let no_restart = words[3] & kill::NO_RESTART != 0;
                self.runtime.kill(key, no_restart);
            }
            op::EXIT => self.exit_actor(key, words[layout::BIRTH_WORD]),
            op::LET_GO => self.let_go_of_call(key, words[layout::BIRTH_WORD]),
            op::PUT => {
                let value = self.value(area, words);
                self.ledger.add(key);
                self.runtime.put(key, value);
            }
            op::RESULT => self.result(area, key, words),
            op::RETURN => {
                let value = self.value(area, words);
                if self.counts_here(key, words[layout::BIRTH_WORD]) {
                    self.runtime.hand_in(key, value);
                }
            }
            op::RELEASE => {
                if self.ledger.remove(key) {
                    self.brought.forgets(&self.runtime, key);
                    self.released.push(key);
                }
            }
            op::RETAIN => {
                let phase = self.runtime.table.phase(key);
                let exists = phase.is_some_and(|phase| phase != Phase::Free);
                if exists && self.ledger.add(key) {
                    match holders::one_more_of_actor(&self.runtime.cell(key).holders) {
                        None => self.runtime.retain(key),
                        Some(true) => {}
                        Some(false) => drop(self.ledger.remove(key)),
                    }
                }
            }
            op::REFS => {
                let entries = (0..words[2] as usize).map(|k| {
                    let at = layout::OP_HEAP_AT + words[1] as usize + k * layout::REF_BYTES;
                    RefEntry::read(area, at)
                });
                self.refs.extend(entries);
            }
            op::BRING => {
                let entry = RefEntry::read(area, layout::OP_HEAP_AT + words[1] as usize);
                self.brought.name(&self.runtime, entry);
            }
            op::KEYS => {
                let keys = (0..words[2] as usize).map(|k| {
                    let [index, generation] =
                        area.words(layout::OP_HEAP_AT + words[1] as usize + 8 * k);
                    Key { index, generation }
                });
                self.keys.extend(keys);
            }
            op::GET => self.start_wait(words[1], None, waiting_task(words)),
            op::WAIT => self.start_wait(words[1], Some(words[2]), waiting_task(words)),
            op::END_WAIT => {
                if let Some(wait) = self.waits.get(words[1] as usize).copied().flatten() {
                    self.runtime.end_wait(wait);
                }
            }
            op::HAND_BACK if words[layout::BIRTH_WORD] != 0 => {
                self.hand_back_call(key, words[layout::BIRTH_WORD]);
            }
            op::HAND_BACK => {
                if let Some(seat) = &mut self.seat
                    && !seat.in_flight.remove(&key)
                {
                    // Claimed in the round that is not over yet.
                    seat.returned.insert(key);
                }
                self.withdraw(key);
                self.end_time(key);
                let table = &self.runtime.table;
                self.runtime.is_nowhere(key);
                if table.advance(key, Phase::Running, Phase::Ready)
                    || table.advance(key, Phase::Offered, Phase::Ready)
                {
                    self.runtime.enqueue(key, None);
                    self.queued = true;
                } else {
                    self.runtime.let_settled_linger_no_more(key);
                }
            }
            op::FREE => self.runtime.free(key),
            op::NEXT => {
                let slot = Key {
                    index: words[3],
                    generation: words[4],
                };
                self.ledger.add(slot);
                self.runtime.ask_item(key, slot);
            }
            op::TOOK => self.runtime.take_items(key, words[3]),
            op::YIELD => {
                let value = self.value(area, words);
                // A run that is not this thread's any more counts nothing.
                if self.counts_here(key, words[layout::BIRTH_WORD]) {
                    self.runtime.yield_item(key, number(words), value);
                }
            }
            op::ASK => {
                let room = match self.counts_here(key, words[layout::BIRTH_WORD]) {
                    true => self
                        .runtime
                        .room_in_stream(key, number(words), &self.mailbox),
                    false => 0,
                };
                area.set_header(header::ADMITTED, u32::try_from(room).unwrap_or(u32::MAX));
            }
            op::CANCEL if words[3] & cancel::LEFT != 0 => {
                self.runtime.leave_stream(key);
                self.queued = true;
            }
            op::CANCEL => {
                let wish = Wish {
                    why: Why::Cancelled,
                    is_forced: words[3] & cancel::FORCED != 0,
                    is_recursive: words[3] & cancel::RECURSIVE != 0,
                };
                self.runtime.cancel(key, wish);
                // What it held may be what others wait for.
                self.queued = true;
            }
            op::COLLECTED => self.mailbox.has_collected(),
            unknown => debug_assert!(false, "unknown operation {unknown}"),
        }
    }

    fn submit(&mut self, area: &Area<'_>, key: Key, words: &[u32; 16]) {
        let parent = Key {
            index: words[3],
            generation: words[4],
        };
        let bound = match self.to.take() {
            None => None,
            Some((to, group)) => match self.call_of(to, parent, group) {
                Ok(bound) => Some(Box::new(bound)),
                Err(failure) => return self.submit_in_vain(area, (key, words), failure),
            },
        };
        self.submit_task(area, (key, words), bound);
        // Generation 0 is nobody's.
        if parent.generation != 0 {
            self.runtime.adopt(parent, key);
        }
    }

    /// Who calls an actor. `Err`: the actor has ended.
    fn call_of(&mut self, to: Key, parent: Key, group: u32) -> Result<Bound, Arc<Failure>> {
        // One that has ended since says so when the call arrives.
        if self.callee.as_ref().is_none_or(|actor| actor.key != to) {
            self.callee = self.runtime.actor(to);
        }
        let Some(actor) = self.callee.clone() else {
            let ended = self.runtime.failure_of(to);
            return Err(ended.unwrap_or_else(|| Failure::shared(u32::MAX, Kind::Lost)));
        };
        let host = self.seat.as_ref().and_then(|seat| seat.host.as_ref());
        let caller = match host.and_then(|host| host.handed.get(&parent)) {
            Some(caller) => caller.actor.key,
            None if parent.generation != 0 => parent,
            None => Key {
                index: self.number,
                generation: 0,
            },
        };
        Ok(Bound::Call {
            actor,
            caller: Caller(caller),
            group,
        })
    }

    /// A call of an actor that has ended: as if it had been made before.
    fn submit_in_vain(
        &mut self,
        area: &Area<'_>,
        (key, words): (Key, &[u32; 16]),
        failure: Arc<Failure>,
    ) {
        self.submit_task(area, (key, words), None);
        self.runtime.fail(key, failure);
    }

    fn create(&mut self, area: &Area<'_>, key: Key, words: &[u32; 16]) {
        if self.creates_in_vain {
            drop(self.take_refs(words[10]));
            drop(self.value(area, words));
            self.runtime.table.free_many(&[key]);
            return;
        }
        let Some(definition) = self.runtime.definition(words[7]) else {
            debug_assert!(false, "an actor of a class that nobody defined");
            return;
        };
        let id = self.public_id(area, words);
        let class = words[7];
        let actor = Actor::new(Found { key, id, class }, self.naming.take(), definition);
        self.runtime.hosts.begins_to_live();
        self.created = Some(actor.clone());
        let bound = Box::new(Bound::Constructor(actor));
        self.submit_task(area, (key, words), Some(bound));
    }

    fn public_id(&self, area: &Area<'_>, words: &[u32; 16]) -> [u32; 4] {
        let [high, low] = [header::ORIGIN_HIGH, header::ORIGIN_LOW].map(|word| area.header(word));
        [high, low, words[5], words[6]]
    }

    fn submit_task(
        &mut self,
        area: &Area<'_>,
        (key, words): (Key, &[u32; 16]),
        bound: Option<Box<Bound>>,
    ) {
        let deps = self.take_refs(words[10]);
        let arguments = self.value(area, words);
        self.ledger.add(key);
        let returns = (words[14] > 0).then(|| {
            let keys: Box<[Key]> = std::mem::take(&mut self.keys).into();
            for key in &keys {
                self.ledger.add(*key);
            }
            self.runtime.submit_returns(key, &keys);
            Box::new(Returns {
                keys,
                values: Vec::new(),
            })
        });
        let submitted = self
            .burst
            .stamp(&self.runtime.history, self.runtime.idle.parked() > 0);
        let task = Task {
            submitted,
            id: self.public_id(area, words),
            function: words[7],
            arguments,
            brought: (words[15] != 0)
                .then(|| self.brought.take(&self.runtime))
                .flatten(),
            deps,
            returns,
            attempt: 0,
            children: None,
            bound,
        };
        // A call comes to its actor, whose thread is told.
        self.queued |= !matches!(task.bound.as_deref(), Some(Bound::Call { .. }));
        let local = self.seat.as_mut().map(|seat| &mut seat.local);
        self.runtime.submit(key, task, self.callee.as_ref(), local);
    }

    fn result(&mut self, area: &Area<'_>, key: Key, words: &[u32; 16]) {
        let value = self.value(area, words);
        if words[layout::BIRTH_WORD] != 0 {
            return self.result_of_actor(key, words, value);
        }
        self.withdraw(key);
        self.end_time(key);
        if self.end_run((key, None), words[7], value, words[3]) {
            // It may have been begun elsewhere by now, and struck: then it lingers for that.
            return;
        }
        self.runtime.let_linger_no_more(key);
    }

    fn value(&mut self, area: &Area<'_>, words: &[u32; 16]) -> Value {
        let refs = self.take_refs(words[11]);
        let bytes = if words[9] == op::STORED {
            let object = Object {
                index: words[12],
                generation: words[13],
            };
            let at = self
                .written
                .iter()
                .position(|stored| stored.object() == object);
            Bytes::Stored(
                self.written
                    .swap_remove(at.expect("a record names what this isolate wrote")),
            )
        } else {
            let bytes = area.bytes(layout::OP_HEAP_AT, words[8] as usize, words[9] as usize);
            Bytes::Inline(bytes.into())
        };
        Value {
            bytes,
            refs,
            function: u32::MAX,
        }
    }

    fn take_refs(&mut self, count: u32) -> Box<[RefEntry]> {
        let count = (count as usize).min(self.refs.len());
        self.refs.drain(..count).collect()
    }

    fn start_wait(&mut self, token: u32, arrivals: Option<u32>, owner: Option<Key>) {
        let keys = std::mem::take(&mut self.keys);
        // Where there are no actors no circle can be without threads that block.
        let owner = owner.filter(|_| self.runtime.hosts.are_any());
        let waiter = Waiter {
            mailbox: self.mailbox.clone(),
            token,
            ends_on_failure: arrivals.is_none(),
            is_owned: owner.is_some(),
        };
        let ends_on_failure = waiter.ends_on_failure;
        let arrivals = arrivals.unwrap_or(keys.len() as u32);
        let wait = self.runtime.start_wait(waiter, &keys, arrivals, owner);
        if let Some(seat) = &mut self.seat {
            seat.need = Need {
                keys,
                arrivals: arrivals as usize,
                ends_on_failure,
            };
        }
        let place = token as usize;
        if self.waits.len() <= place {
            self.waits.resize(place + 1, None);
        }
        self.waits[place] = Some(wait);
        self.outstanding += 1;
    }

    fn restock(&mut self, area: &mut Area<'_>) {
        let left = (area.header(header::STOCK) as usize).min(layout::STOCK_MAX);
        if left > layout::STOCK_MAX / 2 {
            return;
        }
        self.stock.truncate(left);
        self.runtime
            .table
            .reserve_many(layout::STOCK_MAX - left, &mut self.stock);
        // Slots that were used before come first, and are taken from the end: their memory is warm.
        self.stock[left..].reverse();
        for (k, key) in self.stock.iter().enumerate() {
            let at = layout::STOCK_AT + k * layout::STOCK_ENTRY;
            area.set_words(at, &[key.index, key.generation]);
        }
        area.set_header(header::STOCK, self.stock.len() as u32);
    }
}

/// The task whose code waits, if one does. Generation 0 is nobody's.
fn waiting_task(words: &[u32; 16]) -> Option<Key> {
    let [_, _, _, index, generation, ..] = *words;
    (generation != 0).then_some(Key { index, generation })
}

/// The number of an item.
fn number(words: &[u32; 16]) -> u64 {
    u64::from(words[5]) << 32 | u64::from(words[6])
}
