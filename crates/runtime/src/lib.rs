//! Tasks, objects, references and waits over the store and the scheduler: everything a runtime knows, reachable from
//! every thread of the process, and nothing of Node.
//!
//! A thread takes part through a [`Port`]. It writes records into an area of memory that it owns and calls the port to
//! have them read; answers come back as records in the same area. `layout` says what lies where.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod actor;
mod area;
mod brought;
mod budget;
mod cancel;
mod cell;
mod children;
mod circle;
mod clock;
mod complete;
mod conduct;
mod deadlock;
mod failure;
mod faults;
mod fetch;
mod functions;
mod history;
mod holders;
mod holdings;
mod inline;
pub mod layout;
mod ledger;
mod lines;
mod lingering;
mod mailbox;
mod ops;
mod park;
mod pool;
mod port;
mod refs;
mod resources;
mod retry;
mod returns;
mod runtime;
mod seniority;
mod stream;
mod streams;
mod submit;
mod tend;
mod turn;
mod value;
mod waiter;
mod work;

pub use actor::{Found, Instance, Name, Poor, Stage};
pub use budget::Granted;
pub use failure::Reason as ActorReason;
pub use faults::{Action, Fault, Faults, Point};
pub use functions::{ActorTerms, Defined, Definition, Function, Terms};
pub use history::{Outcome, Run, Stamp};
pub use holdings::{Holding, Origin};
pub use mailbox::Mailbox;
pub use park::Reason;
pub use port::{Port, Role};
pub use resources::{Demand, Totals, WHOLE};
pub use runtime::{Config, Runtime, Stats};
pub use value::Which;
pub use work::Forage;
