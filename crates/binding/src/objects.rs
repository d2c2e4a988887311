//! The only file that lends Rust's memory to JavaScript.
//!
//! A lease (a view of a stored object, or the words) is boxed and handed over as the hint of an external buffer; the
//! buffer's finalizer drops the box. That is the one place where it is released. A `SharedArrayBuffer` runs its finalizer
//! on any thread, an `ArrayBuffer` on its isolate's: both leases may be dropped anywhere.
//!
//! The finalizer of a `SharedArrayBuffer` runs when nobody can reach the memory any more. That of an `ArrayBuffer` also runs
//! when its isolate ends, although the memory may have been moved to another buffer by then, and that one to another thread: see
//! `watch`.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use mobula_sched::Words;
use mobula_store::{Draft, View};
use napi_sys as sys;

use crate::drafts;
use crate::raw::{Call, Fault, Value, check};
use crate::watch::Watch;

/// `node_api_create_external_sharedarraybuffer`: in Node 22.23.3, 24.16, 26.1 and later. Not in the headers of any stable
/// N-API version, so it is looked up; TypeScript tests it before it is used.
type CreateShared = unsafe extern "C" fn(
    sys::napi_env,
    *mut c_void,
    usize,
    unsafe extern "C" fn(*mut c_void, *mut c_void),
    *mut c_void,
    *mut sys::napi_value,
) -> sys::napi_status;

static CREATE_SHARED: LazyLock<Option<CreateShared>> = LazyLock::new(|| {
    // SAFETY: a C string; RTLD_DEFAULT asks for what the process has loaded.
    let found = unsafe {
        libc::dlsym(
            libc::RTLD_DEFAULT,
            c"node_api_create_external_sharedarraybuffer".as_ptr(),
        )
    };
    // SAFETY: Node documents this signature for the symbol; a null pointer is `None`.
    unsafe { std::mem::transmute::<*mut c_void, Option<CreateShared>>(found) }
});

