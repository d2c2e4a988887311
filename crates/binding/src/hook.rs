//! An isolate's place in its event loop: it looks for mail and work before the loop sleeps, spins a little, then lets it sleep.
//!
//! `uv_prepare` runs right before the loop would poll, `uv_check` right after. Between them the isolate is announced as
//! asleep, and the bell (`uv_async`) wakes it. The thread never blocks anywhere else, so timers and I/O go on and
//! `terminate()` takes effect at once.

use std::ptr::null_mut;
use std::time::{Duration, Instant};

use mobula_runtime::Forage;
use napi_sys as sys;

use crate::port::Isolate;
use crate::raw::{Fault, Value, check};
use crate::uv::{self, Opaque, Uv};

/// JavaScript may run for so long before the loop gets its turn: timers and I/O must not starve.
const TURN: Duration = Duration::from_millis(2);
/// Looks around before sleeping; each is 20 pauses and a yield, about 8 us in all.
const SPINS: u32 = 32;
const PAUSES: u32 = 20;
/// A round of spinning that took longer was descheduled: others want the core.
const SPIN_DISTURBED: Duration = Duration::from_micros(100);
/// Then no spinning for so long at first; twice as long each time that it happens again, half as long when spinning was of use.
const SPIN_REST: Duration = Duration::from_micros(500);
const SPIN_REST_MAX: Duration = Duration::from_millis(64);

/// The handles of one isolate in its loop, and what it calls.
#[derive(Debug)]
pub(crate) struct Hook {
    uv: &'static Uv,
    env: sys::napi_env,
    uv_loop: Opaque,
    prepare: Opaque,
    check: Opaque,
    bell: Opaque,
    timer: Opaque,
    /// `onMail`, `onWork`
    callbacks: [sys::napi_ref; 2],
    is_kept_alive: bool,
    /// A call failed since the thread is being stopped: never call again.
    is_dying: bool,
    rest_until: Option<Instant>,
    rest: Duration,
}

#[derive(Copy, Clone)]
enum Callback {
    Mail = 0,
    Work = 1,
}

impl Hook {
    /// # Safety
    /// On the isolate's thread, during a call; `isolate` outlives the handles, that is, until `close` and a turn of the loop.
    pub(crate) unsafe fn install(
        uv: &'static Uv,
        env: sys::napi_env,
        isolate: *mut Isolate,
        callbacks: [Value; 2],
    ) -> Result<Hook, Fault> {
        let mut uv_loop: *mut sys::uv_loop_s = null_mut();
        check(
            // SAFETY: an out pointer of this frame.
            unsafe { sys::napi_get_uv_event_loop(env, &mut uv_loop) },
            "napi_get_uv_event_loop",
        )?;
        let uv_loop: Opaque = uv_loop.cast();
        let mut refs = [null_mut(); 2];
        for (callback, out) in callbacks.into_iter().zip(&mut refs) {
            check(
                // SAFETY: values of the current call.
                unsafe { sys::napi_create_reference(env, callback, 1, out) },
                "napi_create_reference",
            )?;
        }
        let [prepare, check, bell, timer] =
            [uv::PREPARE, uv::CHECK, uv::ASYNC, uv::TIMER].map(|kind| uv::new_handle(uv, kind));
        // SAFETY: fresh handles of the right sizes, the loop of this thread. None of the four calls can fail for these.
        unsafe {
            (uv.prepare_init)(uv_loop, prepare);
            (uv.check_init)(uv_loop, check);
            (uv.async_init)(uv_loop, bell, on_wake);
            (uv.timer_init)(uv_loop, timer);
            for handle in [prepare, check, bell, timer] {
                (uv.set_data)(handle, isolate.cast());
                (uv.unreference)(handle);
            }
            (uv.prepare_start)(prepare, on_prepare);
            (uv.check_start)(check, on_check);
        }
        Ok(Hook {
            uv,
            env,
            uv_loop,
            prepare,
            check,
            bell,
            timer,
            callbacks: refs,
            is_kept_alive: false,
            is_dying: false,
            rest_until: None,
            rest: SPIN_REST,
        })
    }

