//! What the locks promise beyond the standard library's.
#![cfg(not(loom))]

use std::time::Duration;

use mobula_sync::{Arc, Condvar, Mutex, thread};

#[test]
fn a_panic_under_the_lock_does_not_close_it() {
    let mutex = Arc::new(Mutex::new(1));
    let other = Arc::clone(&mutex);
    let panicked = thread::spawn(move || {
        let mut value = other.lock();
        *value = 2;
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert_eq!(*mutex.lock(), 2);
    assert_eq!(mutex.try_lock().as_deref(), Some(&2));
}

#[test]
fn a_held_lock_cannot_be_tried() {
    let mutex = Mutex::new(1);
    let guard = mutex.lock();
    assert!(mutex.try_lock().is_none());
    drop(guard);
    assert!(mutex.try_lock().is_some());
}

#[test]
fn a_waiter_wakes_when_notified() {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let other = Arc::clone(&shared);
    let waiter = thread::spawn(move || {
        let (done, changed) = &*other;
        let mut guard = done.lock();
        while !*guard {
            guard = changed.wait(guard);
        }
    });
    *shared.0.lock() = true;
    shared.1.notify_all();
    assert!(waiter.join().is_ok());
}

#[test]
fn a_wait_ends_with_its_time() {
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    let mut guard = mutex.lock();
    // May wake for no reason before the time is over.
    loop {
        let (again, timed_out) = changed.wait_timeout(guard, Duration::from_millis(1));
        if timed_out {
            break;
        }
        guard = again;
    }
}
