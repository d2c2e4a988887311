//! Tasks that are generators: which stream belongs to which task, and what follows when something happens to one.
//!
//! The task's own slot stands for its end. Each item has a slot of the consumer's, which is a further return of the task until the item
//! is there. A stream is there for as long as its task's slot is.

use std::sync::Arc;

use mobula_sched::Key;
use mobula_sync::Mutex;
use mobula_sync::atomic::Ordering;

use crate::cancel::{Why, Wish};
use crate::cell::Body;
use crate::failure::{Failure, Kind};
use crate::functions::is_stream;
use crate::history::Stamp;
use crate::mailbox::Mailbox;
use crate::refs::{KeyMap, keys_of};
use crate::runtime::Runtime;
use crate::stream::{Answer, Leftover, Stream};
use crate::value::Value;

/// This bit of a slot's holders says that it is a stream whose producer may be at work, and is one of the holders.
pub(crate) const STREAM: u32 = 1 << 30;

/// Nothing can depend on an item that is not there, since nobody has a ref to it: when it was there concerns nobody.
const WHENEVER: Stamp = 0;

type Items = Stream<Value, Key, Arc<Failure>, Arc<Mailbox>>;
type Left = Leftover<Value, Key, Arc<Failure>>;

/// By task. A stream's own lock is held for a look at it, and nothing else is locked meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    by_task: Mutex<KeyMap<Arc<Mutex<Items>>>>,
}

impl Streams {
    fn find(&self, task: Key) -> Option<Arc<Mutex<Items>>> {
        self.by_task.lock().get(&task).cloned()
    }

    /// Looks at what was yielded, and not asked for yet.
    pub(crate) fn each_item(&self, mut look: impl FnMut(&Value)) {
        let all: Vec<_> = self.by_task.lock().values().cloned().collect();
        for stream in all {
            stream.lock().items().for_each(&mut look);
        }
    }
}

impl Runtime {
    /// A generator's call is submitted: before anybody can begin it, or ask for an item.
    pub(crate) fn open_stream(&self, task: Key, function: u32) {
        let definition = self.functions.get(function);
        let limit = definition.and_then(|definition| definition.terms.stream);
        let stream = Arc::new(Mutex::new(Stream::new(limit.unwrap_or(1))));
        self.streams.by_task.lock().insert(task, stream);
    }

    /// A run of a task has yielded its item of this number.
    pub(crate) fn yield_item(&self, task: Key, number: u64, mut value: Value) {
        self.retain_all(&value.refs);
        value.function = self.cell(task).function.load(Ordering::Relaxed);
        let Some(stream) = self.streams.find(task) else {
            // A generator that returns so many objects, and no stream.
            return match self.further_return(task, number) {
                Some(slot) => {
                    self.settle_return(slot, Body::Value(value), None, self.history.now());
                }
                None => self.release(keys_of(&value)),
            };
        };
        let taken_in = stream.lock().yielded(number, value);
        match taken_in {
            Ok(None) => {}
            Ok(Some((slot, value))) => {
                self.settle_return(slot, Body::Value(value), None, WHENEVER);
            }
            Err(value) => self.release(keys_of(&value)),
        }
    }

    /// A further return of a task stands for its next item. The asking isolate holds it.
    pub(crate) fn ask_item(&self, task: Key, slot: Key) {
        self.submit_returns(task, &[slot]);
        let answer = match self.streams.find(task) {
            Some(stream) => stream.lock().ask(slot),
            None => Answer::Over,
        };
        match answer {
            Answer::Later => {}
            Answer::Item(value) => self.settle_return(slot, Body::Value(value), None, WHENEVER),
            Answer::Over => self.settle_return(slot, Body::End, None, WHENEVER),
            Answer::Failed(failure) => self.fail(slot, failure),
        }
    }

    /// The consumer has taken so many of the items that it asked for: there is room for others.
    pub(crate) fn take_items(&self, task: Key, count: u32) {
        let Some(stream) = self.streams.find(task) else {
            return;
        };
        let producer = stream.lock().take(count);
        if let Some(producer) = producer {
            producer.resume(task);
        }
    }

    /// How many items more a run may yield that has yielded so many. With none a letter tells when that changes.
    pub(crate) fn room_in_stream(&self, task: Key, at: u64, producer: &Arc<Mailbox>) -> u64 {
        let stream = self.streams.find(task);
        stream.map_or(0, |stream| stream.lock().room(at, producer.clone()))
    }

    /// The run of a stream was in vain: the next one goes on from where it was.
    pub(crate) fn restart_stream(&self, task: Key) {
        if let Some(stream) = self.streams.find(task) {
            stream.lock().unpark();
        }
    }

    /// The producer has returned.
    pub(crate) fn finish_stream(&self, task: Key) {
        if let Some(stream) = self.streams.find(task) {
            let left = stream.lock().finish();
            self.see_to(left);
        }
    }

    /// The producer has failed. Gives the slot that is to fail with it, which waited for an item.
    pub(crate) fn fail_stream(&self, task: Key, failure: &Arc<Failure>) -> Option<Key> {
        let stream = self.streams.find(task)?;
        // Nobody wants what there is, either.
        let drops = matches!(failure.kind, Kind::Cancelled { .. });
        let mut left = stream.lock().fail(failure.clone(), drops);
        let failed = left.failed.take();
        self.see_to(left);
        failed.map(|(slot, share)| {
            self.let_go(share);
            slot
        })
    }

    /// Nobody asks for items any more: a producer that has not ended is to.
    pub(crate) fn leave_stream(&self, task: Key) {
        let wish = Wish {
            why: Why::Cancelled,
            is_forced: false,
            is_recursive: true,
        };
        self.cancel(task, wish);
        if let Some(stream) = self.streams.find(task) {
            let left = stream.lock().leave();
            self.see_to(left);
        }
    }

    /// Nobody holds the task of a stream any more. What its items held goes to `open`.
    pub(crate) fn forget_stream(&self, task: Key, open: &mut Vec<Key>) {
        let Some(stream) = self.streams.by_task.lock().remove(&task) else {
            return;
        };
        let mut left = stream.lock().leave();
        open.extend(left.dropped.drain(..).flat_map(|value| {
            let keys: Vec<Key> = keys_of(&value).collect();
            keys
        }));
        self.see_to(left);
    }

    /// A task is settled: its slot is held by those alone who ask for something.
    pub(crate) fn no_longer_streams(&self, task: Key, function: u32) {
        if is_stream(function) {
            // With the one in `release`, which sees the bit or all that was done before it was gone.
            self.cell(task).holders.fetch_and(!STREAM, Ordering::AcqRel);
        }
    }

    fn see_to(&self, left: Left) {
        debug_assert!(left.failed.is_none(), "a slot that fails is its taker's");
        for slot in left.over {
            self.settle_return(slot, Body::End, None, WHENEVER);
        }
        self.release(left.dropped.iter().flat_map(keys_of));
        if let Some(failure) = left.untold {
            self.let_go(failure);
        }
    }
}
