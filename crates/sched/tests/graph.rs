//! The table against a model that anyone can follow: random graphs, settled in random order, with failures, waits that end
//! early, and slots that are freed and used again.
#![cfg(not(loom))]

use std::collections::HashSet;

use mobula_sched::{Key, Phase, Table};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    /// A node that waits for some of these, for as many of them as this share says.
    Add {
        on: Vec<prop::sample::Index>,
        share: u8,
    },
    /// A node that waits for nothing any more ends.
    Settle {
        which: prop::sample::Index,
        fails: bool,
    },
    /// A wait is ended before its time.
    End { which: prop::sample::Index },
    /// A node that nobody needs goes.
    Free { which: prop::sample::Index },
}

fn step() -> impl Strategy<Value = Step> {
    use prop::sample::Index;
    let index = any::<Index>;
    prop_oneof![
        4 => (prop::collection::vec(index(), 0..6), any::<u8>())
            .prop_map(|(on, share)| Step::Add { on, share }),
        4 => (index(), prop::bool::weighted(0.2))
            .prop_map(|(which, fails)| Step::Settle { which, fails }),
        1 => index().prop_map(|which| Step::End { which }),
        2 => index().prop_map(|which| Step::Free { which }),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Still needs so many.
    Waiting(u32),
    Ready,
    Done,
    Failed,
    Freed,
}

#[derive(Debug)]
struct Node {
    key: Key,
    /// With repetitions: each is an edge of its own.
    on: Vec<usize>,
    state: State,
}

#[derive(Debug, Default)]
struct Model {
    table: Table,
    nodes: Vec<Node>,
}

impl Model {
    fn where_state(&self, is: impl Fn(State) -> bool) -> Vec<usize> {
        (0..self.nodes.len())
            .filter(|k| is(self.nodes[*k].state))
            .collect()
    }

    fn keys(&self, nodes: &[usize]) -> HashSet<Key> {
        nodes.iter().map(|k| self.nodes[*k].key).collect()
    }

    fn add(&mut self, on: Vec<usize>, share: u8) {
        let key = self.table.reserve();
        assert!(
            self.nodes.iter().all(|node| node.key != key),
            "a key is given out once"
        );
        let arrivals = (on.len() * usize::from(share)).div_ceil(255) as u32;
        let settled = on.iter().filter(|k| {
            matches!(
                self.nodes[**k].state,
                State::Done | State::Failed | State::Freed
            )
        });
        let left = arrivals.saturating_sub(settled.count() as u32);
        let keys: Vec<Key> = on.iter().map(|k| self.nodes[*k].key).collect();
        let is_ready = self.table.wait_for(key, &keys, arrivals);
        assert_eq!(is_ready, left == 0);
        let state = if left == 0 {
            State::Ready
        } else {
            State::Waiting(left)
        };
        self.nodes.push(Node { key, on, state });
    }

    /// Counts down who waits for `k`, once for each edge; returns who became ready.
    fn count_down(&mut self, k: usize) -> Vec<usize> {
        let mut ready = Vec::new();
        for other in 0..self.nodes.len() {
            let edges = self.nodes[other].on.iter().filter(|on| **on == k).count() as u32;
            if let State::Waiting(left) = self.nodes[other].state {
                let left = left.saturating_sub(edges);
                self.nodes[other].state = State::Waiting(left);
                if left == 0 {
                    self.nodes[other].state = State::Ready;
                    ready.push(other);
                }
            }
        }
        ready
    }

    fn settle(&mut self, k: usize, fails: bool) {
        let key = self.nodes[k].key;
        let mut named = Vec::new();
        if !fails {
            self.nodes[k].state = State::Done;
            assert!(self.table.resolve(key, Phase::Done, &mut named));
            let ready = self.count_down(k);
            assert_eq!(named.len(), ready.len(), "each is named once");
            assert_eq!(
                named.iter().copied().collect::<HashSet<_>>(),
                self.keys(&ready)
            );
        } else {
            self.nodes[k].state = State::Failed;
            assert!(self.table.resolve_failed(key, &mut named).is_some());
            let waiting = self.where_state(|state| matches!(state, State::Waiting(_)));
            let depend: Vec<usize> = waiting
                .into_iter()
                .filter(|other| self.nodes[*other].on.contains(&k))
                .collect();
            // Ended waits are named too: they are told apart by their countdown.
            let told: HashSet<Key> = named.iter().copied().collect();
            assert!(told.is_superset(&self.keys(&depend)));
            // As `wait` does: a failure is an arrival like any other.
            let fired: Vec<Key> = named
                .iter()
                .copied()
                .filter(|waiter| self.table.arrive(*waiter))
                .collect();
            let ready = self.count_down(k);
            assert_eq!(fired.len(), ready.len());
            assert_eq!(fired.into_iter().collect::<HashSet<_>>(), self.keys(&ready));
        }
        assert!(
            !self.table.resolve(key, Phase::Done, &mut named),
            "settled once"
        );
        assert_eq!(self.table.resolve_failed(key, &mut named), None);
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Add { on, share } => {
                let on = on.iter().filter(|_| !self.nodes.is_empty());
                let on = on.map(|index| index.index(self.nodes.len())).collect();
                self.add(on, *share);
            }
            Step::Settle { which, fails } => {
                let ready = self.where_state(|state| state == State::Ready);
                if !ready.is_empty() {
                    self.settle(ready[which.index(ready.len())], *fails);
                }
            }
            Step::End { which } => {
                let waiting = self.where_state(|state| matches!(state, State::Waiting(_)));
                if !waiting.is_empty() {
                    let k = waiting[which.index(waiting.len())];
                    assert!(self.table.end_wait(self.nodes[k].key));
                    assert!(!self.table.end_wait(self.nodes[k].key));
                    self.nodes[k].state = State::Ready;
                }
            }
            Step::Free { which } => {
                let settled =
                    self.where_state(|state| matches!(state, State::Done | State::Failed));
                if !settled.is_empty() {
                    let k = settled[which.index(settled.len())];
                    let key = self.nodes[k].key;
                    // Twice in one call and once more: a slot is given back once.
                    self.table.free_many(&[key, key]);
                    self.table.free_many(&[key]);
                    self.nodes[k].state = State::Freed;
                }
            }
        }
        self.check();
    }

    fn check(&self) {
        let mut used = 0;
        for node in &self.nodes {
            let phase = self.table.phase(node.key);
            let expected: &[Option<Phase>] = match node.state {
                State::Waiting(_) | State::Ready => &[Some(Phase::New)],
                State::Done => &[Some(Phase::Done)],
                State::Failed => &[Some(Phase::Failed)],
                State::Freed => &[None, Some(Phase::Free)],
            };
            assert!(expected.contains(&phase), "{node:?} is {phase:?}");
            used += usize::from(node.state != State::Freed);
        }
        assert_eq!(self.table.sizes().0, used, "slots in use");
    }

    /// Settles and frees all that is left.
    fn finish(&mut self) {
        loop {
            let ready = self.where_state(|state| state == State::Ready);
            if ready.is_empty() {
                break;
            }
            ready.into_iter().for_each(|k| self.settle(k, k % 5 == 0));
        }
        let waiting = self.where_state(|state| matches!(state, State::Waiting(_)));
        assert!(waiting.is_empty(), "lost: {waiting:?}");
        assert_eq!(self.table.sizes().1, 0, "edges in use");
        let keys: Vec<Key> = self.nodes.iter().map(|node| node.key).collect();
        self.table.free_many(&keys);
        assert_eq!(self.table.sizes(), (0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_graph_fires_as_the_model_does(steps in prop::collection::vec(step(), 1..120)) {
        let mut model = Model::default();
        steps.iter().for_each(|step| model.run(step));
        model.finish();
    }

    /// Whatever a slot was before, its next life starts clean and old keys mean nothing.
    #[test]
    fn a_reused_slot_knows_nothing_of_its_last_life(lives in 1usize..40, fails in any::<bool>()) {
        let table = Table::new();
        let mut old: Vec<Key> = Vec::new();
        for _ in 0..lives {
            let (object, waiter) = (table.reserve(), table.reserve());
            for key in &old {
                prop_assert!(!table.arrive(*key) && !table.end_wait(*key));
                prop_assert!(!table.advance(*key, Phase::New, Phase::Ready));
                prop_assert!(!table.resolve(*key, Phase::Done, &mut Vec::new()));
                // Nobody will settle it: who waits for it now would wait for ever.
                let late = table.reserve();
                prop_assert!(table.wait_for(late, &[*key], 1));
                table.free_many(&[late]);
            }
            prop_assert!(!table.wait_for(waiter, &[object, object], 2));
            let mut named = Vec::new();
            if fails {
                table.resolve_failed(object, &mut named);
                prop_assert_eq!(&named, &[waiter, waiter]);
                prop_assert!(table.end_wait(waiter));
            } else {
                table.resolve(object, Phase::Done, &mut named);
                prop_assert_eq!(&named, &[waiter]);
            }
            table.free_many(&[object, waiter]);
            old.extend([object, waiter]);
        }
        prop_assert!(table.sizes() == (0, 0));
    }
}

#[test]
fn waiters_become_ready_in_the_order_in_which_they_came() {
    let table = Table::new();
    let object = table.reserve();
    let waiters: Vec<Key> = (0..10).map(|_| table.reserve()).collect();
    for waiter in &waiters {
        assert!(!table.wait_for(*waiter, &[object], 1));
    }
    let mut ready = Vec::new();
    table.resolve(object, Phase::Done, &mut ready);
    assert_eq!(ready, waiters);
}

#[test]
fn two_who_poll_in_turn_leave_two_edges() {
    let table = Table::new();
    let object = table.reserve();
    let mut last = None;
    for _ in 0..1000 {
        let waiter = table.reserve();
        assert!(!table.wait_for(waiter, &[object], 1));
        if let Some(last) = last.replace(waiter) {
            assert!(table.end_wait(last));
            table.free_many(&[last]);
        }
    }
    assert_eq!(table.sizes(), (2, 2));
}

#[test]
fn a_made_up_key_counts_as_settled_wherever_it_would_lie() {
    let table = Table::new();
    let (waiter, settled) = (table.reserve(), table.reserve());
    table.resolve(settled, Phase::Done, &mut Vec::new());
    for index in [settled.index, 4095, 4096, 1 << 26, u32::MAX] {
        for generation in [0, 7, u32::MAX] {
            let made_up = Key { index, generation };
            assert!(
                table.wait_for(waiter, &[made_up, settled], 2),
                "{made_up:?}"
            );
            assert!(matches!(table.phase(made_up), None | Some(Phase::Free)));
            assert!(!table.resolve(made_up, Phase::Done, &mut Vec::new()));
            assert!(!table.arrive(made_up) && !table.end_wait(made_up));
        }
    }
}
