//! Raw N-API: arguments, results, errors. Used where `#[napi]` costs ten times as much.

use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use napi_sys as sys;

pub(crate) type Value = sys::napi_value;

/// A call in progress: its environment and its arguments.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) env: sys::napi_env,
    pub(crate) data: *mut c_void,
    pub(crate) args: [Value; 6],
}

impl Call {
    fn new(env: sys::napi_env) -> Self {
        Self {
            env,
            data: null_mut(),
            args: [null_mut(); 6],
        }
    }
}

/// What stops a call: a message with the code that `errors/` maps to a class.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            code: "ERR_INTERNAL",
            message: message.into(),
        }
    }
}

pub(crate) fn check(status: sys::napi_status, what: &str) -> Result<(), Fault> {
    match status {
        sys::Status::napi_ok => Ok(()),
        _ => Err(Fault::internal(format!("{what}: N-API status {status}"))),
    }
}

/// Runs a raw function's body: a fault or a panic becomes a JavaScript exception.
///
/// # Safety
/// `env` and `info` are those of the callback that calls this.
pub(crate) unsafe fn run(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&Call) -> Result<Value, Fault>,
) -> Value {
    let mut call = Call::new(env);
    let mut count = call.args.len();
    // SAFETY: the out pointers are valid for the call; N-API fills absent arguments with `undefined`.
    unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &mut count,
            call.args.as_mut_ptr(),
            null_mut(),
            &mut call.data,
        );
    }
    run_call(call, body)
}

/// The same for a function without arguments, which need not be asked for.
///
/// # Safety
/// As `run`.
pub(crate) unsafe fn run_bare(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&Call) -> Result<Value, Fault>,
) -> Value {
    let mut call = Call::new(env);
    // SAFETY: the one out pointer is valid for the call; the others may be null.
    unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            null_mut(),
            null_mut(),
            null_mut(),
            &mut call.data,
        );
    }
    run_call(call, body)
}

fn run_call(call: Call, body: impl FnOnce(&Call) -> Result<Value, Fault>) -> Value {
    let result = catch_unwind(AssertUnwindSafe(|| body(&call)))
        .unwrap_or_else(|_| Err(Fault::internal("panic in the addon: please report it")));
    match result {
        Ok(value) => value,
        Err(fault) => {
            throw(call.env, &fault);
            null_mut()
        }
    }
}

fn throw(env: sys::napi_env, fault: &Fault) {
    let text = |text: &str| CString::new(text.replace('\0', " ")).unwrap_or_default();
    let (code, message) = (text(fault.code), text(&fault.message));
    // SAFETY: both are C strings that live until the call returns.
    unsafe { sys::napi_throw_error(env, code.as_ptr(), message.as_ptr()) };
}

/// Makes a function whose calls find `data` in their data pointer, and sets it on an object.
///
/// # Safety
/// `object` belongs to the current scope; `data` outlives every call of the function.
pub(crate) unsafe fn set_function(
    env: sys::napi_env,
    object: Value,
    name: &str,
    function: sys::napi_callback,
    data: *mut c_void,
) -> Result<(), Fault> {
    let mut value = null_mut();
    // SAFETY: the name is valid UTF-8 of the given length; the caller vouches for `data`.
    let status = unsafe {
        sys::napi_create_function(
            env,
            name.as_ptr().cast(),
            name.len() as isize,
            function,
            data,
            &mut value,
        )
    };
    check(status, "napi_create_function")?;
    // SAFETY: both values belong to the current scope.
    unsafe { set_property(env, object, name, value) }
}

/// # Safety
/// Both values belong to the current scope of `env`.
pub(crate) unsafe fn set_property(
    env: sys::napi_env,
    object: Value,
    name: &str,
    value: Value,
) -> Result<(), Fault> {
    let name = CString::new(name).map_err(|_| Fault::internal("property name with a zero byte"))?;
    check(
        // SAFETY: a C string, and values that the caller vouches for.
        unsafe { sys::napi_set_named_property(env, object, name.as_ptr(), value) },
        "napi_set_named_property",
    )
}

impl Call {
    pub(crate) fn u32(&self, k: usize) -> Result<u32, Fault> {
        let mut out = 0;
        check(
            // SAFETY: the argument belongs to this call.
            unsafe { sys::napi_get_value_uint32(self.env, self.args[k], &mut out) },
            "a number was expected",
        )?;
        Ok(out)
    }

    /// A string argument.
    pub(crate) fn string(&self, k: usize) -> Result<String, Fault> {
        let (env, value) = (self.env, self.args[k]);
        let mut len = 0;
        check(
            // SAFETY: an argument of this call, and an out pointer of this frame; without a buffer only the length is told.
            unsafe { sys::napi_get_value_string_utf8(env, value, null_mut(), 0, &mut len) },
            "a string was expected",
        )?;
        // With room for the zero that ends it.
        let mut bytes = vec![0_u8; len + 1];
        check(
            // SAFETY: as above; the buffer has the length that is said.
            unsafe {
                sys::napi_get_value_string_utf8(
                    env,
                    value,
                    bytes.as_mut_ptr().cast(),
                    bytes.len(),
                    &mut len,
                )
            },
            "a string was expected",
        )?;
        bytes.truncate(len);
        String::from_utf8(bytes).map_err(|_| Fault::internal("a string of UTF-8 was expected"))
    }

    pub(crate) fn f64(&self, k: usize) -> Result<f64, Fault> {
        let mut out = 0.0;
        check(
            // SAFETY: the argument belongs to this call.
            unsafe { sys::napi_get_value_double(self.env, self.args[k], &mut out) },
            "a number was expected",
        )?;
        Ok(out)
    }

    /// The bytes of a typed array of bytes.
    ///
    /// # Safety
    /// They may be used until JavaScript runs again.
    pub(crate) unsafe fn bytes<'a>(&self, value: Value) -> Result<&'a [u8], Fault> {
        let (mut len, mut data) = (0, null_mut());
        // SAFETY: the value belongs to this call; null out pointers are allowed.
        let status = unsafe {
            sys::napi_get_typedarray_info(
                self.env,
                value,
                null_mut(),
                &mut len,
                &mut data,
                null_mut(),
                null_mut(),
            )
        };
        check(status, "a Uint8Array was expected")?;
        if len == 0 {
            return Ok(&[]);
        }
        // SAFETY: N-API says that so many bytes lie there, and nothing moves or frees them while no JavaScript runs.
        // Another thread may write into shared ones: then the copy has either bytes, as for any racing reader.
        Ok(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) })
    }

    pub(crate) fn undefined(&self) -> Result<Value, Fault> {
        let mut out = null_mut();
        check(
            // SAFETY: an out pointer of this frame.
            unsafe { sys::napi_get_undefined(self.env, &mut out) },
            "napi_get_undefined",
        )?;
        Ok(out)
    }

    pub(crate) fn boolean(&self, value: bool) -> Result<Value, Fault> {
        let mut out = null_mut();
        check(
            // SAFETY: an out pointer of this frame.
            unsafe { sys::napi_get_boolean(self.env, value, &mut out) },
            "napi_get_boolean",
        )?;
        Ok(out)
    }

    pub(crate) fn number(&self, value: f64) -> Result<Value, Fault> {
        let mut out = null_mut();
        check(
            // SAFETY: an out pointer of this frame.
            unsafe { sys::napi_create_double(self.env, value, &mut out) },
            "napi_create_double",
        )?;
        Ok(out)
    }
}
