//! One isolate's window on the store.

use std::sync::Arc;

use mobula_sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Pin, Store, View, ViewMode, window::Window};

/// Opens views for one isolate: what it writes into them is seen by no other reader.
#[derive(Debug)]
pub struct Reader {
    store: Arc<Store>,
    window: Arc<Window>,
    retired: AtomicBool,
}

impl Reader {
    /// Makes a reader, with the private maps of a retired one if there are any.
    pub fn new(store: &Arc<Store>) -> Arc<Self> {
        let window = store.windows.lock().pop().unwrap_or_default();
        let store = Arc::clone(store);
        Arc::new(Self {
            store,
            window,
            retired: AtomicBool::new(false),
        })
    }

    /// Opens a view of a pinned object; the view keeps the pin, unless it is a copy.
    ///
    /// Costs a scan of the object's pages if other views of it are open in this reader.
    ///
    /// # Errors
    /// [`Error::is_out_of_memory`]: it had to be copied and there is no memory for that.
    /// [`Error::is_retired`]: after [`Reader::retire`]. [`Error::is_gone`]: the pin is one of
    /// another store.
    pub fn open(&self, pin: Pin) -> Result<View, Error> {
        // Relaxed: a reader that is being retired just now is as good as one that is not yet.
        if self.retired.load(Ordering::Relaxed) {
            return Err(Error::retired());
        }
        if !Arc::ptr_eq(pin.store(), &self.store) {
            return Err(Error::gone(pin.object()));
        }
        let place = pin.place();
        if place.len <= self.store.config.copy_bytes_max {
            return View::copied(&pin);
        }
        match self.store.config.views {
            ViewMode::Copy => View::copied(&pin),
            ViewMode::Shared => Ok(View::shared(pin)),
            ViewMode::Private => {
                let segment = self.store.segments.get(place.segment);
                let index = pin.object().index;
                match self
                    .window
                    .open(index, place, &segment, &self.store.scanner)
                {
                    Some(start) => Ok(View::mapped(start, Arc::clone(&self.window), pin)),
                    None => View::copied(&pin),
                }
            }
        }
    }

    /// Whether a view that is open in this reader still shows what was sealed, so that it can be given out again instead of
    /// another one. False for copies, and where writes cannot be told.
    ///
    /// Costs a scan of the object's pages.
    pub fn shows(&self, pin: &Pin) -> bool {
        let place = pin.place();
        match self.store.config.views {
            ViewMode::Private if place.len > self.store.config.copy_bytes_max => {
                self.window
                    .shows(pin.object().index, place, &self.store.scanner)
            }
            _ => false,
        }
    }

    /// The isolate has died: its private maps go to the next reader. Views that are still open stay
    /// good until they are dropped. Dropping the reader does the same.
    pub fn retire(&self) {
        if !self.retired.swap(true, Ordering::Relaxed) {
            self.store.windows.lock().push(Arc::clone(&self.window));
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.retire();
    }
}
