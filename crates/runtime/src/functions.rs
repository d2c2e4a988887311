//! The functions of a runtime: a record each, made once, read by every worker that first meets it.

use std::collections::HashMap;

use std::sync::Arc;

use mobula_sync::Mutex;

/// What a worker needs to make a function. The fields are for the workers' JavaScript; nothing here looks into them.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
pub struct Function {
    /// Shown in errors.
    pub name: String,
    /// The record, as text that the workers understand.
    pub source: String,
}

/// All functions, by id. Equal records share an id.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_id: Vec<Arc<Function>>,
    ids: HashMap<Arc<Function>, u32>,
}

impl Functions {
    pub(crate) fn define(&self, function: Function) -> u32 {
        let mut state = self.state.lock();
        if let Some(id) = state.ids.get(&function) {
            return *id;
        }
        let id = state.by_id.len() as u32;
        let function = Arc::new(function);
        state.by_id.push(function.clone());
        state.ids.insert(function, id);
        id
    }

    pub(crate) fn get(&self, id: u32) -> Option<Arc<Function>> {
        self.state.lock().by_id.get(id as usize).cloned()
    }
}
