//! Handles to large objects, seen through weak references.
//!
//! JavaScript that never yields gets no word of the handles that it has forgotten, and fills a store that cannot spill with what
//! nobody can reach. After a collection these references tell which handles are gone.

use std::ptr::null_mut;

use napi_sys as sys;

use crate::raw::{Call, Fault, check};

/// The watched handles of one isolate, by number. Numbers are used again.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    weak: Vec<Option<sys::napi_ref>>,
    free: Vec<u32>,
}

impl Handles {
    /// Watches a handle (argument 0) from now on, and says under which number.
    pub(crate) fn watch(&mut self, call: &Call) -> Result<u32, Fault> {
        let mut weak = null_mut();
        // SAFETY: an argument of this call, an out pointer of this frame.
        let status = unsafe { sys::napi_create_reference(call.env, call.args[0], 0, &mut weak) };
        check(status, "napi_create_reference")?;
        let number = self.free.pop().unwrap_or_else(|| {
            self.weak.push(None);
            self.weak.len() as u32 - 1
        });
        self.weak[number as usize] = Some(weak);
        Ok(number)
    }

    /// The handle under this number is watched no longer.
    pub(crate) fn forget(&mut self, env: sys::napi_env, number: u32) {
        let weak = self.weak.get_mut(number as usize).and_then(Option::take);
        if let Some(weak) = weak {
            // SAFETY: made in this environment, deleted once.
            unsafe { sys::napi_delete_reference(env, weak) };
            self.free.push(number);
        }
    }

    /// Whether the handle under this number was collected.
    pub(crate) fn is_gone(&self, env: sys::napi_env, number: u32) -> bool {
        let Some(Some(weak)) = self.weak.get(number as usize) else {
            return true;
        };
        let mut value = null_mut();
        // SAFETY: in a call of this environment, which made the reference.
        unsafe { sys::napi_get_reference_value(env, *weak, &mut value) };
        value.is_null()
    }

    /// None is watched any longer.
    pub(crate) fn clear(&mut self, env: sys::napi_env) {
        (0..self.weak.len() as u32).for_each(|number| self.forget(env, number));
    }
}
