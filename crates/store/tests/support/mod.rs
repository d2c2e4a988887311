//! What tests that spill have in common: a directory of their own, and objects told by their bytes.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod threads;

use std::{fs, path::PathBuf, sync::Arc};

use mobula_store::{Object, Pin, Store, StoreConfig};

pub(crate) const MIB: u64 = 1 << 20;

/// A directory that is gone, and must have stayed empty, at the end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mobula-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn store(&self, capacity: u64) -> Arc<Store> {
        Store::new(self.config(capacity)).unwrap()
    }

    pub(crate) fn config(&self, capacity: u64) -> StoreConfig {
        StoreConfig {
            spill: Some(self.0.clone()),
            ..StoreConfig::new(capacity)
        }
    }

    /// The files without a name that this process has open here.
    #[cfg(target_os = "linux")]
    pub(crate) fn nameless(&self) -> Vec<PathBuf> {
        let open = fs::read_dir("/proc/self/fd").unwrap();
        open.map(|entry| entry.unwrap().path())
            .filter(|path| fs::read_link(path).is_ok_and(|link| link.starts_with(&self.0)))
            .collect()
    }

    /// The spill file of the one store that uses this directory.
    #[cfg(target_os = "linux")]
    pub(crate) fn spill_file(&self) -> fs::File {
        let nameless = self.nameless();
        assert_eq!(nameless.len(), 1);
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).open(&nameless[0]).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Fails if anything is in it.
        let removed = fs::remove_dir(&self.0);
        if !std::thread::panicking() {
            removed.unwrap();
        }
    }
}

/// The bytes of the object with this seed: no two pages are alike.
pub(crate) fn pattern(seed: u64, len: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..len.div_ceil(8))
        .flat_map(|at| {
            (seed << 32 | at)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .to_le_bytes()
        })
        .collect();
    bytes.truncate(len as usize);
    bytes
}

pub(crate) fn put(store: &Arc<Store>, seed: u64, len: u64) -> Object {
    let mut draft = store.create(len).unwrap();
    draft.write(0, &pattern(seed, len)).unwrap();
    draft.seal()
}

pub(crate) fn check(pin: &Pin, seed: u64, len: u64) {
    assert!(
        pin.bytes() == pattern(seed, len),
        "object {seed} has changed"
    );
}
