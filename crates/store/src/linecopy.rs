//! Copies by whole cache lines, into the caches or past them.
#![allow(unsafe_code, reason = "the instructions that do it are intrinsics")]

/// Where the copy goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Into {
    /// For whoever reads it next.
    Caches,
    /// Past them: a line that is replaced need not be read first, which is a third of the traffic,
    /// and what others have in the caches stays there.
    Memory,
}

/// Fills the target with the source; both are of one length.
#[cfg(target_arch = "x86_64")]
pub(crate) fn copy(target: &mut [u8], source: &[u8], into: Into) {
    assert_eq!(target.len(), source.len(), "a copy has one length");
    let head = target.as_ptr().align_offset(LINE_BYTES).min(target.len());
    let (head_target, target) = target.split_at_mut(head);
    let (head_source, source) = source.split_at(head);
    head_target.copy_from_slice(head_source);
    let (lines, tail_target) = target.as_chunks_mut::<LINE_BYTES>();
    let (source_lines, tail_source) = source.as_chunks::<LINE_BYTES>();
    let (to, from) = (lines.as_mut_ptr().cast(), source_lines.as_ptr().cast());
    // SAFETY: both are so many lines, since target and source are of one length; the target's begin
    // at a multiple of 64 because `head` was cut off.
    unsafe {
        match into {
            Into::Caches => copy_lines::<false>(to, from, lines.len()),
            Into::Memory => copy_lines::<true>(to, from, lines.len()),
        }
    }
    tail_target.copy_from_slice(tail_source);
}

/// Fills the target with the source; both are of one length.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn copy(target: &mut [u8], source: &[u8], _into: Into) {
    // Other processors' libraries do by themselves what pays.
    target.copy_from_slice(source);
}

#[cfg(target_arch = "x86_64")]
type Word = std::arch::x86_64::__m128i;

#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 64;

/// # Safety
/// - Both are addresses of so many lines, which nobody else writes, and which do not overlap.
/// - `to` is a multiple of 64.
// Not inlined, and by address: where the compiler knows that source and target are apart it makes
// this the very call that is to be avoided.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
unsafe fn copy_lines<const PAST_CACHES: bool>(to: *mut Word, from: *const Word, lines: usize) {
    use std::arch::x86_64::{_mm_loadu_si128, _mm_sfence, _mm_store_si128, _mm_stream_si128};

    const WORDS: usize = LINE_BYTES / size_of::<Word>();

    for line in 0..lines {
        // SAFETY: the line lies in the source (the caller's promise).
        let from = unsafe { from.add(line * WORDS) };
        // SAFETY: the line lies in the target (the caller's promise).
        let to = unsafe { to.add(line * WORDS) };
        // SAFETY: the four words of a line; every x86-64 has SSE2; loads ask for no alignment.
        let words: [Word; WORDS] =
            std::array::from_fn(|word| unsafe { _mm_loadu_si128(from.add(word)) });
        for (word, value) in words.into_iter().enumerate() {
            // SAFETY: as above; the line begins at a multiple of 64 (the caller's promise).
            unsafe {
                match PAST_CACHES {
                    false => _mm_store_si128(to.add(word), value),
                    true => _mm_stream_si128(to.add(word), value),
                }
            }
        }
    }
    if PAST_CACHES {
        // Streaming stores are in no order with others: after this, whoever sees what is stored
        // next sees them, too.
        // SAFETY: every x86-64 has SSE2.
        unsafe { _mm_sfence() }
    }
}
