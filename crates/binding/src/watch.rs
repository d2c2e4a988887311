//! Whether an external `ArrayBuffer` still has its memory when its isolate ends.
//!
//! `transfer()` and byte streams move the memory to a buffer that is not ours, and that one can go to another thread. As long as
//! the isolate lives, the finalizer waits for whoever has the memory. When the isolate ends, Node detaches all external buffers and
//! runs their finalizers, the newest first, and before any cleanup hook. So each watched buffer gets a sentinel, another buffer
//! that is made right after it: the sentinel's finalizer looks at the watched one before Node touches that.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::rc::Rc;

use napi_sys as sys;

use crate::raw::{Fault, Value, check};

thread_local! {
    /// All that are watched in this isolate, by address.
    static WATCHED: RefCell<HashMap<*const Watched, Rc<Watched>>> = RefCell::default();
}

/// The isolate is about to end: holds all buffers that are still there. What is collected from now on could not be told from what
/// was moved and then collected. True if some have been collected before.
pub(crate) fn hold_all(env: sys::napi_env) -> bool {
    WATCHED.with_borrow(|all| {
        let mut were_collected = false;
        for watched in all.values().filter(|watched| watched.env == env) {
            let mut count = 0;
            // SAFETY: a reference of this isolate, which is deleted after it was taken out of the map. Nothing is done for an
            // empty one.
            unsafe { sys::napi_reference_ref(env, watched.buffer, &mut count) };
            were_collected |= count == 0;
        }
        were_collected
    })
}

#[derive(Copy, Clone, Debug)]
enum Seen {
    /// The isolate lives, as far as is known.
    Nothing,
    InPlace,
    Moved,
    /// The finalizer has run.
    Over,
}

#[derive(Debug)]
struct Watched {
    env: sys::napi_env,
    /// Weak: the buffer lives as long as JavaScript wants.
    buffer: sys::napi_ref,
    seen: Cell<Seen>,
}

/// Looks after one buffer, from its making to its finalizer. On the isolate's thread alone.
#[derive(Debug)]
pub(crate) struct Watch {
    watched: Rc<Watched>,
    sentinel: sys::napi_ref,
}

impl Watch {
    /// Begins to watch the buffer that was made last.
    ///
    /// # Safety
    /// On the isolate's thread, in the call that made the buffer. Its finalizer ends the watch.
    pub(crate) unsafe fn begin(env: sys::napi_env, buffer: Value) -> Result<Self, Fault> {
        let mut weak = null_mut();
        check(
            // SAFETY: a value of the current call, an out pointer of this frame.
            unsafe { sys::napi_create_reference(env, buffer, 0, &mut weak) },
            "napi_create_reference",
        )?;
        let watched = Rc::new(Watched {
            env,
            buffer: weak,
            seen: Cell::new(Seen::Nothing),
        });
        WATCHED.with_borrow_mut(|all| all.insert(Rc::as_ptr(&watched), Rc::clone(&watched)));
        let hint = Rc::into_raw(Rc::clone(&watched));
        let (mut value, mut sentinel) = (null_mut(), null_mut());
        // A buffer over nothing would be finalized at once. Nobody ever looks into this one.
        let data = hint.cast_mut().cast::<c_void>();
        check(
            // SAFETY: the memory is there until the finalizer takes the share of it that the hint is.
            unsafe {
                sys::napi_create_external_arraybuffer(env, data, 1, Some(look), data, &mut value)
            },
            "this Node refuses buffers over memory of an addon",
        )?;
        check(
            // SAFETY: a value of the current call, an out pointer of this frame.
            unsafe { sys::napi_create_reference(env, value, 1, &mut sentinel) },
            "napi_create_reference",
        )?;
        Ok(Self { watched, sentinel })
    }

