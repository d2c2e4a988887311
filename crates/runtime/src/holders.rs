//! How many hold what a slot stands for, and whether that is an actor that has not ended: one word, and how it changes.
//!
//! An actor is a holder of its own slot. When it is the last it has gone out of scope: it ends (`end_if_last`), unless somebody has taken
//! a handle meanwhile by its name, or its own code has (`one_more_of_actor`). One of the two comes first, since both change the same word.

use mobula_sync::atomic::{AtomicU32, Ordering};

/// This bit of a slot's holders says that it is an actor that has not ended. The actor itself is one of the holders.
pub(crate) const ACTOR: u32 = 1 << 31;

/// The same of a stream whose producer has not ended.
pub(crate) const STREAM: u32 = 1 << 30;

/// Who is left when one holder lets go.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Nobody,
    /// Of an actor or a stream that has not ended: itself.
    Itself,
    Others,
}

/// One holder more. The caller knows of another that stays until this returns.
pub(crate) fn one_more(holders: &AtomicU32) {
    holders.fetch_add(1, Ordering::Relaxed);
}

/// One holder more of a living actor, of whose holders the caller may know none but the actor itself. `None`: it is no actor, or has ended.
/// False: it ends at this very moment.
pub(crate) fn one_more_of_actor(holders: &AtomicU32) -> Option<bool> {
    if holders.load(Ordering::Relaxed) & ACTOR == 0 {
        return None;
    }
    // The actor's own hold keeps the slot for as long as the bit is set.
    let one_more = |holders| (holders & ACTOR != 0).then_some(holders + 1);
    let held = holders.fetch_update(Ordering::AcqRel, Ordering::Relaxed, one_more);
    Some(held.is_ok())
}

/// One holder less.
pub(crate) fn one_less(holders: &AtomicU32) -> Left {
    const LAST_OF_ACTOR: u32 = ACTOR | 2;
    const LAST_OF_STREAM: u32 = STREAM | 2;
    // AcqRel: the last one sees what all holders did with it.
    match holders.fetch_sub(1, Ordering::AcqRel) {
        1 => Left::Nobody,
        LAST_OF_ACTOR | LAST_OF_STREAM => Left::Itself,
        _ => Left::Others,
    }
}

/// From here on nobody can take a handle to an actor who had none. False, and nothing changed: somebody has one.
pub(crate) fn end_if_last(holders: &AtomicU32) -> bool {
    // AcqRel: what the last handle's holder did was before.
    let ended = holders.compare_exchange(ACTOR | 1, 1, Ordering::AcqRel, Ordering::Relaxed);
    ended.is_ok()
}

/// The producer of a stream has ended.
pub(crate) fn end_stream(holders: &AtomicU32) {
    holders.fetch_and(!STREAM, Ordering::AcqRel);
}

/// An actor has ended, whoever has a handle: what is left are handles to a dead actor.
pub(crate) fn end(holders: &AtomicU32) {
    holders.fetch_and(!ACTOR, Ordering::AcqRel);
}
