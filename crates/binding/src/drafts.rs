//! Store memory that JavaScript writes into before it is sealed.
//!
//! The buffer's finalizer holds the draft, so the memory stays as long as JavaScript can reach it, also after a shutdown. A
//! draft becomes an object only after its buffer was detached: from then on nobody can write there.

use std::collections::HashMap;
use std::ptr::null_mut;
use std::sync::{Arc, Weak};

use mobula_store::Draft;
use mobula_sync::Mutex;
use napi_sys as sys;

use crate::raw::{Call, Fault, check};

/// A draft until it is sealed or given up; whoever is first takes it.
pub(crate) type Shared = Arc<Mutex<Option<Draft>>>;

/// The drafts of one isolate, by number. Their buffers hold them.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    open: HashMap<u32, Weak<Mutex<Option<Draft>>>>,
    last: u32,
}

impl Drafts {
    /// A number for a draft, and what its buffer is to hold.
    pub(crate) fn add(&mut self, draft: Draft) -> (u32, Shared) {
        self.open.retain(|_, draft| draft.strong_count() > 0);
        self.last = self.last.wrapping_add(1);
        let shared = Arc::new(Mutex::new(Some(draft)));
        self.open.insert(self.last, Arc::downgrade(&shared));
        (self.last, shared)
    }

    /// Takes a draft out. `None` if it is sealed, given up, or unknown.
    fn take(&mut self, number: u32) -> Option<Draft> {
        let shared = self.open.remove(&number)?.upgrade()?;
        shared.lock().take()
    }

    /// Detaches the buffer (argument 1) of a draft (argument 0) and takes the draft.
    pub(crate) fn close(&mut self, call: &Call) -> Result<Draft, Fault> {
        let number = call.u32(0)?;
        let mut len = 0;
        check(
            // SAFETY: an argument of this call; a null out pointer is allowed.
            unsafe { sys::napi_get_arraybuffer_info(call.env, call.args[1], null_mut(), &mut len) },
            "an ArrayBuffer was expected",
        )?;
        if len == 0 {
            // Somebody else may reach the memory by way of the new owner, whose finalizer keeps it.
            self.open.remove(&number);
            return Err(Fault {
                code: "ERR_DRAFT_CLOSED",
                message: "its buffer was transferred to somebody else".to_owned(),
            });
        }
        // SAFETY: as above.
        let status = unsafe { sys::napi_detach_arraybuffer(call.env, call.args[1]) };
        check(status, "the buffer of a draft cannot be detached")?;
        self.take(number).ok_or(Fault {
            code: "ERR_DRAFT_CLOSED",
            message: "it was sealed or given up before".to_owned(),
        })
    }
}

/// The prefix is written at the start, the user's bytes begin at `at`: where they lie, and how many there are.
pub(crate) fn prepare(
    draft: &mut Draft,
    prefix: &[u8],
    at: usize,
) -> Result<(*mut u8, usize), Fault> {
    draft
        .write(0, prefix)
        .map_err(|error| Fault::internal(error.to_string()))?;
    let bytes = draft
        .as_mut_slice()
        .get_mut(at..)
        .ok_or_else(|| Fault::internal("a draft shorter than its prefix"))?;
    Ok((bytes.as_mut_ptr(), bytes.len()))
}
