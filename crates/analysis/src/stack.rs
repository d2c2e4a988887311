//! Room for the parser, which goes down one level of the stack for each level of the text, and knows no limit.

use std::thread;

/// What a call may take of the stack of the thread that it is made on. Node's workers have 4 MiB in all.
const IN_PLACE_BYTES_MAX: usize = 1 << 20;

/// More than this is not even reserved; texts that need it, V8 refuses.
const BYTES_MAX: usize = 1 << 30;

/// Of stack that a byte of text can cost at most, as measured on x86-64 for 25 ways to nest; the worst of them is a
/// class in a class's field.
const COSTLIEST: usize = 3 << 10;

/// Frames of a build that is not optimised are larger.
const SAFETY: usize = if cfg!(debug_assertions) { 16 } else { 2 };

/// Does work that goes through a text, here or on a thread with a stack of its own.
pub(crate) fn with_room<R: Send>(text: &str, work: impl Fn() -> R + Sync) -> R {
    let needed = match text.len() * COSTLIEST {
        few if few <= IN_PLACE_BYTES_MAX => few,
        _ => text.bytes().map(cost).sum(),
    };
    if needed <= IN_PLACE_BYTES_MAX {
        return work();
    }
    let size = (needed.min(BYTES_MAX) * SAFETY).min(BYTES_MAX);
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(size);
        match builder.spawn_scoped(scope, &work) {
            Ok(thread) => match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            // Hardly any text needs what it could.
            Err(_) => work(),
        }
    })
}

/// Of stack, for a byte of text.
fn cost(byte: u8) -> usize {
    match byte {
        b'(' | b'[' | b'{' => COSTLIEST,
        b'=' | b'?' | b':' => 1 << 10,
        _ => 1 << 7,
    }
}
