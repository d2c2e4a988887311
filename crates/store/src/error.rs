//! What can go wrong, said with numbers.

use std::{
    error, fmt, io,
    path::{Path, PathBuf},
};

use crate::{Object, disk};

/// Why a call on the store failed. Ask the `is_…` methods; the message is for people.
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Full {
        requested: u64,
        used: u64,
        capacity: u64,
    },
    NoAddresses {
        requested: u64,
        used: u64,
        capacity: u64,
        reserved: u64,
    },
    TooManyObjects {
        live: u64,
    },
    Gone {
        object: Object,
    },
    TooManyPins {
        object: Object,
    },
    OutOfBounds {
        offset: u64,
        len: u64,
        size: u64,
    },
    NoMemory {
        requested: u64,
        committed: u64,
        ceiling: u64,
    },
    OutOfMemory {
        attempt: &'static str,
        bytes: u64,
        source: Option<io::Error>,
    },
    Retired,
    Lost {
        object: Object,
    },
    Disk {
        attempt: &'static str,
        bytes: u64,
        source: io::Error,
    },
    BadDirectory {
        path: PathBuf,
        source: io::Error,
    },
}

impl Error {
    /// There is no room: letting objects go, or a larger capacity, would help. Also true when the
    /// system refused the memory ([`Error::is_out_of_memory`]) or the disk what would have made room
    /// in it ([`Error::is_out_of_disk`]).
    pub fn is_full(&self) -> bool {
        matches!(
            *self.0,
            Kind::Full { .. }
                | Kind::NoAddresses { .. }
                | Kind::TooManyObjects { .. }
                | Kind::NoMemory { .. }
                | Kind::OutOfMemory { .. }
                | Kind::Disk { .. }
        )
    }

    /// There is room neither in memory nor on the disk: the disk is full, or the user's share of it.
    pub fn is_out_of_disk(&self) -> bool {
        matches!(&*self.0, Kind::Disk { source, .. } if disk::is_full(source))
    }

    /// The object was spilled to disk, and what came back is not what was written. It stays lost;
    /// releasing it is still due.
    pub fn is_lost(&self) -> bool {
        matches!(*self.0, Kind::Lost { .. })
    }

    /// The directory for spilled objects does not exist, or no file can be made there.
    pub fn is_bad_directory(&self) -> bool {
        matches!(*self.0, Kind::BadDirectory { .. })
    }

    /// The object has been released, or never was.
    pub fn is_gone(&self) -> bool {
        matches!(*self.0, Kind::Gone { .. })
    }

