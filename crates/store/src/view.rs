//! An object's bytes as one reader sees them.
#![allow(unsafe_code, reason = "a view's memory may be used from any thread")]

use std::{fmt, mem::ManuallyDrop, ptr::NonNull, sync::Arc};

use crate::{Error, Pin, copy::Copy, window::Closed, window::Window};

/// An object's bytes as one reader sees them. Dropping it, on any thread, closes it.
///
/// The reader may write through the address: unless the store's views are shared, nobody else sees
/// that. It is up to the reader that nothing touches the memory once the view is dropped.
pub struct View {
    start: NonNull<u8>,
    len: usize,
    content: Content,
}

#[expect(dead_code, reason = "what is in it is held until the view is dropped")]
enum Content {
    Mapped(Mapped),
    Copied(Copy),
    Shared(Pin),
}

/// Pages in a window; restored when dropped.
struct Mapped {
    window: Arc<Window>,
    pin: ManuallyDrop<Pin>,
    /// Told how many bytes of pages were written, if any were.
    report: Option<Box<dyn FnOnce(u64) + Send + Sync>>,
}

// SAFETY: `start` points into memory that `content` owns or keeps, which belongs to no thread. The
// view itself does not touch it; who uses the address sees to races as with any shared buffer.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    pub(crate) fn mapped(start: NonNull<u8>, window: Arc<Window>, pin: Pin) -> Self {
        let len = pin.len();
        let pin = ManuallyDrop::new(pin);
        Self {
            start,
            len,
            content: Content::Mapped(Mapped {
                window,
                pin,
                report: None,
            }),
        }
    }

    pub(crate) fn copied(pin: &Pin) -> Result<Self, Error> {
        let copy = Copy::new(pin.bytes())?;
        Ok(Self {
            start: copy.start(),
            len: pin.len(),
            content: Content::Copied(copy),
        })
    }

    pub(crate) fn shared(pin: Pin) -> Self {
        Self {
            start: pin.start(),
            len: pin.len(),
            content: Content::Shared(pin),
        }
    }

    /// Calls `report` when this view is closed, if it is the last one of its object in its reader and pages of it have been
    /// written: with their bytes, in whole pages. From the thread that closes it. Copies are not looked at.
    pub fn report_writes(&mut self, report: impl FnOnce(u64) + Send + Sync + 'static) {
        if let Content::Mapped(mapped) = &mut self.content {
            mapped.report = Some(Box::new(report));
        }
    }

    /// The address of the first byte; never null, also for an object without bytes.
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// How many bytes the object has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the object has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the bytes are a copy that belongs to this view alone.
    pub fn is_copy(&self) -> bool {
        matches!(self.content, Content::Copied(_))
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let (index, place) = (self.pin.object().index, self.pin.place());
        let closed = self.window.close(index, place, &self.pin.store().scanner);
        if let (Closed::Restored(bytes), Some(report)) = (closed, self.report.take()) {
            report(bytes);
        }
        match closed {
            // SAFETY: dropped here and nowhere else, and not used after.
            Closed::Clean | Closed::Restored(_) => unsafe { ManuallyDrop::drop(&mut self.pin) },
            Closed::Stuck => {}
        }
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.content {
            Content::Mapped(_) => "mapped",
            Content::Copied(_) => "copied",
            Content::Shared(_) => "shared",
        };
        f.debug_struct("View")
            .field("kind", &kind)
            .field("len", &self.len)
            .finish()
    }
}
