//! What readers see of objects, of their own writes, and of others'.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(target_os = "linux")]

use std::{sync::Arc, thread};

use mobula_store::{Backing, Object, Reader, Scan, Store, StoreConfig, View, ViewMode};

const MIB: u64 = 1 << 20;
const PAGE: usize = 4096;

fn config() -> StoreConfig {
    StoreConfig {
        segment_bytes: 8 * MIB,
        ..StoreConfig::new(8 * MIB)
    }
}

/// Runs a test with every way of finding written pages, and with every kind of pages.
fn with_every_scan(test: impl Fn(Arc<Store>, Scan)) {
    for scan in [Scan::Best, Scan::PageMap, Scan::Never] {
        for (backing, huge_pages) in [
            (Backing::File, true),
            (Backing::File, false),
            (Backing::Posix, true),
        ] {
            test(
                Store::new(StoreConfig {
                    scan,
                    backing,
                    huge_pages,
                    ..config()
                })
                .unwrap(),
                scan,
            );
        }
    }
}

fn put(store: &Arc<Store>, len: u64, byte: u8) -> Object {
    let mut draft = store.create(len).unwrap();
    draft.as_mut_slice().fill(byte);
    draft.seal()
}

fn open(reader: &Reader, store: &Arc<Store>, object: Object) -> View {
    reader.open(store.pin(object).unwrap()).unwrap()
}

fn read(view: &View) -> Vec<u8> {
    // SAFETY: the view is open, and the test uses it from one thread at a time.
    unsafe { std::slice::from_raw_parts(view.as_ptr(), view.len()) }.to_vec()
}

fn write(view: &View, at: usize, byte: u8) {
    assert!(at < view.len());
    // SAFETY: in the view, which is open and used from one thread at a time.
    unsafe { view.as_ptr().add(at).write(byte) }
}

fn all(view: &View, byte: u8) -> bool {
    read(view).iter().all(|&seen| seen == byte)
}

#[test]
fn a_reader_sees_what_was_sealed_without_a_copy() {
    with_every_scan(|store, scan| {
        let reader = Reader::new(&store);
        let object = put(&store, MIB, 1);
        let view = open(&reader, &store, object);
        assert!(!view.is_copy() && all(&view, 1), "{scan:?}");
        assert!(view.as_ptr().addr().is_multiple_of(PAGE));
        assert_eq!(store.stats().pins, 1);
        drop(view);
        assert_eq!(store.stats().pins, 0);
    });
}

#[test]
fn a_write_is_seen_by_its_reader_alone_and_undone_at_the_end() {
    with_every_scan(|store, scan| {
        let (one, two) = (Reader::new(&store), Reader::new(&store));
        let object = put(&store, MIB, 1);
        let (mine, other) = (open(&one, &store, object), open(&two, &store, object));
        write(&mine, 0, 9);
        write(&mine, MIB as usize - 1, 9);
        assert_eq!((read(&mine)[0], read(&mine)[1]), (9, 1), "{scan:?}");
        assert!(all(&other, 1), "{scan:?}");
        assert!(
            store
                .pin(object)
                .unwrap()
                .bytes()
                .iter()
                .all(|&byte| byte == 1),
            "{scan:?}"
        );
        drop(mine);
        assert!(all(&open(&one, &store, object), 1), "{scan:?}");
    });
}

#[test]
fn what_a_dead_view_wrote_never_hides_a_later_object() {
    with_every_scan(|store, scan| {
        let reader = Reader::new(&store);
        let mut address = None;
        for round in 0..50 {
            let object = put(&store, 200_000, round);
            let place = store.pin(object).unwrap().bytes().as_ptr();
            assert_eq!(
                *address.get_or_insert(place),
                place,
                "the same place each time"
            );
            let view = open(&reader, &store, object);
            assert!(!view.is_copy());
            assert!(all(&view, round), "{scan:?}: stale bytes in round {round}");
            for page in (0..view.len()).step_by(3 * PAGE) {
                write(&view, page, 255);
            }
            // The object may go before the view does.
            assert!(store.release(object));
            drop(view);
            assert_eq!(store.stats().objects, 0);
        }
    });
}

#[test]
fn restoring_one_object_leaves_its_neighbours_writes_alone() {
    with_every_scan(|store, scan| {
        let reader = Reader::new(&store);
        let objects: Vec<Object> = (0..3).map(|byte| put(&store, 20_000, byte)).collect();
        let views: Vec<View> = objects
            .iter()
            .map(|object| open(&reader, &store, *object))
            .collect();
        for view in &views {
            write(view, 0, 100);
            write(view, 19_999, 100);
        }
        let [before, middle, behind] = <[View; 3]>::try_from(views).unwrap();
        drop(middle);
        for view in [&before, &behind] {
            assert_eq!((read(view)[0], read(view)[19_999]), (100, 100), "{scan:?}");
        }
        assert!(all(&open(&reader, &store, objects[1]), 1));
    });
}

