//! Slots with stable addresses: chunks that are made on first use and never move.

use mobula_sync::OnceLock;

/// Loom makes everything anew for each interleaving: small there.
const CHUNK_BITS: u32 = if cfg!(loom) { 3 } else { 12 };
const CHUNK: usize = 1 << CHUNK_BITS;
/// With 4,096 entries a chunk this bounds a slab at 67 million entries.
const CHUNKS_MAX: usize = if cfg!(loom) { 1 } else { 1 << 14 };

/// A growing array of `T` whose entries are reached by index and never move. Growing takes no lock from readers.
pub struct Slab<T> {
    chunks: Box<[OnceLock<Box<[T]>>]>,
}

impl<T> std::fmt::Debug for Slab<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slab")
            .field("capacity", &self.capacity())
            .finish()
    }
}

impl<T: Default> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: (0..CHUNKS_MAX).map(|_| OnceLock::new()).collect(),
        }
    }
}

impl<T> Slab<T> {
    /// Entries that exist now.
    pub fn capacity(&self) -> usize {
        self.chunks
            .iter()
            .take_while(|chunk| chunk.get().is_some())
            .count()
            * CHUNK
    }

    /// The entry, if its chunk exists.
    pub fn get(&self, index: u32) -> Option<&T> {
        let chunk = self.chunks.get((index >> CHUNK_BITS) as usize)?.get()?;
        chunk.get(index as usize & (CHUNK - 1))
    }
}

impl<T: Default> Slab<T> {
    /// The entry; its chunk is made if this is the first touch.
    ///
    /// # Panics
    /// Past 67 million entries: by then the process is out of memory.
    pub fn at(&self, index: u32) -> &T {
        let chunk = &self.chunks[(index >> CHUNK_BITS) as usize];
        let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| T::default()).collect());
        &chunk[index as usize & (CHUNK - 1)]
    }
}