    pub(crate) fn async_handle(&self) -> Opaque {
        self.bell
    }

    /// Whether the loop must stay alive for this isolate's sake.
    pub(crate) fn keep_alive(&mut self, alive: bool) {
        if alive != self.is_kept_alive {
            self.is_kept_alive = alive;
            let change = if alive {
                self.uv.reference
            } else {
                self.uv.unreference
            };
            // SAFETY: the handle is open, and this is its thread.
            unsafe { change(self.bell) };
        }
    }

    /// Closes the handles; the loop frees them in its next turn. On the isolate's thread.
    pub(crate) fn close(self) {
        let closing: [(Opaque, uv::Callback); 4] = [
            (self.prepare, free_prepare),
            (self.check, free_check),
            (self.bell, free_async),
            (self.timer, free_timer),
        ];
        for (handle, free) in closing {
            // SAFETY: each handle is open and closed once, on its own thread; nobody uses it after this but its callback.
            unsafe { (self.uv.close)(handle, free) };
        }
        for callback in self.callbacks {
            // SAFETY: made in this environment, deleted once.
            unsafe { sys::napi_delete_reference(self.env, callback) };
        }
    }

    fn may_spin(&mut self) -> bool {
        match self.rest_until {
            Some(until) if Instant::now() < until => false,
            _ => {
                self.rest_until = None;
                true
            }
        }
    }
}

macro_rules! close_callbacks {
    ($($name:ident = $kind:expr;)+) => {
        $(unsafe extern "C" fn $name(handle: Opaque) {
            if let Some(uv) = uv::uv() {
                // SAFETY: libuv calls this once for a handle of this kind, when it is done with it.
                unsafe { uv::free_handle(uv, $kind, handle) };
            }
        })+
    };
}

close_callbacks! {
    free_prepare = uv::PREPARE;
    free_check = uv::CHECK;
    free_async = uv::ASYNC;
    free_timer = uv::TIMER;
}

unsafe extern "C" fn on_wake(_handle: Opaque) {}

unsafe extern "C" fn on_check(handle: Opaque) {
    let isolate = isolate_of(handle);
    // SAFETY: on the loop's thread, outside of JavaScript.
    if let Some(inner) = unsafe { isolate.inner() } {
        inner.port.retract();
    }
}

unsafe extern "C" fn on_prepare(handle: Opaque) {
    let isolate = isolate_of(handle);
    // A panic must not unwind into libuv. It has been reported by the panic hook; the loop goes on.
    drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(
        || turn(isolate),
    )));
}

fn isolate_of<'a>(handle: Opaque) -> &'a Isolate {
    let data = uv::uv().map_or(null_mut(), |uv| {
        // SAFETY: an open handle of ours.
        unsafe { (uv.get_data)(handle) }
    });
    // SAFETY: `install` stored the isolate there, which outlives its handles.
    unsafe { &*data.cast::<Isolate>() }
}