    /// The finalizer runs. True if somebody may still have the memory.
    ///
    /// # Safety
    /// In the finalizer of the buffer that is watched.
    pub(crate) unsafe fn end(self) -> bool {
        let Watched { env, buffer, seen } = &*self.watched;
        // A thread that has let go of the map has nobody left who would read it.
        WATCHED
            .try_with(|all| all.borrow_mut().remove(&Rc::as_ptr(&self.watched)))
            .ok();
        let has_moved = match seen.replace(Seen::Over) {
            // SAFETY: a finalizer runs on its isolate's thread.
            Seen::Nothing => unsafe { is_ending(*env) && !is_collected(*env, *buffer) },
            Seen::InPlace => false,
            Seen::Moved | Seen::Over => true,
        };
        // SAFETY: both were made in this environment and are deleted once. The sentinel is garbage from here on.
        unsafe {
            sys::napi_delete_reference(*env, *buffer);
            sys::napi_delete_reference(*env, self.sentinel);
        }
        has_moved
    }
}

/// The finalizer of a sentinel. If the buffer's own has not run, the isolate ends: until then the reference holds the sentinel.
unsafe extern "C" fn look(env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: the share that `begin` gave away; N-API calls the finalizer once, on the isolate's thread.
    let watched = unsafe { Rc::from_raw(hint.cast_const().cast::<Watched>()) };
    if matches!(watched.seen.get(), Seen::Nothing) {
        // SAFETY: this is the isolate's thread, and the reference is deleted by `end` alone, which sets `Over`.
        let is_in_place = unsafe { is_in_place(env, watched.buffer) };
        watched.seen.set(if is_in_place {
            Seen::InPlace
        } else {
            Seen::Moved
        });
    }
}

/// Whether a buffer has its memory. False also for one that was collected and whose finalizer has not run: it may have been
/// emptied before. Node runs finalizers that are due before it ends an isolate, so that is rare: V8 has not looked at its memory
/// since the collection.
///
/// # Safety
/// On the thread of the environment; the reference is one to an `ArrayBuffer` there.
unsafe fn is_in_place(env: sys::napi_env, reference: sys::napi_ref) -> bool {
    let mut is_detached = true;
    // SAFETY: as the caller vouches. Of no buffer it is not asked, and the answer stays as it is.
    unsafe {
        with_buffer(env, reference, |buffer| {
            sys::napi_is_detached_arraybuffer(env, buffer, &mut is_detached);
        });
    }
    !is_detached
}

/// # Safety
/// As `is_in_place`.
unsafe fn is_collected(env: sys::napi_env, reference: sys::napi_ref) -> bool {
    let mut is_there = false;
    // SAFETY: as the caller vouches.
    unsafe { with_buffer(env, reference, |_| is_there = true) };
    !is_there
}

/// Calls `use_it` with what the reference stands for, unless that was collected.
///
/// # Safety
/// On the thread of the environment; the reference is one of it. None of this runs JavaScript.
unsafe fn with_buffer(env: sys::napi_env, reference: sys::napi_ref, use_it: impl FnOnce(Value)) {
    let (mut scope, mut buffer) = (null_mut(), null_mut());
    // SAFETY: as the caller vouches; out pointers of this frame.
    unsafe {
        if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
            return;
        }
        sys::napi_get_reference_value(env, reference, &mut buffer);
        if !buffer.is_null() {
            use_it(buffer);
        }
        sys::napi_close_handle_scope(env, scope);
    }
}

/// Whether the isolate is being taken down. A Node that finalized in another order would let the sentinel come too late: then
/// the buffer is there still, and detached by Node, or by somebody before.
///
/// # Safety
/// On the thread of the environment, outside of JavaScript.
unsafe fn is_ending(env: sys::napi_env) -> bool {
    let (mut scope, mut value, mut equals) = (null_mut(), null_mut(), false);
    // SAFETY: as the caller vouches. Calls that could run JavaScript are refused from the moment on when none may run.
    unsafe {
        sys::napi_open_handle_scope(env, &mut scope);
        sys::napi_get_undefined(env, &mut value);
        let status = sys::napi_strict_equals(env, value, value, &mut equals);
        sys::napi_close_handle_scope(env, scope);
        status != sys::Status::napi_ok
    }
}
