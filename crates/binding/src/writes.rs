//! `MOBULA_REPORT_WRITES=1`: says which task wrote into an object. Nobody else sees such writes, and its own are undone.

use std::sync::{Arc, LazyLock};

use mobula_runtime::Runtime;
use mobula_store::View;

/// Asked for by the environment, which is read once.
pub(crate) static REPORTED: LazyLock<bool> =
    LazyLock::new(|| std::env::var_os("MOBULA_REPORT_WRITES").is_some_and(|value| value == "1"));

/// Has the view say, when it is closed, who wrote: by standard error, since it may be closed on any thread and at any time.
pub(crate) fn watch(view: &mut View, runtime: &Arc<Runtime>, function: u32) {
    let who = runtime.definition(function).map_or_else(
        || "code outside of tasks, or behind an await,".to_owned(),
        |definition| format!("task '{}'", definition.function.name),
    );
    view.report_writes(move |bytes| {
        eprintln!(
            "mobula: {who} wrote into {bytes} bytes (whole pages) of a stored object. Objects are immutable: nobody else sees it, \
             and the next reader gets what was stored. Write into a copy: get(ref, {{ copy: true }}), or array.slice()."
        );
    });
}