/// One turn: mail and work as long as there is some and the turn is not over, then sleep.
fn turn(isolate: &Isolate) {
    let mut began = None;
    let mut has_spun = false;
    let mut again = None;
    loop {
        // SAFETY: on the loop's thread, outside of JavaScript; `call` is made after the borrow has ended.
        let Some(inner) = (unsafe { isolate.inner() }) else {
            return;
        };
        if inner.hook.is_dying {
            return;
        }
        let callback = if inner.port.has_mail() {
            Some(Callback::Mail)
        } else {
            match inner.port.forage() {
                Forage::Work => Some(Callback::Work),
                Forage::Later(time) => {
                    again = Some(time);
                    None
                }
                Forage::Nothing => None,
            }
        };
        if let Some(callback) = callback {
            inner.port.end_search();
            let (env, function) = (inner.hook.env, inner.hook.callbacks[callback as usize]);
            let succeeded = call(env, function);
            // SAFETY: as above; JavaScript has returned.
            let Some(inner) = (unsafe { isolate.inner() }) else {
                return;
            };
            if !succeeded {
                inner.hook.is_dying = true;
                return;
            }
            // From the end of the first call on: most turns have one, and need not look at the clock twice.
            if began.is_some_and(|began: Instant| began.elapsed() > TURN) {
                // SAFETY: an open handle; ringing it makes the next poll return at once.
                unsafe { (inner.hook.uv.async_send)(inner.hook.bell) };
                return;
            }
            began.get_or_insert_with(Instant::now);
            has_spun = false;
            continue;
        }
        // SAFETY: the loop of this thread.
        if unsafe { (inner.hook.uv.backend_timeout)(inner.hook.uv_loop) } == 0 {
            // The loop will not sleep: it has other things to do and comes back.
            inner.port.end_search();
            return;
        }
        if !has_spun && inner.port.expects_something() && inner.hook.may_spin() {
            has_spun = true;
            if spin(inner) {
                continue;
            }
        }
        inner.port.end_search();
        if inner.port.hears_to_leave() {
            // There is mail now.
            continue;
        }
        if inner.port.announce() {
            if let Some(time) = again {
                // A millisecond is the finest it knows.
                let time = (time.as_millis() as u64).max(1);
                // SAFETY: an open timer; it only has to wake the loop.
                unsafe { (inner.hook.uv.timer_start)(inner.hook.timer, on_wake, time, 0) };
            }
            return;
        }
    }
}

/// Looks around for a few microseconds. True if there is something to do.
fn spin(inner: &mut crate::port::Inner) -> bool {
    inner.port.start_search();
    let started = Instant::now();
    let mut found = false;
    for _ in 0..SPINS {
        if inner.port.has_mail() || inner.port.has_work() {
            found = true;
            break;
        }
        (0..PAUSES).for_each(|_| std::hint::spin_loop());
        std::thread::yield_now();
    }
    let now = Instant::now();
    let hook = &mut inner.hook;
    if now - started > SPIN_DISTURBED {
        hook.rest_until = Some(now + hook.rest);
        hook.rest = (2 * hook.rest).min(SPIN_REST_MAX);
    } else if found {
        hook.rest = (hook.rest / 2).max(SPIN_REST);
    }
    found
}

/// Calls into JavaScript, with its microtasks. False if the thread is being stopped.
fn call(env: sys::napi_env, function: sys::napi_ref) -> bool {
    let mut scope = null_mut();
    // SAFETY: the isolate's own thread, outside of any call; the scope is closed below.
    unsafe {
        if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
            return false;
        }
        let status = call_in_scope(env, function);
        let succeeded = status == sys::Status::napi_ok || report(env);
        sys::napi_close_handle_scope(env, scope);
        succeeded
    }
}

/// # Safety
/// On the isolate's thread, in a handle scope.
unsafe fn call_in_scope(env: sys::napi_env, function: sys::napi_ref) -> sys::napi_status {
    let (mut callee, mut result) = (null_mut(), null_mut());
    // SAFETY: as the caller vouches; the reference is ours.
    unsafe {
        sys::napi_get_reference_value(env, function, &mut callee);
        // As `this`, of which Node takes a property `domain` for a domain to enter: the global object of the REPL has one that is none.
        sys::napi_make_callback(
            env,
            null_mut(),
            callee,
            callee,
            0,
            std::ptr::null(),
            &mut result,
        )
    }
}

/// A call failed. An exception is cleared here, in our own scope: left pending it would abort the process when the thread
/// ends. What it says goes to `uncaughtException`, as any error of a callback does. False if the thread is being stopped.
///
/// # Safety
/// On the isolate's thread, in a handle scope.
unsafe fn report(env: sys::napi_env) -> bool {
    let mut error = null_mut();
    // SAFETY: as the caller vouches.
    unsafe {
        sys::napi_get_and_clear_last_exception(env, &mut error) == sys::Status::napi_ok
            && sys::napi_fatal_exception(env, error) == sys::Status::napi_ok
    }
}
