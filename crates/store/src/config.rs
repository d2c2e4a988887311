//! What a store's maker decides.

use std::path::PathBuf;

use crate::layout::{RUN_BYTES, SEGMENT_BYTES, SLOT_BYTES_MAX, page_bytes, round_up};

/// What a store's maker decides. Everything but the capacity has a default for the platform:
///
/// ```
/// use mobula_store::{StoreConfig, ViewMode};
///
/// let config = StoreConfig { views: ViewMode::Copy, ..StoreConfig::new(64 << 20) };
/// assert_eq!(config.capacity, 64 << 20);
/// ```
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The most bytes that objects may take, rounded up to slots and pages as they are. Rounded
    /// down to whole pages.
    pub capacity: u64,
    /// How readers see objects.
    pub views: ViewMode,
    /// Objects up to this size are handed out as copies in every mode; at least 16 KiB, because
    /// smaller ones share their pages with others.
    pub copy_bytes_max: u64,
    /// How much address space a segment reserves, rounded up to 2 MiB; larger objects get a
    /// segment of their own.
    pub segment_bytes: u64,
    /// What the memory is.
    pub backing: Backing,
    /// Whether memory is taken in huge pages where the system has them to give: Linux 6.1 and later.
    pub huge_pages: bool,
    /// How much memory there is to be taken, whatever the capacity.
    pub supply: Supply,
    /// How written pages of private views are found.
    pub scan: Scan,
    /// The directory whose disk objects go to when the store is full; nothing: none do. Only
    /// nameless files are made there. See [`spill_directory`](crate::spill_directory).
    pub spill: Option<PathBuf>,
}

/// How a reader sees an object that is too large to be copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ViewMode {
    /// Without a copy until it writes: its writes stay its own and are undone when it lets go.
    /// Linux only; where the mapping cannot be made, a copy.
    Private,
    /// As a copy of its own.
    Copy,
    /// Without a copy and without protection: what one reader writes, all see.
    Shared,
}

/// What the memory of a store is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backing {
    /// A nameless file in memory, mapped: memfd on Linux, an unlinked POSIX shared memory object
    /// elsewhere.
    File,
    /// A named POSIX shared memory object, unlinked before anybody can see it used: what other
    /// Unixes have instead of memfd. On Linux it is bounded by the size of `/dev/shm`.
    Posix,
    /// The heap. No private views; for tests and for tools that cannot see through mappings.
    Heap {
        /// Commits beyond this fail, as a machine out of memory would.
        bytes_max: u64,
    },
}

/// How much memory a store can take from the system. What it may not take counts as full: objects
/// are spilled, or lie in files, or are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Supply {
    /// What the machine and the cgroups of this process have left, less a reserve, as far as the
    /// system tells, which Linux does.
    Machine,
    /// So many bytes and no more, as if the machine had no others; for tests.
    Bytes(u64),
}

/// How written pages of private views are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scan {
    /// The best that works here.
    Best,
    /// By reading `/proc/self/pagemap`, as before Linux 6.7.
    PageMap,
    /// Not at all: every page is taken for written.
    Never,
}

impl StoreConfig {
    /// The platform's defaults.
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity,
            views: ViewMode::platform_default(),
            copy_bytes_max: if cfg!(target_os = "linux") {
                SLOT_BYTES_MAX
            } else {
                1 << 20
            },
            segment_bytes: SEGMENT_BYTES,
            backing: Backing::File,
            huge_pages: true,
            supply: Supply::Machine,
            scan: Scan::Best,
            spill: None,
        }
    }
}

impl ViewMode {
    /// Private on Linux. Elsewhere private mappings of shared memory are refused: small objects
    /// are copied, larger ones shared (see [`StoreConfig::copy_bytes_max`]).
    pub const fn platform_default() -> Self {
        if cfg!(target_os = "linux") {
            Self::Private
        } else {
            Self::Shared
        }
    }
}

/// The configuration as the store needs it: rounded, and within its limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolved {
    pub(crate) views: ViewMode,
    pub(crate) copy_bytes_max: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) backing: Backing,
    pub(crate) page_bytes: u64,
}

impl StoreConfig {
    pub(crate) fn resolve(&self) -> Resolved {
        Resolved {
            views: self.views,
            copy_bytes_max: self.copy_bytes_max.max(SLOT_BYTES_MAX),
            segment_bytes: round_up(self.segment_bytes.max(1), RUN_BYTES).unwrap_or(SEGMENT_BYTES),
            backing: self.backing,
            page_bytes: page_bytes(),
        }
    }
}
