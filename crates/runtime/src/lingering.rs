//! Tasks that were settled before their code had ended: what they were given is theirs until it has.

use mobula_sched::{Key, Phase};
use mobula_sync::Mutex;
use mobula_sync::atomic::{AtomicUsize, Ordering};

use crate::cell::Task;
use crate::refs::KeyMap;
use crate::runtime::Runtime;

/// Taken under a task's lock, never the other way round.
#[derive(Debug, Default)]
pub(crate) struct Lingering {
    tasks: Mutex<KeyMap<Task>>,
    /// Where there are none, nobody looks: whoever ends code has seen what was written before its task was settled, or comes again.
    count: AtomicUsize,
}

impl Lingering {
    pub(crate) fn keep(&self, key: Key, task: Task) {
        let mut tasks = self.tasks.lock();
        tasks.insert(key, task);
        self.count.store(tasks.len(), Ordering::Release);
    }

    /// The task was settled, and its code has not ended.
    pub(crate) fn has(&self, key: Key) -> bool {
        self.count.load(Ordering::Acquire) > 0 && self.tasks.lock().contains_key(&key)
    }

    fn take(&self, key: Key) -> Option<Task> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut tasks = self.tasks.lock();
        let task = tasks.remove(&key);
        self.count.store(tasks.len(), Ordering::Release);
        task
    }
}

impl Runtime {
    /// It was begun, and its code has not ended.
    pub(crate) fn goes_on(&self, key: Key) -> bool {
        self.table.phase(key) == Some(Phase::Offered) || self.lingering.has(key)
    }

    /// A task will not be begun, since somebody has settled it: he holds its lock until he has kept what it was given.
    pub(crate) fn let_settled_linger_no_more(&self, key: Key) {
        drop(self.cell(key).body.lock());
        self.let_linger_no_more(key);
    }

    /// The code of a task has ended, or never will be begun. Nothing happens for most: they are settled by that very end.
    pub(crate) fn let_linger_no_more(&self, key: Key) {
        if let Some(task) = self.lingering.take(key) {
            self.clock.no_longer_expect(key);
            self.release_task(&task, key);
        }
    }
}