/// What JavaScript may hold on to.
#[derive(Debug)]
enum Lease {
    View(View),
    Words(#[expect(dead_code, reason = "held for its drop")] Arc<Words>),
    Draft(drafts::Shared),
    Probe(#[expect(dead_code, reason = "held for its drop")] Box<[u8; 64]>),
}

impl Lease {
    /// Bytes of the store that users have before them.
    fn bytes(&self) -> u64 {
        match self {
            Self::View(view) => view.len() as u64,
            // Nothing once it was sealed or given up.
            Self::Draft(draft) => draft.lock().as_ref().map_or(0, Draft::len),
            Self::Words(_) | Self::Probe(_) => 0,
        }
    }
}

/// What the finalizer of a buffer finds.
#[derive(Debug)]
struct Hint {
    lease: Lease,
    /// Of an `ArrayBuffer` that users see.
    watch: Option<Watch>,
}

/// Memory that was moved out of its buffer before its isolate ended: who has it, and until when, cannot be told, so it is never
/// lent again.
static STRANDED: AtomicU64 = AtomicU64::new(0);

/// Bytes of the store that are out of use until the process ends.
pub(crate) fn stranded() -> u64 {
    STRANDED.load(Ordering::Relaxed)
}

unsafe extern "C" fn drop_shared(_data: *mut c_void, hint: *mut c_void) {
    // SAFETY: the hint is the box that `lend` leaked, and N-API calls the finalizer once.
    drop(unsafe { Box::from_raw(hint.cast::<Hint>()) });
}

unsafe extern "C" fn drop_array(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: as in `drop_shared`.
    let Hint { lease, watch } = *unsafe { Box::from_raw(hint.cast::<Hint>()) };
    // SAFETY: this is the finalizer.
    let has_moved = watch.is_some_and(|watch| unsafe { watch.end() });
    let bytes = lease.bytes();
    if has_moved && bytes > 0 {
        STRANDED.fetch_add(bytes, Ordering::Relaxed);
        std::mem::forget(lease);
    }
}

/// The most bytes of an external `ArrayBuffer` on Node 20, where it is made by way of a `Buffer`.
const ARRAY_BYTES_MAX: usize = 1 << 32;
/// The first line of Node that has no such limit.
const NODE_WITHOUT_LIMIT: u32 = 22;

/// Refuses what this Node cannot show in one buffer. Node 20 would throw, but only after it has run the finalizer, so that
/// its failure does not say who owns the hint.
pub(crate) fn check_len(call: &Call, len: usize, shared: bool) -> Result<(), Fault> {
    if len <= ARRAY_BYTES_MAX || (shared && CREATE_SHARED.is_some()) {
        return Ok(());
    }
    let mut version = null();
    // SAFETY: an out pointer of this frame; what it comes to point to is Node's and lives as long as the process.
    let status = unsafe { sys::napi_get_node_version(call.env, &mut version) };
    check(status, "the version of Node")?;
    // SAFETY: set by the call that has succeeded.
    let major = unsafe { (*version).major };
    if major >= NODE_WITHOUT_LIMIT {
        return Ok(());
    }
    Err(Fault {
        code: "ERR_OUT_OF_RANGE",
        message: format!(
            "Node {major} shows at most {ARRAY_BYTES_MAX} bytes (4 GiB) of memory in one piece, and these are {len}: \
             use Node {NODE_WITHOUT_LIMIT} or newer, or several objects"
        ),
    })
}

/// An external buffer over `len` bytes at `data`, which `lease` keeps in place.
fn lend(
    call: &Call,
    data: *mut u8,
    len: usize,
    lease: Lease,
    shared: bool,
) -> Result<Value, Fault> {
    check_len(call, len, shared)?;
    let is_watched = lease.bytes() > 0;
    let hint = Box::into_raw(Box::new(Hint { lease, watch: None })).cast::<c_void>();
    let mut out = null_mut();
    let create_shared = if shared { *CREATE_SHARED } else { None };
    let status = match create_shared {
        // SAFETY: the lease keeps the bytes mapped and in place until `drop_shared`, which may run on any thread.
        Some(create) => unsafe { create(call.env, data.cast(), len, drop_shared, hint, &mut out) },
        // SAFETY: the lease keeps the bytes mapped and in place until `drop_array`.
        None => unsafe {
            sys::napi_create_external_arraybuffer(
                call.env,
                data.cast(),
                len,
                Some(drop_array),
                hint,
                &mut out,
            )
        },
    };
    if status != sys::Status::napi_ok {
        // SAFETY: on failure N-API has not taken the hint, of lengths that were checked.
        drop(unsafe { Box::from_raw(hint.cast::<Hint>()) });
    }
    check(status, "this Node refuses buffers over memory of an addon")?;
    if is_watched && create_shared.is_none() {
        // SAFETY: the hint lives until the finalizer, which cannot run before this call has returned to JavaScript; it ends the watch.
        unsafe {
            (*hint.cast::<Hint>()).watch = Some(Watch::begin(call.env, out)?);
        }
    }
    Ok(out)
}

/// A stored object as an isolate may see it.
pub(crate) fn lend_view(call: &Call, view: View, shared: bool) -> Result<Value, Fault> {
    let (data, len) = (view.as_ptr(), view.len());
    lend(call, data, len, Lease::View(view), shared)
}

/// The memory of a draft, at `data`. Never as a shared buffer: it has to be detached before the draft is sealed.
pub(crate) fn lend_draft(
    call: &Call,
    (data, len): (*mut u8, usize),
    draft: drafts::Shared,
) -> Result<Value, Fault> {
    lend(call, data, len, Lease::Draft(draft), false)
}

/// The words that all isolates share.
pub(crate) fn lend_words(call: &Call, words: Arc<Words>, shared: bool) -> Result<Value, Fault> {
    let slice = words.as_slice();
    // Atomics have interior mutability: writing through this pointer is what they are for.
    let (data, len) = (slice.as_ptr().cast_mut().cast::<u8>(), size_of_val(slice));
    lend(call, data, len, Lease::Words(words), shared)
}

/// 64 bytes, 0 to 63, in a shared buffer, if this Node makes such: TypeScript looks whether it is right.
pub(crate) fn probe_shared(call: &Call) -> Result<Value, Fault> {
    if CREATE_SHARED.is_none() {
        return call.undefined();
    }
    let mut bytes: Box<[u8; 64]> = Box::new(std::array::from_fn(|k| k as u8));
    let data = bytes.as_mut_ptr();
    lend(call, data, 64, Lease::Probe(bytes), true)
}

/// An ordinary buffer with a copy of these bytes.
pub(crate) fn copy(call: &Call, bytes: &[u8]) -> Result<Value, Fault> {
    let (mut data, mut out) = (null_mut(), null_mut());
    check(
        // SAFETY: out pointers of this frame.
        unsafe { sys::napi_create_arraybuffer(call.env, bytes.len(), &mut data, &mut out) },
        "out of memory",
    )?;
    if !bytes.is_empty() {
        // SAFETY: the new buffer has exactly this length and nobody else knows it yet.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast::<u8>(), bytes.len()) };
    }
    Ok(out)
}
