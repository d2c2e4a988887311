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

use crate::raw::{Call, Fault, Value, check};

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

    /// Detaches the buffer (argument 1) of a draft (argument 0) and takes the draft. Argument 2 is `ArrayBuffer.prototype.transfer`,
    /// where there is such a function.
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
        detach(call, call.args[1], call.args[2])?;
        self.take(number).ok_or(Fault {
            code: "ERR_DRAFT_CLOSED",
            message: "it was sealed or given up before".to_owned(),
        })
    }
}

/// Empties a buffer for good. `transfer` is called if it is a function: from Node 24 on `markAsUntransferable` locks a buffer, and
/// then `napi_detach_arraybuffer` ends the process where `transfer` throws. Older Nodes know no locks.
fn detach(call: &Call, buffer: Value, transfer: Value) -> Result<(), Fault> {
    let (env, mut kind) = (call.env, sys::ValueType::napi_undefined);
    // SAFETY: an argument of this call, an out pointer of this frame.
    let status = unsafe { sys::napi_typeof(env, transfer, &mut kind) };
    check(status, "the type of an argument")?;
    if kind != sys::ValueType::napi_function {
        // SAFETY: an argument of this call.
        let status = unsafe { sys::napi_detach_arraybuffer(env, buffer) };
        return check(status, "the buffer of a draft cannot be detached");
    }
    // To a buffer of no bytes, so that nobody gets the memory.
    let (length, mut rest) = (call.number(0.0)?, null_mut());
    // SAFETY: arguments of this call; the function is built in and calls nobody else.
    let status = unsafe { sys::napi_call_function(env, buffer, transfer, 1, &length, &mut rest) };
    if status == sys::Status::napi_pending_exception {
        // SAFETY: out pointer of this frame; what was thrown is told by our own fault.
        unsafe { sys::napi_get_and_clear_last_exception(env, &mut rest) };
        return Err(Fault {
            code: "ERR_DRAFT_LOCKED",
            message: "its buffer was locked by markAsUntransferable(), so it cannot be taken from those who could still write into it: put() copies it"
                .to_owned(),
        });
    }
    check(status, "the buffer of a draft cannot be detached")
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
