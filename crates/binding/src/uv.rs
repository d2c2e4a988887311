//! libuv, looked up at run time: a host without it gets an ordinary error instead of a failed load.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::LazyLock;

use libc::{RTLD_DEFAULT, dlsym};

/// A loop or a handle of libuv; only libuv looks inside.
pub(crate) type Opaque = *mut c_void;
pub(crate) type Callback = unsafe extern "C" fn(Opaque);

/// `uv_handle_type` numbers of the kinds in use, to ask for their sizes.
pub(crate) const ASYNC: c_int = 1;
pub(crate) const CHECK: c_int = 2;
pub(crate) const PREPARE: c_int = 9;
pub(crate) const TIMER: c_int = 13;

macro_rules! table {
    ($($name:ident: $symbol:literal, fn($($arg:ty),*) $(-> $ret:ty)?;)+) => {
        /// The functions of libuv that are used here.
        #[derive(Debug)]
        pub(crate) struct Uv {
            $(pub(crate) $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)+
        }

        impl Uv {
            fn load() -> Option<Uv> {
                Some(Uv { $($name: {
                    let symbol: &CStr = $symbol;
                    // SAFETY: the name is a C string; RTLD_DEFAULT asks for what the process has loaded.
                    let found = unsafe { dlsym(RTLD_DEFAULT, symbol.as_ptr().cast::<c_char>()) };
                    if found.is_null() {
                        return None;
                    }
                    // SAFETY: libuv's documentation gives this function this signature, in all of its 1.x versions.
                    unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($arg),*) $(-> $ret)?>(found) }
                },)+ })
            }
        }
    };
}

table! {
    handle_size: c"uv_handle_size", fn(c_int) -> usize;
    set_data: c"uv_handle_set_data", fn(Opaque, *mut c_void);
    get_data: c"uv_handle_get_data", fn(Opaque) -> *mut c_void;
    prepare_init: c"uv_prepare_init", fn(Opaque, Opaque) -> c_int;
    prepare_start: c"uv_prepare_start", fn(Opaque, Callback) -> c_int;
    check_init: c"uv_check_init", fn(Opaque, Opaque) -> c_int;
    check_start: c"uv_check_start", fn(Opaque, Callback) -> c_int;
    async_init: c"uv_async_init", fn(Opaque, Opaque, Callback) -> c_int;
    async_send: c"uv_async_send", fn(Opaque) -> c_int;
    timer_init: c"uv_timer_init", fn(Opaque, Opaque) -> c_int;
    timer_start: c"uv_timer_start", fn(Opaque, Callback, u64, u64) -> c_int;
    close: c"uv_close", fn(Opaque, Callback);
    reference: c"uv_ref", fn(Opaque);
    unreference: c"uv_unref", fn(Opaque);
    backend_timeout: c"uv_backend_timeout", fn(Opaque) -> c_int;
}

static UV: LazyLock<Option<Uv>> = LazyLock::new(Uv::load);

/// The table, or `None` in a host without libuv.
pub(crate) fn uv() -> Option<&'static Uv> {
    UV.as_ref()
}

/// Room for one handle, of the size that libuv asks for, 16-byte aligned. It is freed in the handle's close callback.
pub(crate) fn new_handle(uv: &Uv, kind: c_int) -> Opaque {
    // SAFETY: a pure function of a known kind.
    let size = unsafe { (uv.handle_size)(kind) };
    Box::into_raw(vec![0_u128; size.div_ceil(16)].into_boxed_slice()).cast()
}

/// Frees what `new_handle` made.
///
/// # Safety
/// `handle` came from `new_handle` with this kind, and libuv is done with it.
pub(crate) unsafe fn free_handle(uv: &Uv, kind: c_int, handle: Opaque) {
    // SAFETY: a pure function of a known kind.
    let size = unsafe { (uv.handle_size)(kind) };
    let slice = std::ptr::slice_from_raw_parts_mut(handle.cast::<u128>(), size.div_ceil(16));
    // SAFETY: the same pointer and length that the box had.
    drop(unsafe { Box::from_raw(slice) });
}
