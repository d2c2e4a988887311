//! What the next tasks of an isolate bring along: an object that each of them holds, as it holds its arguments. A loop of calls
//! brings the same one along, so it is named once, and its holds are taken many at a time: one by one, each call would touch the
//! count that workers touch as calls end.

use mobula_sched::Key;
use mobula_sync::atomic::Ordering;

use crate::runtime::Runtime;
use crate::value::RefEntry;

/// So many holds are taken together.
const TAKEN_TOGETHER: u32 = 256;

/// The object that was named last. While there are holds in stock the isolate has a handle to it: so none of them is the last.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    entry: Option<RefEntry>,
    /// Holds that no task has yet.
    stock: u32,
}

impl Brought {
    /// From now on it is this one. The isolate has a handle to it.
    pub(crate) fn name(&mut self, runtime: &Runtime, entry: RefEntry) {
        self.give_back(runtime);
        self.entry = Some(entry);
    }

    /// One more task has it, and a hold of it.
    pub(crate) fn take(&mut self, runtime: &Runtime) -> Option<RefEntry> {
        let entry = self.entry?;
        if self.stock == 0 {
            // Relaxed, as every hold that is taken while there is another: here the isolate's.
            let holders = &runtime.cell(entry.key).holders;
            holders.fetch_add(TAKEN_TOGETHER, Ordering::Relaxed);
            self.stock = TAKEN_TOGETHER;
        }
        self.stock -= 1;
        Some(entry)
    }

    /// The isolate's last handle to this object goes.
    pub(crate) fn forgets(&mut self, runtime: &Runtime, key: Key) {
        if self.entry.is_some_and(|entry| entry.key == key) {
            self.give_back(runtime);
        }
    }

    /// What is in stock is nobody's. Before the isolate lets go of its handles.
    pub(crate) fn give_back(&mut self, runtime: &Runtime) {
        let stock = std::mem::take(&mut self.stock);
        if let Some(entry) = self.entry.filter(|_| stock > 0) {
            // Relaxed: nothing was done with them, and the isolate's own hold is let go of later.
            let holders = &runtime.cell(entry.key).holders;
            holders.fetch_sub(stock, Ordering::Relaxed);
        }
    }
}
