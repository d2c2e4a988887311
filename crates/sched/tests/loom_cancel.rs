//! Every interleaving of handing a task out and cancelling it: either nobody begins it, or who cancels it learns which worker has.
//! Drives the `Table` and the `Claims` that ship; `hand_out`, `take` and `cancel` are the steps of the runtime's `start_round`,
//! `Seat::take` and `stop_code`, and the mutants, which must fail, leave out one of them each.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-sched --release --test loom_cancel`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::thread;
use mobula_sched::{Claims, Key, Phase, Table, Words};
use mobula_sync::atomic::{AtomicU32, Ordering, fence};

/// What may be left out.
#[derive(Clone, Copy)]
struct Steps {
    worker_has_fence: bool,
    canceller_has_fence: bool,
    /// Who is handed the task looks at its phase once more.
    looks_again: bool,
    /// The place is written before that look.
    writes_first: bool,
}

const ALL: Steps = Steps {
    worker_has_fence: true,
    canceller_has_fence: true,
    looks_again: true,
    writes_first: true,
};

/// One ready task, which was last handed to worker 1.
struct Fixture {
    steps: Steps,
    table: Table,
    key: Key,
    claims: [Claims; 2],
    place: AtomicU32,
    /// How often what the task was given for its run was taken from it again, unused.
    withdrawn: AtomicU32,
}

/// What a canceller made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It was not handed out.
    Queued,
    TakenBack,
    /// This worker may have begun it, and is told.
    Told(usize),
}

impl Fixture {
    fn new(steps: Steps) -> Arc<Self> {
        let table = Table::new();
        let key = table.reserve();
        assert!(table.advance(key, Phase::New, Phase::Ready));
        let words = Arc::new(Words::new(2));
        Arc::new(Self {
            steps,
            table,
            key,
            claims: [0, 1].map(|place| Claims::new(words.clone(), place)),
            place: AtomicU32::new(1),
            withdrawn: AtomicU32::new(0),
        })
    }

    fn is_in(&self, phase: Phase) -> bool {
        self.table.phase(self.key) == Some(phase)
    }

    fn withdraw(&self) {
        self.withdrawn.fetch_add(1, Ordering::Relaxed);
    }

    /// The task's place is this worker's, and whoever settles it later finds it here. False: it was settled before.
    fn settle_in(&self, place: usize, phase: Phase, is_handed_out: impl FnOnce()) -> bool {
        let write = || self.place.store(place as u32, Ordering::Relaxed);
        if self.steps.writes_first {
            write();
        }
        is_handed_out();
        if self.steps.worker_has_fence {
            fence(Ordering::SeqCst);
        }
        let is_wanted = !self.steps.looks_again || self.is_in(phase);
        if !self.steps.writes_first {
            write();
        }
        is_wanted
    }

    /// A worker is handed the task in a round; the number of the round, if it got the task.
    fn hand_out(&self, place: usize) -> Option<u32> {
        if !self.table.advance(self.key, Phase::Ready, Phase::Offered) {
            return None;
        }
        let claims = &self.claims[place];
        let mut round = 0;
        let is_wanted = self.settle_in(place, Phase::Offered, || {
            round = claims.start_round(&[self.key], Instant::now());
        });
        if !is_wanted && claims.take_one(self.key) {
            self.withdraw();
        }
        Some(round)
    }

    /// True if the worker has begun it.
    fn run(&self, place: usize) -> bool {
        let round = self.hand_out(place);
        round.is_some_and(|round| self.claims[place].begin(0, round))
    }

    /// The same for a thread that waits for this very task.
    fn take(&self, place: usize) -> bool {
        if !self.table.advance(self.key, Phase::Ready, Phase::Running) {
            return false;
        }
        let is_wanted = self.settle_in(place, Phase::Running, || ());
        if !is_wanted {
            self.withdraw();
        }
        is_wanted
    }

    fn cancel(&self) -> Verdict {
        let before = self.table.resolve_failed(self.key, &mut Vec::new());
        if self.steps.canceller_has_fence {
            fence(Ordering::SeqCst);
        }
        let place = self.place.load(Ordering::Relaxed) as usize;
        match before.expect("it is cancelled once") {
            Phase::Offered if self.claims[place].take_one(self.key) => {
                self.withdraw();
                Verdict::TakenBack
            }
            Phase::Offered | Phase::Running => Verdict::Told(place),
            _ => Verdict::Queued,
        }
    }