    /// The system refused memory or address space, or is so short of memory that it was not asked
    /// for it, although the capacity would have allowed it.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(*self.0, Kind::NoMemory { .. } | Kind::OutOfMemory { .. })
    }

    /// A write did not fit into its draft.
    pub fn is_out_of_bounds(&self) -> bool {
        matches!(*self.0, Kind::OutOfBounds { .. })
    }

    /// One object has been pinned hundreds of millions of times at once.
    pub fn is_too_many_pins(&self) -> bool {
        matches!(*self.0, Kind::TooManyPins { .. })
    }

    /// The reader has been retired.
    pub fn is_retired(&self) -> bool {
        matches!(*self.0, Kind::Retired)
    }

    pub(crate) fn full(requested: u64, used: u64, capacity: u64) -> Self {
        Self(Box::new(Kind::Full {
            requested,
            used,
            capacity,
        }))
    }

    pub(crate) fn no_addresses(requested: u64, used: u64, capacity: u64, reserved: u64) -> Self {
        Self(Box::new(Kind::NoAddresses {
            requested,
            used,
            capacity,
            reserved,
        }))
    }

    pub(crate) fn too_many_objects(live: u64) -> Self {
        Self(Box::new(Kind::TooManyObjects { live }))
    }

    pub(crate) fn gone(object: Object) -> Self {
        Self(Box::new(Kind::Gone { object }))
    }

    pub(crate) fn too_many_pins(object: Object) -> Self {
        Self(Box::new(Kind::TooManyPins { object }))
    }

    pub(crate) fn out_of_bounds(offset: u64, len: u64, size: u64) -> Self {
        Self(Box::new(Kind::OutOfBounds { offset, len, size }))
    }

    pub(crate) fn no_memory(requested: u64, committed: u64, ceiling: u64) -> Self {
        Self(Box::new(Kind::NoMemory {
            requested,
            committed,
            ceiling,
        }))
    }

    pub(crate) fn out_of_memory(
        attempt: &'static str,
        bytes: u64,
        source: impl Into<Option<io::Error>>,
    ) -> Self {
        Self(Box::new(Kind::OutOfMemory {
            attempt,
            bytes,
            source: source.into(),
        }))
    }

    pub(crate) fn retired() -> Self {
        Self(Box::new(Kind::Retired))
    }

    pub(crate) fn lost(object: Object) -> Self {
        Self(Box::new(Kind::Lost { object }))
    }

    pub(crate) fn disk(attempt: &'static str, bytes: u64, source: io::Error) -> Self {
        Self(Box::new(Kind::Disk {
            attempt,
            bytes,
            source,
        }))
    }

    pub(crate) fn bad_directory(path: &Path, source: io::Error) -> Self {
        Self(Box::new(Kind::BadDirectory {
            path: path.to_owned(),
            source,
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Full {
                requested,
                used,
                capacity,
            } => write!(
                f,
                "the object store is full: {requested} bytes requested, {used} of {capacity} \
                 bytes used"
            ),
            Kind::NoAddresses {
                requested,
                used,
                capacity,
                reserved,
            } => write!(
                f,
                "the object store is too fragmented: {requested} bytes requested, {used} of \
                 {capacity} bytes used, no free piece is long enough and {reserved} bytes of \
                 address space are reserved already"
            ),
            Kind::TooManyObjects { live } => write!(
                f,
                "the object store is full: {live} objects are alive, more cannot be counted; \
                 release objects or put several values into one"
            ),
            Kind::Gone { object } => write!(
                f,
                "object {}/{} is gone: it has been released, or is of another store",
                object.index, object.generation
            ),
            Kind::TooManyPins { object } => write!(
                f,
                "object {}/{} is pinned too many times at once; let some readers go",
                object.index, object.generation
            ),
            Kind::OutOfBounds { offset, len, size } => write!(
                f,
                "cannot write {len} bytes at offset {offset} into a draft of {size} bytes"
            ),
            Kind::NoMemory {
                requested,
                committed,
                ceiling,
            } => write!(
                f,
                "the machine or the container is short of memory: {requested} bytes requested, \
                 the object store has taken {committed} of the {ceiling} bytes that it may take \
                 now so that some are left for the rest"
            ),
            Kind::OutOfMemory {
                attempt,
                bytes,
                source,
            } => {
                write!(
                    f,
                    "the system has no memory left to {attempt} ({bytes} bytes)"
                )?;
                match source {
                    Some(source) => write!(f, ": {source}"),
                    None => Ok(()),
                }
            }
            Kind::Retired => write!(f, "the reader has been retired; make a new one"),
            Kind::Lost { object } => write!(
                f,
                "object {}/{} is lost: it was spilled to disk, and could not be read back as it \
                 was written",
                object.index, object.generation
            ),
            Kind::Disk {
                attempt,
                bytes,
                source,
            } => write!(
                f,
                "the object store is full, and cannot {attempt} ({bytes} bytes): {source}"
            ),
            Kind::BadDirectory { path, source } => write!(
                f,
                "objects cannot be spilled to {}: {source}",
                path.display()
            ),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Error").field(&self.0).finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            Kind::OutOfMemory {
                source: Some(source),
                ..
            }
            | Kind::Disk { source, .. }
            | Kind::BadDirectory { source, .. } => Some(source),
            _ => None,
        }
    }
}
