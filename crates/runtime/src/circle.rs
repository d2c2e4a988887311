//! Calls and tasks that wait for each other without blocking a thread: by `await get(…)`, in a circle through an actor that runs as many
//! calls as it may.
//!
//! Each wait of a task's code is known here with what it is for. A task *cannot go on* if it waits, and all that its waits are for
//! cannot; a call cannot begin if all that has to end before it cannot; and so on. What can, or may for all that is known, makes all
//! that waits for it able to: so no alarm is raised as long as anything moves. What is left over after that is a circle, or hangs on
//! one. A task that waits for something else beside, a timer say, would be misjudged, so a circle has to stand for two looks.

use std::collections::HashMap;
use std::sync::Arc;

use mobula_sched::{Key, Phase};
use mobula_sync::Mutex;

use crate::cell::Body;
use crate::layout::status;
use crate::mailbox::Mailbox;
use crate::refs::{KeyMap, KeySet};
use crate::runtime::Runtime;

/// A wait of a task's code.
#[derive(Debug)]
struct Owned {
    task: Key,
    keys: Vec<Key>,
    /// Waits are numbered as they come.
    order: u64,
    mailbox: Arc<Mailbox>,
    token: u32,
}

#[derive(Debug, Default)]
struct State {
    /// By the wait's slot.
    waits: KeyMap<Owned>,
    order: u64,
    /// Waits that stood on a circle when that was last looked at.
    suspects: KeySet,
}

/// The waits of tasks, where there are actors.
#[derive(Debug, Default)]
pub(crate) struct Circles {
    state: Mutex<State>,
}

impl Circles {
    /// The code of a task waits for these, without a time limit.
    pub(crate) fn enter(
        &self,
        wait: Key,
        (task, keys): (Key, Vec<Key>),
        (mailbox, token): (Arc<Mailbox>, u32),
    ) {
        let mut state = self.state.lock();
        state.order += 1;
        let order = state.order;
        let owned = Owned {
            task,
            keys,
            order,
            mailbox,
            token,
        };
        state.waits.insert(wait, owned);
    }

    /// The wait is over, if it was one of these.
    pub(crate) fn leave(&self, wait: Key) {
        self.state.lock().waits.remove(&wait);
    }
}

/// What each task that was reached needs; nothing: it can go on, for all that is known.
struct Graph<'a> {
    runtime: &'a Runtime,
    by_task: &'a HashMap<Key, Vec<Key>>,
    needs: HashMap<Key, Vec<Key>>,
}

impl Graph<'_> {
    fn reach(&mut self, from: impl IntoIterator<Item = Key>) {
        let mut open: Vec<Key> = from.into_iter().collect();
        while let Some(key) = open.pop() {
            if self.needs.contains_key(&key) {
                continue;
            }
            let needs = self.needs_of(key);
            open.extend(&needs);
            self.needs.insert(key, needs);
        }
    }

    fn needs_of(&self, key: Key) -> Vec<Key> {
        let runtime = self.runtime;
        let open = |keys: &[Key]| -> Vec<Key> {
            let tasks = keys.iter().map(|key| runtime.task_of(*key));
            tasks.filter(|key| !runtime.is_settled(*key)).collect()
        };
        match runtime.table.phase(key) {
            Some(Phase::Waiting) => {
                let deps: Vec<Key> = match &*runtime.cell(key).body.lock() {
                    Body::Task(task) => task.deps.iter().map(|entry| entry.key).collect(),
                    _ => return Vec::new(),
                };
                open(&deps)
            }
            Some(Phase::Ready) => runtime.in_the_way(key),
            Some(Phase::Offered | Phase::Running) => self
                .by_task
                .get(&key)
                .map_or_else(Vec::new, |keys| open(keys)),
            _ => Vec::new(),
        }
    }

    /// Those that cannot go on.
    fn stuck(&self) -> KeySet {
        let mut waiting_for: HashMap<Key, Vec<Key>> = HashMap::new();
        let mut able: Vec<Key> = Vec::new();
        for (key, needs) in &self.needs {
            if needs.is_empty() {
                able.push(*key);
            }
            for need in needs {
                waiting_for.entry(*need).or_default().push(*key);
            }
        }
        let mut stuck: KeySet = self.needs.keys().copied().collect();
        while let Some(key) = able.pop() {
            if stuck.remove(&key) {
                able.extend(waiting_for.get(&key).into_iter().flatten());
            }
        }
        stuck
    }

    /// The way from a task that is stuck to where it comes round.
    fn circle_from(&self, start: Key, stuck: &KeySet) -> Vec<Key> {
        let mut way = vec![start];
        loop {
            let last = way[way.len() - 1];
            let needs = self.needs.get(&last).into_iter().flatten();
            let Some(next) = needs.copied().find(|need| stuck.contains(need)) else {
                return Vec::new();
            };
            if let Some(at) = way.iter().position(|key| *key == next) {
                return way.split_off(at);
            }
            way.push(next);
        }
    }
}

impl Runtime {
    /// Ends one wait of each circle that stood there when this was called last. To be called every second or two.
    pub(crate) fn break_circles(&self) {
        let mut state = self.circles.state.lock();
        if state.waits.is_empty() {
            state.suspects.clear();
            return;
        }
        let mut by_task: HashMap<Key, Vec<Key>> = HashMap::new();
        for wait in state.waits.values() {
            by_task.entry(wait.task).or_default().extend(&wait.keys);
        }
        let mut graph = Graph {
            runtime: self,
            by_task: &by_task,
            needs: HashMap::new(),
        };
        graph.reach(by_task.keys().copied());
        let stuck = graph.stuck();
        let mut seen = KeySet::default();
        let mut suspects = KeySet::default();
        let mut ended = Vec::new();
        for task in by_task.keys().filter(|task| stuck.contains(task)) {
            let circle = graph.circle_from(*task, &stuck);
            if circle.iter().any(|key| !seen.insert(*key)) {
                continue;
            }
            let waits = state.waits.iter();
            let youngest = waits
                .filter(|(_, wait)| circle.contains(&wait.task))
                .max_by_key(|(_, wait)| wait.order);
            let Some((wait, _)) = youngest else { continue };
            if state.suspects.contains(wait) {
                ended.push((*wait, self.tell_circle(&circle)));
            } else {
                suspects.insert(*wait);
            }
        }
        state.suspects = suspects;
        let ended: Vec<_> = ended
            .into_iter()
            .filter_map(|(wait, text)| Some((wait, text, state.waits.remove(&wait)?)))
            .collect();
        drop(state);
        for (wait, text, Owned { mailbox, token, .. }) in ended {
            mailbox.note_circle(token, text);
            self.end_wait_as(wait, status::CIRCLE);
        }
    }

    /// The names of the tasks on it, from one to the next.
    fn tell_circle(&self, circle: &[Key]) -> String {
        let name = |key: &Key| {
            let function = match &*self.cell(*key).body.lock() {
                Body::Task(task) => self.functions.get(task.function),
                _ => None,
            };
            function.map_or_else(
                || "a task".to_owned(),
                |definition| format!("'{}'", definition.function.name),
            )
        };
        let names: Vec<String> = circle.iter().chain(circle.first()).map(name).collect();
        names.join(", which waits for ")
    }
}
