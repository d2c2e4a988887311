//! The data plane of one isolate: a handful of raw functions over one port. Each byte of the area has one owner at a time:
//! JavaScript, except while one of these runs.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

use mobula_runtime::{Found, Port, Role, Which, layout};
use mobula_sched::Key;
use napi_sys as sys;

use crate::bell::UvBell;
use crate::drafts::{self, Drafts};
use crate::handles::Handles;
use crate::hook::Hook;
use crate::raw::{Call, Fault, Value, check, run, run_bare, set_function, set_property};
use crate::{control, objects, uv, watch, writes};

/// What the raw functions of an isolate find in their data pointer. It lives until its environment ends, since the
/// functions may; what is in it goes when the port is closed.
#[derive(Debug)]
pub(crate) struct Isolate {
    /// Touched by the isolate's own thread only, and for the length of one call into the runtime: never while JavaScript runs.
    inner: UnsafeCell<Option<Inner>>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) port: Port,
    pub(crate) hook: Hook,
    bell: Arc<UvBell>,
    area: *mut u8,
    area_ref: sys::napi_ref,
    shared: bool,
    drafts: Drafts,
    handles: Handles,
}

impl Inner {
    /// The port and its area, for one call.
    fn split(&mut self) -> (&mut Port, &mut [u8]) {
        // SAFETY: `area_ref` keeps the buffer alive, it is never detached (only our own code knows it), and no JavaScript
        // runs while the slice is in use.
        let area = unsafe { std::slice::from_raw_parts_mut(self.area, layout::AREA_BYTES) };
        (&mut self.port, area)
    }

    /// While waits are outstanding the loop must stay alive.
    fn after_call(&mut self) {
        let outstanding = self.port.outstanding() > 0;
        self.hook.keep_alive(outstanding);
    }
}

impl Isolate {
    /// The inside, while it is open.
    ///
    /// # Safety
    /// On the isolate's thread, with no other borrow alive: callers let go of it before JavaScript runs.
    #[expect(
        clippy::mut_from_ref,
        reason = "the exclusivity is by thread and by call, as the contract says"
    )]
    pub(crate) unsafe fn inner(&self) -> Option<&mut Inner> {
        // SAFETY: as the caller vouches.
        unsafe { (*self.inner.get()).as_mut() }
    }

    /// Ends this isolate's part: everything it held goes back. Harmless when done twice.
    ///
    /// # Safety
    /// As `inner`.
    unsafe fn close(&self, env: sys::napi_env) {
        // SAFETY: as the caller vouches.
        let Some(mut inner) = (unsafe { (*self.inner.get()).take() }) else {
            return;
        };
        if inner.port.is_driver() {
            // The driver's thread ends, with or without `shutdown`: its runtime ends with it.
            control::end(inner.port.runtime().id());
        }
        inner.bell.silence();
        let (port, area) = inner.split();
        port.close(Some(area));
        inner.hook.close();
        inner.handles.clear(env);
        // SAFETY: the reference was made in this environment and is deleted once.
        unsafe { sys::napi_delete_reference(env, inner.area_ref) };
    }
}

/// What the cleanup hook of an environment needs.
#[derive(Debug)]
struct Cleanup {
    env: sys::napi_env,
    isolate: *mut Isolate,
}

unsafe extern "C" fn clean_up(data: *mut c_void) {
    // SAFETY: the hook's argument is the box that `attach` leaked; hooks run once, on the isolate's thread, after the last
    // JavaScript of the environment.
    let cleanup = unsafe { Box::from_raw(data.cast::<Cleanup>()) };
    // SAFETY: the isolate was leaked by `attach` too, and is freed only here.
    let isolate = unsafe { Box::from_raw(cleanup.isolate) };
    // SAFETY: no JavaScript runs any more, so nothing else borrows the inside.
    let closed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| unsafe {
        isolate.close(cleanup.env)
    }));
    // A panic here has been reported by the panic hook; the thread still has to end in order.
    drop(closed);
}

/// Runs the body of a data-plane call over the isolate in the data pointer.
///
/// # Safety
/// The call is one of a function that `attach` made.
unsafe fn with_inner(
    call: &Call,
    body: impl FnOnce(&Call, &mut Inner) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    // SAFETY: the data pointer is the isolate, which lives as long as its environment; one call at a time.
    let inner = unsafe { (*call.data.cast::<Isolate>()).inner() };
    let inner = inner.ok_or_else(|| Fault {
        code: "ERR_SHUTDOWN",
        message: "the runtime was shut down".to_owned(),
    })?;
    let result = body(call, inner);
    inner.after_call();
    result
}

