//! An object store in memory: bytes that are written once, sealed, and then read by every thread
//! of the process where they lie.
//!
//! It knows bytes, not tasks, and nothing of Node. A tour:
//!
//! ```
//! use mobula_store::{Reader, Store, StoreConfig};
//!
//! let store = Store::new(StoreConfig::new(64 << 20))?;
//!
//! // A draft has one writer. Dropped unsealed, it is gone.
//! let mut draft = store.create(1 << 20)?;
//! draft.write(0, b"hello")?;
//! draft.as_mut_slice()[5..].fill(b'!');
//! let object = draft.seal();
//!
//! // A pin keeps the bytes readable, also after the owner has let go.
//! let pin = store.pin(object)?;
//! assert!(store.release(object));
//! assert!(store.pin(object).unwrap_err().is_gone());
//! assert_eq!(&pin.bytes()[..6], b"hello!");
//!
//! // A view is for code that may write where it should not, such as JavaScript: what one reader
//! // writes, nobody else sees, and it is undone when the view is closed.
//! let reader = Reader::new(&store);
//! let view = reader.open(pin.clone())?;
//! // Sound, because the view is open and nobody else uses its address.
//! unsafe { view.as_ptr().write(b'J') };
//! assert_eq!(&pin.bytes()[..5], b"hello");
//!
//! // The memory is free when the last pin is gone, and is used again while it is warm.
//! drop((view, pin));
//! assert_eq!(store.stats().objects, 0);
//! assert_eq!(store.stats().bytes, 0);
//! # Ok::<(), mobula_store::Error>(())
//! ```
//!
//! Given a directory ([`StoreConfig::spill`]) a full store sends what nobody has pinned to a disk;
//! [`Store::pin`] brings it back.
//!
//! How the memory is laid out, and the order of the locks, is told in `docs/object-store.md`.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod arena;
mod clock;
mod cold;
mod config;
mod copy;
mod cores;
mod directory;
mod disk;
mod draft;
mod entry;
mod error;
mod extent;
mod fallocate;
mod file;
mod growth;
mod hugepage;
mod layout;
mod line;
mod linecopy;
mod machine;
mod mapping;
mod object;
mod pagemap;
mod pageset;
mod pin;
mod place;
mod private;
mod reader;
mod restore;
mod room;
mod segment;
mod segments;
mod slab;
mod space;
mod spill;
mod spillfile;
mod stats;
mod store;
mod table;
mod tract;
mod transfer;
mod victims;
mod view;
mod window;

pub use config::{Backing, Scan, StoreConfig, Supply, ViewMode};
pub use directory::spill_directory;
pub use draft::Draft;
pub use error::Error;
pub use object::Object;
pub use pin::Pin;
pub use reader::Reader;
pub use stats::Stats;
pub use store::Store;
pub use view::View;
