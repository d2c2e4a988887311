//! Who is spilled: the objects that nobody has pinned, those that were wanted longest ago first.
//!
//! Small objects go by whole slabs, with the age of the youngest in them: half a slab would make no
//! room. A slab of which anything is pinned, or still being written, stays.

use std::cmp::Reverse;

use crate::{
    layout::{SLAB_BYTES, SLOT_BYTES_MAX, round_up},
    store::Store,
};

/// One object that could go.
struct Candidate {
    index: u32,
    age: u32,
    /// Its slab; nothing for those that lie alone.
    slab: Option<u32>,
    bytes: u64,
}

/// Candidates that go together, or stay.
struct Group<'a> {
    members: &'a [Candidate],
    age: u32,
    bytes: u64,
}

impl Store {
    /// Objects, by index, that would make room for `bytes` together, if there are so many. Walks the
    /// table. What it says is a guess: others go on meanwhile.
    pub(crate) fn victims(&self, bytes: u64) -> Vec<u32> {
        let mut candidates = self.candidates();
        candidates.sort_unstable_by_key(|candidate| candidate.slab);
        let mut groups = self.groups(&candidates);
        groups.sort_unstable_by_key(|group| Reverse(group.age));
        let mut room = 0;
        let enough = groups.iter().take_while(|group| {
            let more = room < bytes;
            room += group.bytes;
            more
        });
        enough
            .flat_map(|group| group.members)
            .map(|candidate| candidate.index)
            .collect()
    }

    fn candidates(&self) -> Vec<Candidate> {
        let now = self.clock.now();
        let entries = self.table.entries();
        let candidates = entries.filter_map(|(index, entry)| {
            let place = entry.idle()?;
            let slab = (place.len <= SLOT_BYTES_MAX).then_some(place.home);
            place.can_spill().then(|| Candidate {
                index,
                // The clock goes round: what was used 4 thousand million objects ago looks young.
                age: now.wrapping_sub(entry.used()),
                slab,
                bytes: round_up(place.len, self.config.page_bytes).unwrap_or(place.len),
            })
        });
        candidates.collect()
    }

    fn groups<'a>(&self, candidates: &'a [Candidate]) -> Vec<Group<'a>> {
        let space = self.space.lock();
        let same = |a: &Candidate, b: &Candidate| a.slab.is_some() && a.slab == b.slab;
        let groups = candidates.chunk_by(same).filter_map(|members| {
            let bytes = match members[0].slab {
                None => members[0].bytes,
                Some(slab) => {
                    (members.len() as u32 == space.slots_in_use(slab)).then_some(SLAB_BYTES)?
                }
            };
            let age = members.iter().map(|member| member.age).min()?;
            Some(Group {
                members,
                age,
                bytes,
            })
        });
        groups.collect()
    }
}
