//! What a generator yields, on its way to the one who asks for it: in order, and never more of it than there is room for.
//!
//! ```text
//!              produced ─ taken < limit: the producer goes on
//!            ╭────────────────────────────────────────────────╮
//!  yields ──▶│ items: yielded, and not asked for yet          │──▶ a slot each
//!            │ asked: slots that wait for items not there yet │◀── asks
//!            ╰────────────────────────────────────────────────╯
//!   one of the two is empty; when it has ended both are, as soon as the items are asked for
//! ```
//! Plain data, under its owner's lock. Values, failures and slots are whatever the owner makes of them.

use std::collections::VecDeque;

/// `V`: an item; `S`: the slot that waits for one; `F`: why there are no more; `W`: whom to tell that there is room.
#[derive(Debug)]
pub(crate) struct Stream<V, S, F, W> {
    limit: u64,
    /// Items that were taken in, of all runs.
    produced: u64,
    /// Items that the consumer has taken.
    taken: u64,
    items: VecDeque<V>,
    asked: VecDeque<S>,
    end: Option<End<F>>,
    parked: Option<Parked<W>>,
}

#[derive(Debug)]
enum End<F> {
    /// Nothing comes after the items.
    Over,
    /// After them one failure, and nothing then.
    Failed(F),
}

/// A run that has no room to go on.
#[derive(Debug)]
struct Parked<W> {
    at: u64,
    waker: W,
}

/// What there is for one who asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer<V, F> {
    /// The next item.
    Item(V),
    /// It failed here.
    Failed(F),
    /// It is over.
    Over,
    /// Not there yet: the slot waits.
    Later,
}

/// What is left of a stream that has ended, for the owner to see to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leftover<V, S, F> {
    /// This slot gets the failure, if one waited for an item.
    pub(crate) failed: Option<(S, F)>,
    /// These get nothing more.
    pub(crate) over: Vec<S>,
    /// Nobody asks for these any more.
    pub(crate) dropped: Vec<V>,
    /// The failure that nobody is told of.
    pub(crate) untold: Option<F>,
}

impl<V, S, F, W> Stream<V, S, F, W> {
    /// So many items at most are there that nobody has taken.
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit: u64::from(limit),
            produced: 0,
            taken: 0,
            items: VecDeque::new(),
            asked: VecDeque::new(),
            end: None,
            parked: None,
        }
    }

    /// A run has yielded its item of this number. `Ok`: it is the slot's that waits longest, or kept. `Err`: it was there in an
    /// earlier run, or nobody wants it any more.
    pub(crate) fn yielded(&mut self, number: u64, item: V) -> Result<Option<(S, V)>, V> {
        if number < self.produced || self.end.is_some() {
            return Err(item);
        }
        self.produced += 1;
        match self.asked.pop_front() {
            Some(slot) => Ok(Some((slot, item))),
            None => {
                self.items.push_back(item);
                Ok(None)
            }
        }
    }

    /// Somebody asks for the next item.
    pub(crate) fn ask(&mut self, slot: S) -> Answer<V, F> {
        if let Some(item) = self.items.pop_front() {
            return Answer::Item(item);
        }
        match self.end.take() {
            None => {
                self.asked.push_back(slot);
                Answer::Later
            }
            Some(end) => {
                self.end = Some(End::Over);
                match end {
                    End::Over => Answer::Over,
                    End::Failed(failure) => Answer::Failed(failure),
                }
            }
        }
    }

    /// The consumer has taken so many of the items that were asked for. Gives whom to tell that there is room now.
    pub(crate) fn take(&mut self, count: u32) -> Option<W> {
        self.taken += u64::from(count);
        let room = self.taken + self.limit;
        self.parked
            .take_if(|parked| parked.at < room)
            .map(|parked| parked.waker)
    }

    /// How many items more a run may yield that has yielded so many. With none it is told when that changes.
    pub(crate) fn room(&mut self, at: u64, waker: W) -> u64 {
        let room = (self.taken + self.limit).saturating_sub(at);
        self.parked = (room == 0).then_some(Parked { at, waker });
        room
    }

    /// The run that was parked is none any more.
    pub(crate) fn unpark(&mut self) {
        self.parked = None;
    }

    /// The producer has returned.
    pub(crate) fn finish(&mut self) -> Leftover<V, S, F> {
        let over = self.close(End::Over);
        Leftover {
            over,
            ..Leftover::default()
        }
    }

    /// The producer has failed. What it yielded before that can be had still, unless it `drops` that.
    pub(crate) fn fail(&mut self, failure: F, drops: bool) -> Leftover<V, S, F> {
        if self.end.is_some() {
            return Leftover {
                untold: Some(failure),
                ..Leftover::default()
            };
        }
        let dropped = match drops {
            true => std::mem::take(&mut self.items).into(),
            false => Vec::new(),
        };
        let (failed, end) = match self.asked.pop_front() {
            Some(slot) => (Some((slot, failure)), End::Over),
            None => (None, End::Failed(failure)),
        };
        let over = self.close(end);
        Leftover {
            failed,
            over,
            dropped,
            untold: None,
        }
    }

    /// Nobody asks any more.
    pub(crate) fn leave(&mut self) -> Leftover<V, S, F> {
        let dropped = std::mem::take(&mut self.items).into();
        let untold = match self.end.take() {
            Some(End::Failed(failure)) => Some(failure),
            _ => None,
        };
        Leftover {
            over: self.close(End::Over),
            dropped,
            failed: None,
            untold,
        }
    }

    fn close(&mut self, end: End<F>) -> Vec<S> {
        self.parked = None;
        if self.end.is_none() {
            self.end = Some(end);
        }
        std::mem::take(&mut self.asked).into()
    }

    /// Items that were yielded, and not asked for yet.
    pub(crate) fn items(&self) -> impl Iterator<Item = &V> {
        self.items.iter()
    }
}