    /// The task was begun on these workers, and cancelled. It was granted so often what it needs.
    fn ends_with(&self, begun: &[usize], verdict: Verdict, granted: u32) {
        assert!(self.is_in(Phase::Failed));
        assert!(begun.len() <= 1, "it is begun twice: {begun:?}");
        for place in begun {
            assert_eq!(verdict, Verdict::Told(*place), "who runs it is told");
        }
        assert_eq!(
            self.withdrawn.load(Ordering::Relaxed),
            granted - begun.len() as u32,
            "what it has is taken back once, or held by its code"
        );
    }
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

fn canceller(fixture: &Arc<Fixture>) -> thread::JoinHandle<Verdict> {
    let fixture = fixture.clone();
    thread::spawn(move || fixture.cancel())
}

fn hand_out_and_cancel(steps: Steps) {
    check(move || {
        let fixture = Fixture::new(steps);
        let canceller = canceller(&fixture);
        let begun = fixture.run(0);
        let verdict = canceller.join().unwrap();
        let granted = u32::from(verdict != Verdict::Queued);
        let begun: &[usize] = if begun { &[0] } else { &[] };
        fixture.ends_with(begun, verdict, granted);
    });
}

fn take_and_cancel(steps: Steps) {
    check(move || {
        let fixture = Fixture::new(steps);
        let canceller = canceller(&fixture);
        let begun = fixture.take(0);
        let verdict = canceller.join().unwrap();
        let granted = u32::from(verdict != Verdict::Queued);
        let begun: &[usize] = if begun { &[0] } else { &[] };
        fixture.ends_with(begun, verdict, granted);
    });
}

#[test]
fn a_task_that_is_handed_out_while_it_is_cancelled_is_not_begun_or_its_worker_told() {
    hand_out_and_cancel(ALL);
}

#[test]
fn a_task_that_is_run_inside_of_a_wait_while_it_is_cancelled_is_not_begun_or_its_worker_told() {
    take_and_cancel(ALL);
}

#[test]
fn a_task_that_a_thief_hands_on_while_it_is_cancelled_is_not_begun_or_the_right_worker_told() {
    check(|| {
        let fixture = Fixture::new(ALL);
        let round = fixture.hand_out(1).unwrap();
        let canceller = canceller(&fixture);
        let thief = thread::spawn({
            let fixture = fixture.clone();
            move || {
                let mut taken = Vec::new();
                fixture.claims[1].take_back(Duration::ZERO, true, &mut taken);
                if taken.is_empty() {
                    return false;
                }
                fixture.withdraw();
                let table = &fixture.table;
                table.advance(fixture.key, Phase::Offered, Phase::Ready) && fixture.run(0)
            }
        });
        let mut begun = Vec::new();
        if fixture.claims[1].begin(0, round) {
            begun.push(1);
        }
        if thief.join().unwrap() {
            begun.push(0);
        }
        let verdict = canceller.join().unwrap();
        assert!(fixture.is_in(Phase::Failed));
        assert!(begun.len() <= 1, "it is begun twice: {begun:?}");
        for place in begun {
            assert_eq!(verdict, Verdict::Told(place), "who runs it is told");
        }
    });
}

/// Who was handed the task begins it though it was settled meanwhile, when its place was not written yet.
#[test]
#[should_panic(expected = "who runs it is told")]
fn without_the_second_look_a_cancelled_task_is_begun() {
    hand_out_and_cancel(Steps {
        looks_again: false,
        ..ALL
    });
}

/// The same inside of a wait.
#[test]
#[should_panic(expected = "who runs it is told")]
fn without_the_second_look_a_cancelled_task_is_begun_inside_of_a_wait() {
    take_and_cancel(Steps {
        looks_again: false,
        ..ALL
    });
}

/// Each writes and then reads what the other wrote: without the fences both may miss it.
#[test]
#[should_panic(expected = "who runs it is told")]
fn without_the_workers_fence_both_miss_each_other() {
    take_and_cancel(Steps {
        worker_has_fence: false,
        ..ALL
    });
}

/// The same for the other.
#[test]
#[should_panic(expected = "who runs it is told")]
fn without_the_cancellers_fence_both_miss_each_other() {
    hand_out_and_cancel(Steps {
        canceller_has_fence: false,
        ..ALL
    });
}

/// The place is written after the look: who settles the task in between finds the worker of the hand-out before.
#[test]
#[should_panic(expected = "who runs it is told")]
fn with_the_place_written_late_another_worker_is_told() {
    hand_out_and_cancel(Steps {
        writes_first: false,
        ..ALL
    });
}
