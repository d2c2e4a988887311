//! Wakes an isolate's event loop from any thread.

use mobula_sched::Bell;
use mobula_sync::Mutex;

use crate::uv::{self, Opaque};

/// An async handle, until its loop ends.
#[derive(Debug)]
pub(crate) struct UvBell {
    handle: Mutex<Handle>,
}

#[derive(Debug)]
struct Handle(Option<Opaque>);

// SAFETY: the pointer is only given to `uv_async_send`, which any thread may call, and under the lock, which `silence`
// takes before the handle is closed.
unsafe impl Send for Handle {}

impl UvBell {
    pub(crate) fn new() -> Self {
        Self {
            handle: Mutex::new(Handle(None)),
        }
    }

    /// From now on the bell rings this async handle.
    pub(crate) fn hang(&self, handle: Opaque) {
        self.handle.lock().0 = Some(handle);
    }

    /// The handle is about to be closed: after this nobody touches it.
    pub(crate) fn silence(&self) {
        self.handle.lock().0 = None;
    }
}

impl Bell for UvBell {
    fn ring(&self) {
        let handle = self.handle.lock();
        if let (Some(handle), Some(uv)) = (handle.0, uv::uv()) {
            // SAFETY: the handle is open while it hangs here; the lock keeps `silence` out.
            unsafe { (uv.async_send)(handle) };
        }
    }
}