#[test]
fn a_newcomer_never_sees_what_an_open_view_wrote() {
    with_every_scan(|store, scan| {
        let reader = Reader::new(&store);
        let object = put(&store, MIB, 1);
        let first = open(&reader, &store, object);
        let second = open(&reader, &store, object);
        // Without a scan nobody knows that the pages are clean.
        assert_eq!(second.is_copy(), scan == Scan::Never);
        if !second.is_copy() {
            assert_eq!(second.as_ptr(), first.as_ptr());
        }
        write(&first, PAGE, 9);
        let third = open(&reader, &store, object);
        assert!(third.is_copy() && all(&third, 1), "{scan:?}");
        write(&third, 0, 7);
        assert_eq!(read(&first)[0], 1, "{scan:?}: a copy is its own");
        // The writes last as long as any view of the pages does.
        drop(first);
        assert_eq!(
            read(&second)[PAGE],
            if second.is_copy() { 1 } else { 9 },
            "{scan:?}"
        );
        drop(second);
        let fourth = open(&reader, &store, object);
        assert!(!fourth.is_copy() && all(&fourth, 1), "{scan:?}");
    });
}

#[test]
fn a_copy_does_not_keep_the_object() {
    let store = Store::new(config()).unwrap();
    let reader = Reader::new(&store);
    for len in [0, 1, 64, 100, 16_384] {
        let object = put(&store, len, 3);
        let view = open(&reader, &store, object);
        assert!(view.is_copy() && view.len() as u64 == len && all(&view, 3));
        assert!(view.as_ptr().addr().is_multiple_of(64));
        assert!(store.release(object));
        assert_eq!(store.stats().objects, 0);
        assert!(all(&view, 3));
    }
}

#[test]
fn an_equal_write_counts_as_a_write() {
    let store = Store::new(config()).unwrap();
    let reader = Reader::new(&store);
    let object = put(&store, MIB, 1);
    let view = open(&reader, &store, object);
    write(&view, 5, 1);
    assert!(open(&reader, &store, object).is_copy());
}

#[test]
fn views_may_be_dropped_on_any_thread() {
    with_every_scan(|store, scan| {
        let reader = Reader::new(&store);
        for round in 0..20 {
            let object = put(&store, MIB, round);
            let view = open(&reader, &store, object);
            write(&view, 0, 255);
            assert!(store.release(object));
            thread::spawn(move || drop(view)).join().unwrap();
            let stats = store.stats();
            assert_eq!(
                (stats.objects, stats.pins, stats.bytes),
                (0, 0, 0),
                "{scan:?}"
            );
        }
    });
}

#[test]
fn the_next_reader_takes_over_a_dead_ones_maps_but_not_its_writes() {
    with_every_scan(|store, scan| {
        let object = put(&store, MIB, 1);
        let dead = Reader::new(&store);
        let late = open(&dead, &store, object);
        let address = late.as_ptr();
        write(&late, 0, 9);
        dead.retire();
        dead.retire();
        assert!(
            dead.open(store.pin(object).unwrap())
                .unwrap_err()
                .is_retired()
        );
        drop(dead);

        let next = Reader::new(&store);
        let other = Reader::new(&store);
        let view = open(&next, &store, object);
        assert!(
            view.is_copy() && all(&view, 1),
            "{scan:?}: the dead one's view is still open"
        );
        assert!(all(&open(&other, &store, object), 1), "{scan:?}");
        drop(late);
        let view = open(&next, &store, object);
        assert!(!view.is_copy() && all(&view, 1), "{scan:?}");
        assert_eq!(view.as_ptr(), address, "{scan:?}: the same map");
        let elsewhere = open(&other, &store, object);
        assert_ne!(elsewhere.as_ptr(), address, "a window is taken over once");
    });
}

#[test]
fn locked_pages_are_restored_too() {
    let store = Store::new(config()).unwrap();
    let reader = Reader::new(&store);
    let object = put(&store, 32 << 10, 1);
    let view = open(&reader, &store, object);
    // SAFETY: the range is the view's own; locking changes nothing about its bytes.
    unsafe { rustix::mm::mlock(view.as_ptr().cast(), view.len()) }.unwrap();
    write(&view, 0, 9);
    drop(view);
    let view = open(&reader, &store, object);
    assert!(!view.is_copy() && all(&view, 1));
}