impl<V, S, F> Default for Leftover<V, S, F> {
    fn default() -> Self {
        Self {
            failed: None,
            over: Vec::new(),
            dropped: Vec::new(),
            untold: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Plain = Stream<u64, u32, &'static str, ()>;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// The run goes on as far as there is room, by so many items at most.
        Produce(u64),
        /// It begins again.
        Retry,
        Ask,
        Take,
        Finish,
        Fail {
            drops: bool,
        },
        Leave,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (1u64..6).prop_map(Step::Produce),
            1 => Just(Step::Retry),
            6 => Just(Step::Ask),
            6 => Just(Step::Take),
            1 => Just(Step::Finish),
            1 => any::<bool>().prop_map(|drops| Step::Fail { drops }),
            1 => Just(Step::Leave),
        ]
    }

    /// What slots came to, in the order of the asking: `Ok`, an item; `Err`, the failure; `None`, the end.
    #[derive(Debug, Default)]
    struct Slots(Vec<Option<Option<Result<u64, &'static str>>>>);

    impl Slots {
        fn settle(&mut self, slot: u32, with: Option<Result<u64, &'static str>>) {
            let slot = &mut self.0[slot as usize];
            assert_eq!(*slot, None, "a slot is settled once");
            *slot = Some(with);
        }

        fn leftover(&mut self, left: Leftover<u64, u32, &'static str>) -> Vec<u64> {
            if let Some((slot, failure)) = left.failed {
                self.settle(slot, Some(Err(failure)));
            }
            for slot in left.over {
                self.settle(slot, None);
            }
            left.dropped
        }
    }

    proptest! {
        #[test]
        fn items_come_in_order_once_and_never_more_than_there_is_room_for(
            limit in 1u32..6,
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let mut stream = Plain::new(limit);
            let mut slots = Slots::default();
            // Of the run, of all runs, by the consumer.
            let (mut at, mut produced, mut taken) = (0u64, 0u64, 0u64);
            let mut parked = false;
            let mut ended = false;
            let mut dropped = Vec::new();
            for step in steps {
                match step {
                    Step::Produce(most) => {
                        for _ in 0..most {
                            if ended {
                                prop_assert_eq!(stream.yielded(at, at), Err(at));
                                break;
                            }
                            let room = stream.room(at, ());
                            prop_assert_eq!(room, (taken + u64::from(limit)).saturating_sub(at));
                            parked = room == 0;
                            if parked {
                                break;
                            }
                            let is_new = at >= produced;
                            match stream.yielded(at, at) {
                                Ok(Some((slot, item))) => slots.settle(slot, Some(Ok(item))),
                                Ok(None) => prop_assert!(is_new),
                                Err(_) => prop_assert!(!is_new),
                            }
                            at += 1;
                            produced = produced.max(at);
                        }
                    }
                    Step::Retry => {
                        stream.unpark();
                        (at, parked) = (0, false);
                    }
                    Step::Ask => {
                        let slot = slots.0.len() as u32;
                        slots.0.push(None);
                        match stream.ask(slot) {
                            Answer::Item(item) => slots.settle(slot, Some(Ok(item))),
                            Answer::Failed(failure) => slots.settle(slot, Some(Err(failure))),
                            Answer::Over => slots.settle(slot, None),
                            Answer::Later => prop_assert!(!ended),
                        }
                    }
                    Step::Take if taken < slots.0.len() as u64 => {
                        taken += 1;
                        let wakes = stream.take(1).is_some();
                        prop_assert_eq!(wakes, parked && !ended && at < taken + u64::from(limit));
                        parked &= !wakes;
                    }
                    Step::Take => {}
                    Step::Finish if !ended => {
                        let left = stream.finish();
                        dropped.extend(slots.leftover(left));
                        ended = true;
                    }
                    Step::Fail { drops } if !ended => {
                        let left = stream.fail("failed", drops);
                        prop_assert!(drops || left.dropped.is_empty());
                        dropped.extend(slots.leftover(left));
                        ended = true;
                    }
                    Step::Finish | Step::Fail { .. } => {}
                    Step::Leave => {
                        let left = stream.leave();
                        dropped.extend(slots.leftover(left));
                        ended = true;
                    }
                }
                if ended {
                    parked = false;
                }
                // One of the two queues is always empty.
                prop_assert!(stream.items.is_empty() || stream.asked.is_empty());
                prop_assert!(produced <= taken + u64::from(limit));
            }
            // Items as they were yielded, then at most one failure, then the end alone; what waits waits behind all of them.
            let settled: Vec<_> = slots.0.iter().map_while(|slot| *slot).collect();
            prop_assert!(slots.0[settled.len()..].iter().all(Option::is_none));
            let items: Vec<u64> = settled.iter().map_while(|with| with.and_then(Result::ok)).collect();
            prop_assert_eq!(&items, &(0..items.len() as u64).collect::<Vec<_>>());
            let mut rest = settled[items.len()..].iter();
            let failures = rest.clone().filter(|with| matches!(with, Some(Err(_)))).count();
            prop_assert!(failures <= 1);
            if failures == 1 {
                prop_assert_eq!(rest.next(), Some(&Some(Err("failed"))));
            }
            prop_assert!(rest.all(Option::is_none));
            // Nothing is lost: what nobody got is there still, or was dropped.
            let kept: Vec<u64> = stream.items().copied().collect();
            prop_assert_eq!(items.len() + kept.len() + dropped.len(), produced as usize);
        }
    }

    #[test]
    fn a_parked_run_is_told_by_the_one_item_that_makes_room() {
        let mut stream = Stream::<u64, u32, (), &str>::new(2);
        for item in 0..2 {
            assert_eq!(stream.room(item, "run"), 2 - item);
            assert_eq!(stream.yielded(item, item), Ok(None));
        }
        assert_eq!(stream.room(2, "run"), 0);
        assert_eq!(stream.ask(0), Answer::Item(0));
        assert_eq!(stream.take(1), Some("run"));
        assert_eq!(stream.take(1), None);
    }

    #[test]
    fn a_run_that_is_gone_is_told_nothing() {
        let mut stream = Stream::<u64, u32, (), &str>::new(1);
        assert_eq!(stream.yielded(0, 0), Ok(None));
        assert_eq!(stream.room(1, "first"), 0);
        stream.unpark();
        assert_eq!(stream.room(0, "second"), 1);
        assert_eq!(stream.take(1), None);
    }
}
