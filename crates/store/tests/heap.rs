//! The store on the heap, without a system call: small enough to be run under miri.
//!
//! `MIRIFLAGS=-Zmiri-many-seeds=0..8 cargo +nightly miri test -p mobula-store --test heap`
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, thread};

use mobula_store::{Backing, Reader, Scan, Store, StoreConfig, ViewMode};

fn store(views: ViewMode) -> Arc<Store> {
    Store::new(StoreConfig {
        views,
        segment_bytes: 2 << 20,
        backing: Backing::Heap {
            bytes_max: u64::MAX,
        },
        scan: Scan::Never,
        ..StoreConfig::new(256 << 10)
    })
    .unwrap()
}

#[test]
fn an_object_goes_through_its_whole_life() {
    for views in [ViewMode::Private, ViewMode::Copy, ViewMode::Shared] {
        let store = store(views);
        let reader = Reader::new(&store);
        for len in [0, 1, 100, 5000, 20_000] {
            let mut draft = store.create(len).unwrap();
            draft.as_mut_slice().fill(1);
            draft
                .write(len / 2, &vec![2; (len - len / 2) as usize])
                .unwrap();
            let object = draft.seal();
            let pin = store.pin(object).unwrap();
            let clone = pin.clone();
            let view = reader.open(pin).unwrap();
            assert!(store.release(object));
            if views != ViewMode::Shared && len > 0 {
                // SAFETY: the view is open and nobody else uses its address.
                unsafe { view.as_ptr().write(9) };
            }
            assert!(clone.bytes().iter().all(|&byte| byte == 1 || byte == 2));
            drop(view);
            drop(clone);
            assert_eq!((store.stats().objects, store.stats().bytes), (0, 0));
        }
        drop(store.create(1000).unwrap());
        drop(store.create(100_000).unwrap());
        store.trim();
        assert_eq!((store.stats().bytes, store.stats().committed), (0, 0));
    }
}

#[test]
fn threads_pass_objects_on_while_their_maker_releases_them() {
    let store = store(ViewMode::Private);
    let reader = Reader::new(&store);
    for round in 0..4_u8 {
        for len in [100, 20_000] {
            let mut draft = store.create(len).unwrap();
            draft.as_mut_slice().fill(round);
            let object = draft.seal();
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    let (store, reader) = (Arc::clone(&store), Arc::clone(&reader));
                    thread::spawn(move || {
                        if let Ok(pin) = store.pin(object) {
                            assert!(pin.bytes().iter().all(|&byte| byte == round));
                            assert_eq!(reader.open(pin).unwrap().len() as u64, len);
                        }
                    })
                })
                .collect();
            assert!(store.release(object));
            for reader in readers {
                reader.join().unwrap();
            }
            assert_eq!(store.stats().bytes, 0);
        }
    }
}