#[test]
fn the_mode_decides_how_large_objects_are_seen() {
    for (views, backing, copy, same) in [
        (ViewMode::Private, Backing::File, false, false),
        (ViewMode::Copy, Backing::File, true, false),
        (ViewMode::Shared, Backing::File, false, true),
        // The heap cannot be mapped a second time.
        (
            ViewMode::Private,
            Backing::Heap {
                bytes_max: u64::MAX,
            },
            true,
            false,
        ),
        (
            ViewMode::Shared,
            Backing::Heap {
                bytes_max: u64::MAX,
            },
            false,
            true,
        ),
    ] {
        let store = Store::new(StoreConfig {
            views,
            backing,
            ..config()
        })
        .unwrap();
        let reader = Reader::new(&store);
        let object = put(&store, MIB, 1);
        let pin = store.pin(object).unwrap();
        let view = open(&reader, &store, object);
        assert_eq!(view.is_copy(), copy, "{views:?}");
        assert_eq!(
            view.as_ptr().cast_const() == pin.bytes().as_ptr(),
            same,
            "{views:?}"
        );
        assert!(all(&view, 1));
        drop(pin);
        assert_eq!(store.stats().pins, u64::from(!copy));
        drop(view);
        assert_eq!(store.stats().pins, 0);
    }
}

#[test]
fn the_limit_of_copying_can_be_raised_but_not_lowered() {
    for (copy_bytes_max, len, copy) in [
        (0, 16 << 10, true),
        (0, 17 << 10, false),
        (MIB, MIB, true),
        (MIB, MIB + 1, false),
    ] {
        let store = Store::new(StoreConfig {
            copy_bytes_max,
            ..config()
        })
        .unwrap();
        let object = put(&store, len, 1);
        assert_eq!(
            open(&Reader::new(&store), &store, object).is_copy(),
            copy,
            "{len}"
        );
    }
}

#[test]
fn a_pin_of_another_store_is_refused() {
    let (one, two) = (Store::new(config()).unwrap(), Store::new(config()).unwrap());
    let pin = one.pin(put(&one, MIB, 1)).unwrap();
    assert!(Reader::new(&two).open(pin).unwrap_err().is_gone());
    assert_eq!(one.stats().pins, 0);
}

#[test]
fn a_view_opened_before_a_trim_stays_as_it_is() {
    let store = Store::new(config()).unwrap();
    let reader = Reader::new(&store);
    let (kept, gone) = (put(&store, 2 * MIB, 1), put(&store, 4 * MIB, 2));
    let view = open(&reader, &store, kept);
    drop(open(&reader, &store, gone));
    write(&view, 0, 9);
    assert!(store.release(gone));
    store.trim();
    assert_eq!((read(&view)[0], read(&view)[1]), (9, 1));
    let object = put(&store, 4 * MIB, 3);
    assert!(all(&open(&reader, &store, object), 3));
}

#[test]
fn many_written_pages_are_all_found() {
    with_every_scan(|store, scan| {
        let reader = Reader::new(&store);
        let len = 4 * MIB;
        let object = put(&store, len, 1);
        let view = open(&reader, &store, object);
        // Every other page: many more ranges than one call returns.
        for page in (0..len as usize).step_by(2 * PAGE) {
            write(&view, page, 9);
        }
        drop(view);
        assert!(all(&open(&reader, &store, object), 1), "{scan:?}");
    });
}

#[test]
fn writes_are_reported_by_the_last_view_if_they_can_be_told() {
    use std::sync::atomic::{AtomicU64, Ordering};

    with_every_scan(|store, scan| {
        let object = put(&store, 10 * PAGE as u64, 7);
        let reader = Reader::new(&store);
        let reported = Arc::new(AtomicU64::new(0));
        let watched = || {
            let mut view = open(&reader, &store, object);
            let reported = Arc::clone(&reported);
            view.report_writes(move |bytes| {
                reported.fetch_add(bytes, Ordering::Relaxed);
            });
            view
        };
        let clean = watched();
        drop(clean);
        assert_eq!(reported.load(Ordering::Relaxed), 0);
        let (first, second) = (watched(), watched());
        write(&first, 0, 1);
        write(&first, 5 * PAGE, 1);
        drop(first);
        assert_eq!(reported.load(Ordering::Relaxed), 0, "another view is open");
        drop(second);
        let expected = if scan == Scan::Never {
            0
        } else {
            2 * PAGE as u64
        };
        assert_eq!(reported.load(Ordering::Relaxed), expected);
        assert!(all(&open(&reader, &store, object), 7));
    });
}

#[test]
fn an_open_view_can_be_given_out_again_until_it_is_written() {
    with_every_scan(|store, scan| {
        let object = put(&store, 10 * PAGE as u64, 7);
        let reader = Reader::new(&store);
        let pin = store.pin(object).unwrap();
        assert!(!reader.shows(&pin), "none is open");
        let view = open(&reader, &store, object);
        assert_eq!(reader.shows(&pin), scan != Scan::Never);
        assert!(!Reader::new(&store).shows(&pin), "not in another reader");
        write(&view, 5, 1);
        assert!(!reader.shows(&pin));
        drop(view);
        assert!(!reader.shows(&pin));
        let small = put(&store, 100, 7);
        let _copy = open(&reader, &store, small);
        assert!(!reader.shows(&store.pin(small).unwrap()));
    });
}
