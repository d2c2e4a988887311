//! The handles of one isolate: a count per slot, which is dropped whole when the isolate ends.

use mobula_sched::Key;

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// How many handles an isolate has to a slot, in which of its lives. While there are any the slot cannot get another life,
/// since the isolate is one of its holders.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    generation: u32,
    handles: u32,
}

/// The handles of one isolate: how many it has for each slot. However many, the isolate counts as one holder.
///
/// By index rather than by hash: slots are used again before new ones are, so the ones in use lie close together.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    chunks: Vec<Option<Box<[Count]>>>,
    len: usize,
}

impl Ledger {
    /// One handle more. True if it is the first.
    pub(crate) fn add(&mut self, key: Key) -> bool {
        let chunk = (key.index >> CHUNK_BITS) as usize;
        if self.chunks.len() <= chunk {
            self.chunks.resize_with(chunk + 1, || None);
        }
        let chunk = self.chunks[chunk].get_or_insert_with(|| vec![Count::default(); CHUNK].into());
        let count = &mut chunk[key.index as usize & (CHUNK - 1)];
        if count.handles != 0 && count.generation == key.generation {
            count.handles += 1;
            return false;
        }
        debug_assert_eq!(count.handles, 0, "two lives of one slot");
        *count = Count {
            generation: key.generation,
            handles: 1,
        };
        self.len += 1;
        true
    }

    /// One handle less. True if it was the last; a handle that is not in the ledger changes nothing.
    pub(crate) fn remove(&mut self, key: Key) -> bool {
        let chunk = self.chunks.get_mut((key.index >> CHUNK_BITS) as usize);
        let Some(Some(chunk)) = chunk else {
            return false;
        };
        let count = &mut chunk[key.index as usize & (CHUNK - 1)];
        if count.handles == 0 || count.generation != key.generation {
            return false;
        }
        count.handles -= 1;
        self.len -= usize::from(count.handles == 0);
        count.handles == 0
    }

    /// Every slot that there is a handle to; none is left.
    pub(crate) fn drain(&mut self) -> Vec<Key> {
        let mut keys = Vec::with_capacity(self.len);
        for (n, chunk) in std::mem::take(&mut self.chunks).into_iter().enumerate() {
            let counts = chunk.into_iter().flatten().enumerate();
            keys.extend(
                counts
                    .filter(|(_, count)| count.handles > 0)
                    .map(|(k, count)| Key {
                        index: (n * CHUNK + k) as u32,
                        generation: count.generation,
                    }),
            );
        }
        self.len = 0;
        keys
    }

    /// Slots that there is a handle to.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_as_a_map_does(steps in prop::collection::vec((0u32..5000, 1u32..4, any::<bool>()), 0..400)) {
            let mut ledger = Ledger::default();
            let mut model: HashMap<u32, (u32, u32)> = HashMap::new();
            for (index, generation, adds) in steps {
                let held = model.get(&index).copied();
                // A slot that is held has no other life.
                let generation = held.map_or(generation, |(generation, _)| generation);
                let key = Key { index, generation };
                if adds {
                    prop_assert_eq!(ledger.add(key), held.is_none());
                    model.entry(index).or_insert((generation, 0)).1 += 1;
                } else {
                    let was_last = matches!(held, Some((_, 1)));
                    prop_assert_eq!(ledger.remove(key), was_last);
                    match model.get_mut(&index) {
                        Some((_, 1)) => drop(model.remove(&index)),
                        Some((_, count)) => *count -= 1,
                        None => {}
                    }
                    let stale = Key { index, generation: generation + 7 };
                    prop_assert!(!ledger.remove(stale));
                }
                prop_assert_eq!(ledger.len(), model.len());
            }
            let mut left = ledger.drain();
            left.sort_by_key(|key| key.index);
            let mut wanted: Vec<Key> = model.iter().map(|(index, (generation, _))| Key { index: *index, generation: *generation }).collect();
            wanted.sort_by_key(|key| key.index);
            prop_assert_eq!(left, wanted);
            prop_assert_eq!(ledger.len(), 0);
        }
    }
}