macro_rules! raw_functions {
    ($($run:ident $name:ident = $body:expr;)+) => {
        $(unsafe extern "C" fn $name(env: sys::napi_env, info: sys::napi_callback_info) -> Value {
            // SAFETY: N-API calls this with the environment and the info of the call, and `attach` made the function.
            unsafe { $run(env, info, |call| with_inner(call, $body)) }
        })+

        /// The data plane by name.
        const FUNCTIONS: &[(&str, sys::napi_callback)] = &[$((stringify!($name), Some($name)),)+];
    };
}

fn nothing() -> Result<Value, Fault> {
    // A null result is `undefined` in JavaScript and saves a call.
    Ok(null_mut())
}

fn key(call: &Call) -> Result<Key, Fault> {
    Ok(Key {
        index: call.u32(0)?,
        generation: call.u32(1)?,
    })
}

fn which(call: &Call) -> Result<Which, Fault> {
    Ok(if call.u32(2)? == 0 {
        Which::Value
    } else {
        Which::Arguments
    })
}

fn set_header(area: &mut [u8], word: usize, value: u32) {
    area[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
}

/// Where answers of `fetch` begin: slot, generation, the four words of the id, the class. False: there is no such actor.
fn write_found(area: &mut [u8], found: Option<Found>) -> bool {
    let Some(Found { key, id, class }) = found else {
        return false;
    };
    let words = [key.index, key.generation, id[0], id[1], id[2], id[3], class];
    let bytes = area[layout::FETCH_AT..].chunks_exact_mut(4);
    for (bytes, word) in bytes.zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    true
}

fn store_fault(error: &mobula_store::Error) -> Fault {
    let code = if error.is_out_of_disk() {
        "ERR_OUT_OF_DISK"
    } else if error.is_full() || error.is_out_of_memory() {
        "ERR_OBJECT_STORE_FULL"
    } else {
        "ERR_OBJECT_LOST"
    };
    Fault {
        code,
        message: error.to_string(),
    }
}

raw_functions! {
    run_bare flush = |_, inner| {
        let (port, area) = inner.split();
        port.flush(area);
        nothing()
    };
    run_bare next = |_, inner| {
        let (port, area) = inner.split();
        port.next(area);
        nothing()
    };
    run_bare drain = |_, inner| {
        let (port, area) = inner.split();
        port.drain(area);
        nothing()
    };
    run_bare fetch = |_, inner| {
        let (port, area) = inner.split();
        port.fetch(area);
        nothing()
    };
    run_bare park = |_, inner| {
        let (port, area) = inner.split();
        port.park(area);
        nothing()
    };
    run_bare resume = |_, inner| {
        let (port, area) = inner.split();
        port.resume(area);
        nothing()
    };
    run sit = |call, inner| {
        inner.port.set_clock(call.u32(0)?);
        let (index, generation) = (call.u32(1)?, call.u32(2)?);
        match inner.port.take_seat() {
            Some(place) => {
                // Generation 0: it was started for no actor.
                if generation != 0 {
                    inner.port.host_only(Key { index, generation });
                }
                call.number(place as f64)
            }
            None => Err(Fault::internal("more workers than maxWorkers allows")),
        }
    };
    run take = |call, inner| {
        let key = key(call)?;
        let (port, area) = inner.split();
        let taken = port.take(area, key);
        call.boolean(taken)
    };
    run view = |call, inner| {
        let view = inner.port.view(key(call)?, which(call)?).map_err(|error| store_fault(&error))?;
        match view {
            Some(mut view) => {
                if *writes::REPORTED {
                    writes::watch(&mut view, inner.port.runtime(), call.u32(3)?);
                }
                objects::lend_view(call, view, inner.shared)
            }
            None => call.undefined(),
        }
    };
    run shows = |call, inner| {
        let shows = inner.port.shows(key(call)?);
        call.boolean(shows)
    };
    run bulk = |call, inner| {
        let bytes = inner.port.bulk(key(call)?, which(call)?).map_err(|error| store_fault(&error))?;
        match bytes {
            Some(bytes) => objects::copy(call, &bytes),
            None => call.undefined(),
        }
    };
    run write = |call, inner| {
        let object = write_pieces(call, &inner.port)?;
        let len = call.f64(0)? as u64;
        let (port, area) = inner.split();
        port.keep(object, len);
        set_header(area, layout::header::WRITTEN_SLOT, object.index);
        set_header(area, layout::header::WRITTEN_GENERATION, object.generation);
        nothing()
    };
    run draft = |call, inner| {
        let (total, at) = (call.f64(0)? as u64, call.f64(1)? as usize);
        // Used before this call returns to JavaScript.
        let prefix = call.bytes(call.args[2])?;
        objects::check_len(call, total as usize, false)?;
        let store = inner.port.runtime().store().clone();
        let mut draft = store.create(total).map_err(|error| store_fault(&error))?;
        let place = drafts::prepare(&mut draft, prefix, at)?;
        let (number, shared) = inner.drafts.add(draft);
        let (_, area) = inner.split();
        set_header(area, layout::header::WRITTEN_SLOT, number);
        objects::lend_draft(call, place, shared)
    };
    run seal = |call, inner| {
        let draft = inner.drafts.close(call)?;
        let total = draft.len();
        let object = draft.seal();
        let (port, area) = inner.split();
        port.keep(object, total);
        port.runtime().wrote(total);
        set_header(area, layout::header::WRITTEN_SLOT, object.index);
        set_header(area, layout::header::WRITTEN_GENERATION, object.generation);
        nothing()
    };
    run abandon = |call, inner| {
        drop(inner.drafts.close(call)?);
        nothing()
    };
    run id = |call, inner| match inner.port.task_id(key(call)?) {
        Some(id) => objects::copy(call, &id),
        None => call.undefined(),
    };
    run attempt = |call, inner| call.number(f64::from(inner.port.attempt(key(call)?)));
    run guard = |call, inner| {
        let number = inner.handles.watch(call)?;
        call.number(f64::from(number))
    };
    run unguard = |call, inner| {
        inner.handles.forget(call.env, call.u32(0)?);
        nothing()
    };
    run gone = |call, inner| {
        let is_gone = inner.handles.is_gone(call.env, call.u32(0)?);
        call.boolean(is_gone)
    };
    run leave = |call, inner| {
        let leaves = inner.port.leave_if_idle();
        call.boolean(leaves)
    };
    run resign = |_, inner| {
        inner.port.resign();
        nothing()
    };
    run untime = |call, inner| {
        let key = key(call)?;
        inner.port.end_time(key);
        nothing()
    };
    run over = |call, inner| {
        let is_over = inner.port.is_over(key(call)?);
        call.boolean(is_over)
    };
    run exists = |call, inner| {
        let exists = inner.port.exists(key(call)?);
        call.boolean(exists)
    };
    run circle = |call, inner| {
        let text = inner.port.circle(call.u32(0)?);
        match text {
            Some(text) => objects::copy(call, text.as_bytes()),
            None => call.undefined(),
        }
    };
    run room = |call, inner| call.number(f64::from(inner.port.room_for_calls(key(call)?)));
    run bound = |call, inner| {
        let is_call = inner.port.is_call(key(call)?);
        call.boolean(is_call)
    };
    run unheld = |call, inner| {
        let is_unheld = inner.port.is_unheld(key(call)?);
        call.boolean(is_unheld)
    };
    run named = |call, inner| {
        let name = (call.string(0)?, call.string(1)?);
        let (port, area) = inner.split();
        let found = port.find_actor(&name);
        call.boolean(write_found(area, found))
    };
    run create = |call, inner| {
        let name = (call.string(0)?, call.string(1)?);
        let (port, area) = inner.split();
        let found = port.create_named(area, name);
        call.boolean(write_found(area, found))
    };
    run handles = |call, inner| call.number(inner.port.handles() as f64);
}

unsafe extern "C" fn detach(env: sys::napi_env, info: sys::napi_callback_info) -> Value {
    // SAFETY: N-API calls this with the environment and the info of the call; the data pointer is the isolate.
    unsafe {
        run(env, info, |call| {
            (*call.data.cast::<Isolate>()).close(env);
            nothing()
        })
    }
}

/// `write(total, offsets, pieces)`: a new sealed object of `total` bytes, each piece copied once to its place.
fn write_pieces(call: &Call, port: &Port) -> Result<mobula_store::Object, Fault> {
    let total = call.f64(0)? as u64;
    let mut draft = port
        .runtime()
        .store()
        .create(total)
        .map_err(|error| store_fault(&error))?;
    let mut count = 0;
    check(
        // SAFETY: an argument of this call.
        unsafe { sys::napi_get_array_length(call.env, call.args[2], &mut count) },
        "an array was expected",
    )?;
    for k in 0..count {
        let (mut offset, mut piece, mut at) = (null_mut(), null_mut(), 0.0);
        // SAFETY: arrays and out pointers of this call.
        unsafe {
            check(
                sys::napi_get_element(call.env, call.args[1], k, &mut offset),
                "an offset was expected",
            )?;
            check(
                sys::napi_get_value_double(call.env, offset, &mut at),
                "an offset was expected",
            )?;
            check(
                sys::napi_get_element(call.env, call.args[2], k, &mut piece),
                "a piece was expected",
            )?;
        }
        // SAFETY: used before this call returns to JavaScript.
        let bytes = unsafe { call.bytes(piece)? };
        draft
            .write_with(at as u64, bytes, port.copy_helpers() as usize)
            .map_err(|error| store_fault(&error))?;
    }
    let object = draft.seal();
    port.runtime().wrote(total);
    Ok(object)
}

/// `attach(flags, area, onMail, onWork, runtime, start)`: this isolate takes part in the running runtime, if it is that one still.
unsafe extern "C" fn attach(env: sys::napi_env, info: sys::napi_callback_info) -> Value {
    // SAFETY: N-API calls this with the environment and the info of the call.
    unsafe { run(env, info, attach_call) }
}

fn attach_call(call: &Call) -> Result<Value, Fault> {
    let runtime = control::current().ok_or(Fault {
        code: "ERR_SHUTDOWN",
        message: "no runtime is running in this process".to_owned(),
    })?;
    if runtime.id() != call.u32(4)? {
        return Err(Fault {
            code: "ERR_SHUTDOWN",
            message: "the runtime that this thread was started for was shut down".to_owned(),
        });
    }
    let (flags, env) = (call.u32(0)?, call.env);
    let role = if flags & 1 == 0 {
        Role::Driver
    } else {
        let start = call.u32(5)?;
        match flags & 4 == 0 {
            true => Role::Newcomer { start },
            false => Role::Single { start },
        }
    };
    let shared = flags & 2 != 0;
    let (mut area, mut len) = (null_mut(), 0);
    check(
        // SAFETY: an argument of this call.
        unsafe { sys::napi_get_arraybuffer_info(env, call.args[1], &mut area, &mut len) },
        "an ArrayBuffer was expected",
    )?;
    if len < layout::AREA_BYTES {
        return Err(Fault::internal(format!(
            "the area has {len} bytes, {} are needed",
            layout::AREA_BYTES
        )));
    }
    let uv = uv::uv().ok_or(Fault {
        code: "ERR_UNSUPPORTED_PLATFORM",
        message: "this host has no libuv".to_owned(),
    })?;
    let bell = Arc::new(UvBell::new());
    let port = Port::new(runtime.clone(), role, bell.clone())
        .ok_or_else(|| Fault::internal("only workers are counted"))?;
    let isolate = Box::into_raw(Box::new(Isolate {
        inner: UnsafeCell::new(None),
    }));
    let mut area_ref = null_mut();
    // SAFETY: values of this call; the isolate lives until the cleanup hook, which is added below.
    unsafe {
        check(
            sys::napi_create_reference(env, call.args[1], 1, &mut area_ref),
            "napi_create_reference",
        )?;
        let hook = Hook::install(uv, env, isolate, [call.args[2], call.args[3]])?;
        bell.hang(hook.async_handle());
        *(*isolate).inner.get() = Some(Inner {
            port,
            hook,
            bell,
            area: area.cast(),
            area_ref,
            shared,
            drafts: Drafts::default(),
            handles: Handles::default(),
        });
        let cleanup = Box::into_raw(Box::new(Cleanup { env, isolate }));
        check(
            sys::napi_add_env_cleanup_hook(env, Some(clean_up), cleanup.cast()),
            "napi_add_env_cleanup_hook",
        )?;
    }
    let mut object = null_mut();
    check(
        // SAFETY: an out pointer of this frame.
        unsafe { sys::napi_create_object(env, &mut object) },
        "napi_create_object",
    )?;
    // SAFETY: the object belongs to this call; the isolate outlives the functions, which end with the environment.
    unsafe {
        for (name, function) in FUNCTIONS {
            set_function(env, object, name, *function, isolate.cast())?;
        }
        set_function(env, object, "detach", Some(detach), isolate.cast())?;
        set_property(
            env,
            object,
            "words",
            objects::lend_words(call, runtime.words(), shared)?,
        )?;
        set_property(
            env,
            object,
            "spills",
            call.boolean(runtime.store().spills())?,
        )?;
    }
    Ok(object)
}

unsafe extern "C" fn probe_shared(env: sys::napi_env, info: sys::napi_callback_info) -> Value {
    // SAFETY: N-API calls this with the environment and the info of the call.
    unsafe { run(env, info, objects::probe_shared) }
}

unsafe extern "C" fn hold_buffers(env: sys::napi_env, info: sys::napi_callback_info) -> Value {
    // SAFETY: N-API calls this with the environment and the info of the call.
    unsafe { run(env, info, |call| call.boolean(watch::hold_all(env))) }
}

/// Adds what every environment can call before it has a port.
///
/// # Safety
/// Both handles belong to the module's initialiser.
pub(crate) unsafe fn export(env: sys::napi_env, exports: Value) -> napi::Result<()> {
    // SAFETY: as the caller vouches; these functions have no data.
    let set = unsafe {
        set_function(env, exports, "attach", Some(attach), null_mut())
            .and_then(|()| {
                set_function(env, exports, "probeShared", Some(probe_shared), null_mut())
            })
            .and_then(|()| {
                set_function(env, exports, "holdBuffers", Some(hold_buffers), null_mut())
            })
    };
    set.map_err(|fault| napi::Error::new(napi::Status::GenericFailure, fault.message))
}
