//! Hands out values: small ones as bytes in the heap, large ones as a word that says to ask for a view.

use mobula_sched::{Key, Phase};
use mobula_store::Pin;
use mobula_sync::MutexGuard;

use crate::area::{Area, Heap};
use crate::cell::Body;
use crate::failure::Kind;
use crate::layout::{self, header, place, state};
use crate::port::Port;
use crate::value::{Bytes, Value, Which, table_bytes};

impl Port {
    /// Answers the entries (slot, generation) that were asked for, as many as fit:
    /// `[state, place, offset, length, refs, refs offset, function, detail]`. Failures have the attempt in place of refs, what was
    /// thrown as its detail.
    pub fn fetch(&mut self, bytes: &mut [u8]) {
        self.flush(bytes);
        let mut area = Area::new(bytes);
        let asked = (area.header(header::FETCH_ASKED) as usize).min(layout::FETCH_MAX);
        let states_only = area.header(header::FETCH_STATES) != 0;
        let of_items = area.header(header::FETCH_STATES) == layout::STATES_OF_ITEMS;
        let mut heap = Heap::new(layout::FETCH_HEAP_AT);
        let mut answered = 0;
        while answered < asked {
            let at = layout::FETCH_AT + answered * layout::FETCH_BYTES;
            let [index, generation] = area.words(at);
            if states_only {
                let phase = self.runtime.table.phase(Key { index, generation });
                let settled = phase.is_none_or(|phase| phase.is_settled() || phase == Phase::Free);
                let key = Key { index, generation };
                let word = match settled {
                    false => state::PENDING,
                    true if of_items && self.is_end(key) => state::END,
                    true => state::VALUE,
                };
                area.set_word(at, word);
                answered += 1;
                continue;
            }
            match self.answer(
                &mut area,
                &mut heap,
                Key { index, generation },
                answered == 0,
            ) {
                Some(entry) => area.set_words(at, &entry),
                None => break,
            }
            answered += 1;
        }
        area.set_header(header::FETCH_ANSWERED, answered as u32);
    }

    /// True for the slot of an item that never came, since the stream was over. The asking isolate holds it.
    fn is_end(&self, key: Key) -> bool {
        self.runtime.table.phase(key).is_some()
            && matches!(*self.runtime.cell(key).body.lock(), Body::End)
    }

    fn answer(
        &self,
        area: &mut Area<'_>,
        heap: &mut Heap,
        key: Key,
        is_first: bool,
    ) -> Option<[u32; 8]> {
        let mut entry = [0; 8];
        match self.runtime.table.phase(key) {
            Some(Phase::Done | Phase::Failed) => {}
            None | Some(Phase::Free) => {
                entry[0] = state::GONE;
                return Some(entry);
            }
            // What this isolate reserved and has not submitted cannot be fetched by anyone; all else is on its way.
            Some(_) => return Some(entry),
        }
        let (body, pin) = self.body(key, Which::Value);
        match &*body {
            Body::Value(value) => {
                entry[0] = state::VALUE;
                write_value(area, heap, (value, pin.as_ref()), is_first, &mut entry)?;
            }
            Body::Failed(failure) => {
                entry[6] = failure.function;
                // Beside what was thrown there is no room among the words of a value.
                entry[if failure.kind.thrown().is_some() {
                    7
                } else {
                    4
                }] = failure.attempt;
                match &failure.kind {
                    Kind::Thrown(value) => {
                        entry[0] = state::THROWN;
                        write_value(area, heap, (value, pin.as_ref()), is_first, &mut entry)?;
                    }
                    Kind::Crashed { exit_code, text } => {
                        entry[0] = state::CRASHED;
                        entry[7] = exit_code.map_or(0, |code| code.wrapping_add(1));
                        write_text(area, heap, text, is_first, &mut entry)?;
                    }
                    Kind::Freed => entry[0] = state::FREED,
                    Kind::Lost => entry[0] = state::LOST,
                    Kind::Cancelled { .. } => entry[0] = state::CANCELLED,
                    Kind::TimedOut { limit } => {
                        entry[0] = state::TIMED_OUT;
                        let ms = limit.as_millis() as u64;
                        (entry[1], entry[2]) = (ms as u32, (ms >> 32) as u32);
                    }
                    Kind::ActorDied {
                        thrown: Some(value),
                        ..
                    } => {
                        entry[0] = state::ACTOR_BROKEN;
                        write_value(area, heap, (value, pin.as_ref()), is_first, &mut entry)?;
                    }
                    Kind::ActorDied { reason, text, .. } => {
                        entry[0] = state::ACTOR_DIED;
                        entry[7] = reason.number();
                        write_text(area, heap, text, is_first, &mut entry)?;
                    }
                    Kind::ActorUnavailable { text } => {
                        entry[0] = state::ACTOR_UNAVAILABLE;
                        write_text(area, heap, text, is_first, &mut entry)?;
                    }
                    Kind::Setup { text } => {
                        entry[0] = state::SETUP;
                        write_text(area, heap, text, is_first, &mut entry)?;
                    }
                }
            }
            Body::End => entry[0] = state::END,
            _ => entry[0] = state::GONE,
        }
        Some(entry)
    }

