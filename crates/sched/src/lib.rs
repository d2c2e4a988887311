//! The scheduler: who waits for what, which worker runs what next, who sleeps and who is woken.
//!
//! It knows keys, not objects, and nothing of Node. A [`Key`] names a slot of the [`Table`]; a slot has a phase, a
//! countdown of what it still waits for, and a list of the slots that wait for it. [`Queues`] holds what is ready,
//! [`Idle`] who has nothing to do, [`Claims`] what a worker was handed and has not begun.
//!
//! ```
//! use mobula_sched::{Phase, Table};
//!
//! let table = Table::new();
//! let (first, second) = (table.reserve(), table.reserve());
//! // `second` waits for `first`, and becomes ready when it is resolved.
//! assert!(!table.wait_for(second, &[first], 1));
//! let mut ready = Vec::new();
//! table.resolve(first, Phase::Done, &mut ready);
//! assert_eq!(ready, [second]);
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod claim;
mod edge;
mod idle;
mod key;
mod queues;
mod slab;
mod slot;
mod table;
mod words;

pub use claim::{BATCH_MAX, Claims};
pub use idle::{Bell, Idle, Sleeper};
pub use key::Key;
pub use queues::{Lane, Local, Queues};
pub use slab::Slab;
pub use slot::Phase;
pub use table::Table;
pub use words::{CLAIM_WORDS, HEADER_WORDS, IDLE_WORD, Words};
