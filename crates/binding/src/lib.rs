//! The N-API addon: translates between JavaScript and the runtime, and does nothing else.
//!
//! Control (start, stop, functions, figures) goes through `#[napi]`; the data plane is a handful of raw functions per
//! isolate, made by [`attach`](port), whose port lies in their data pointer.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod analysis;
mod bell;
pub mod control;
mod drafts;
mod handles;
mod hook;
pub mod instances;
mod objects;
mod port;
mod raw;
mod uv;
mod watch;
mod writes;

use napi::bindgen_prelude::{Object, Result};
use napi::{Env, JsValue};

/// Adds the raw functions to each environment's exports.
#[napi_derive::napi(module_exports)]
pub fn exports(exports: Object<'_>, env: Env) -> Result<()> {
    // SAFETY: both handles belong to this call of the module's initialiser.
    unsafe { port::export(env.raw(), exports.raw()) }
}
