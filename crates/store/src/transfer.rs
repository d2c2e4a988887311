//! Copies bytes into the store's memory at the speed of the machine.
//!
//! The C library's copy is slow where source and target differ modulo 64, which is the rule here:
//! JavaScript's buffers begin 16 bytes into a cache line, objects at the line's start. It copies
//! more than a few KiB by one instruction, which then takes 1.1 to 1.2 times as long (measured on an
//! AMD EPYC; a loop over lines is as fast as that instruction at its best). And what is larger than
//! the caches is better stored past them.

use std::thread;

use mobula_sync::Mutex;

use crate::{
    cores,
    linecopy::{self, Into},
};

/// Below, the C library takes no such instruction.
const SMALL_BYTES: usize = 2 << 10;

/// From here on no cache keeps the copy for the one who reads it next. Below, storing past the
/// caches gains a third where the target is cold, but takes twice as long where it is not.
const UNCACHED_BYTES_MIN: usize = 16 << 20;

/// From here on helpers are worth their start (50 to 100 us each).
const TOGETHER_BYTES_MIN: usize = 64 << 20;

/// What a thread copies before it asks for more: whoever comes late, or gets little of its core,
/// holds the others up for no longer than this takes.
const SHARE_BYTES: usize = 4 << 20;

/// Fills the target with the source; both are of one length. Up to so many threads help with a
/// large one, and are gone at the end.
pub(crate) fn copy(target: &mut [u8], source: &[u8], helpers: usize) {
    assert_eq!(target.len(), source.len(), "a copy has one length");
    match source.len() {
        ..SMALL_BYTES => target.copy_from_slice(source),
        SMALL_BYTES..UNCACHED_BYTES_MIN => linecopy::copy(target, source, Into::Caches),
        TOGETHER_BYTES_MIN.. if helpers > 0 => {
            // Beside others' work there is nothing to gain, and a helper that has to wait for its
            // core holds everybody up.
            let helpers = cores::idle().map_or(helpers, |idle| idle.min(helpers));
            copy_together(target, source, helpers);
        }
        _ => linecopy::copy(target, source, Into::Memory),
    }
}

/// Each thread takes the next share when it is done with one.
fn copy_together(target: &mut [u8], source: &[u8], helpers: usize) {
    let shares = target
        .chunks_mut(SHARE_BYTES)
        .zip(source.chunks(SHARE_BYTES));
    let shares = Mutex::new(shares);
    let work = || {
        loop {
            let share = shares.lock().next();
            let Some((target, source)) = share else {
                return;
            };
            linecopy::copy(target, source, Into::Memory);
        }
    };
    thread::scope(|scope| {
        for _ in 0..helpers {
            let thread = thread::Builder::new().name("mobula-copy".to_owned());
            if thread.spawn_scoped(scope, work).is_err() {
                // There are no threads to be had: those that there are do it.
                break;
            }
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// No two lines or shares of it are alike.
    fn pattern(len: usize) -> Vec<u8> {
        (0..len)
            .map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8)
            .collect()
    }

    /// Copies between these offsets, and looks at the bytes around, too.
    fn check(len: usize, from: usize, to: usize, helpers: usize) {
        let source = pattern(from + len);
        let mut target = vec![0xee; to + len + 64];
        copy(&mut target[to..to + len], &source[from..], helpers);
        assert!(target[to..to + len] == source[from..], "{len} {from} {to}");
        let around = target[..to].iter().chain(&target[to + len..]);
        assert!(around.copied().all(|byte| byte == 0xee), "{len} {to}");
    }

    proptest! {
        #[test]
        fn copies_what_it_is_told_and_nothing_else(
            len in prop_oneof![0_usize..5000, 100_000_usize..200_000],
            from in 0_usize..130,
            to in 0_usize..130,
        ) {
            check(len, from, to, 0);
        }
    }

    #[test]
    fn large_ones_too_with_and_without_help() {
        for len in [
            UNCACHED_BYTES_MIN - 1,
            UNCACHED_BYTES_MIN,
            UNCACHED_BYTES_MIN + 77,
        ] {
            check(len, 16, 0, 1);
        }
        check(TOGETHER_BYTES_MIN + 3, 16, 5, 1);
        // However busy the machine is.
        let source = pattern(5 * SHARE_BYTES + 3);
        for helpers in 0..4 {
            let mut target = vec![0xee; source.len()];
            copy_together(&mut target, &source, helpers);
            assert!(target == source, "{helpers}");
        }
    }
}
