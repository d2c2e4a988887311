//! What the text of a JavaScript function, and the source of a module, say about the names in them; and what loading a
//! module takes.
//!
//! A function's text is what `Function.prototype.toString` gives: exactly what V8 compiled. All positions that come
//! out are indices of JavaScript's strings: UTF-16 code units of the text as it was given.
#![forbid(unsafe_code)]

mod boxes;
mod class;
mod commonjs;
mod free_name;
mod function;
mod loading;
mod module;
mod offsets;
mod stack;
mod text;
mod toplevel;
mod uses;

pub use boxes::box_names;
pub use class::{ClassFacts, ComputedKey, StaticKind, StaticMember};
pub use free_name::FreeName;
pub use function::{Form, FunctionFacts, Kind, analyze_function};
pub use loading::{Loading, analyze_loading};
pub use module::{Export, Import, ModuleFacts, PassedOn, Require, analyze_module};
pub use offsets::Range;