    /// What is in a slot, with the stored bytes that a record is to carry. Those that cannot be had are left to `view`, which says why.
    pub(crate) fn body(&self, key: Key, which: Which) -> (MutexGuard<'_, Body>, Option<Pin>) {
        let cell = self.runtime.cell(key);
        let body = cell.body.lock();
        let object = body
            .value(which)
            .and_then(|(_, value)| value.copied_object());
        let Some(object) = object else {
            return (body, None);
        };
        drop(body);
        let pin = self.runtime.store().pin(object).ok();
        (cell.body.lock(), pin)
    }

    /// Pins the stored bytes behind a slot, if that is where they are; not under the cell's lock, since that may read a disk. `None`
    /// too if they are freed meanwhile.
    pub(crate) fn pin(&self, key: Key, which: Which) -> Result<Option<Pin>, mobula_store::Error> {
        if self.runtime.table.phase(key).is_none() {
            return Ok(None);
        }
        let object = match self.runtime.cell(key).body.lock().value(which) {
            Some((_, value)) => match &value.bytes {
                Bytes::Stored(stored) => stored.object(),
                Bytes::Inline(_) => return Ok(None),
            },
            None => return Ok(None),
        };
        match self.runtime.store().pin(object) {
            Err(error) if error.is_gone() => Ok(None),
            pinned => pinned.map(Some),
        }
    }
}

/// `None` if the heap is too full and a later call would have more room.
fn write_value(
    area: &mut Area<'_>,
    heap: &mut Heap,
    (value, pin): (&Value, Option<&Pin>),
    is_first: bool,
    entry: &mut [u32; 8],
) -> Option<()> {
    let bytes = value.copied(pin);
    entry[1] = place::VIEW;
    entry[4] = value.refs.len() as u32;
    let size = value.refs.len() * layout::REF_BYTES + bytes.map_or(0, <[u8]>::len);
    if !heap.fits(size, 2) {
        entry[1] = place::BULK;
        return is_first.then_some(());
    }
    entry[5] = heap.put(area, &table_bytes(&value.refs));
    if let Some(bytes) = bytes {
        entry[1] = place::HEAP;
        entry[2] = heap.put(area, bytes);
        entry[3] = bytes.len() as u32;
    }
    Some(())
}

fn write_text(
    area: &mut Area<'_>,
    heap: &mut Heap,
    text: &str,
    is_first: bool,
    entry: &mut [u32; 8],
) -> Option<()> {
    let mut text = text;
    if is_first && !heap.fits(text.len(), 1) {
        text = &text[..text.floor_char_boundary(layout::HEAP_BYTES / 2)];
    }
    heap.fits(text.len(), 1).then(|| {
        entry[2] = heap.put(area, text.as_bytes());
        entry[3] = text.len() as u32;
    })
}
