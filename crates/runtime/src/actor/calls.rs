//! The calls of one actor that have not ended: in which order they may begin, and how many at once.
//!
//! ```text
//!  caller A ─▶ line:  lacks an argument │ ready │ ready     what is not ready holds up what is behind it, of its caller alone
//!  caller B ─▶ (no line: nothing is missing)
//!                            │ in the order in which they leave their lines
//!                            ▼
//!  groups:   default  turn 3 │ turn 7 │ …  ──▶ handed out, begun at most `limit` at once
//!            io       turn 5 │ …
//! ```
//! A call that comes back, since it was not begun or is tried again, has its old turn.

use std::collections::{HashMap, VecDeque};

use mobula_sched::Key;

use crate::refs::KeyMap;

/// Whose calls keep their order among themselves: an actor, a task, or a thread where no task's code runs.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Caller(pub(crate) Key);

/// A call as its caller made it.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Call {
    pub(crate) key: Key,
    pub(crate) caller: Caller,
    pub(crate) group: u32,
}

#[derive(Debug)]
struct InLine {
    key: Key,
    group: u32,
    is_ready: bool,
}

#[derive(Debug, Default)]
struct Group {
    limit: u32,
    /// Handed out, and not ended or come back.
    handed: u32,
    /// By turn.
    ready: VecDeque<(u64, Key)>,
    /// Some of its calls go on after they have returned: then no more are handed out than may be begun. Calls that do not run one
    /// after another anyway, however many are handed out.
    goes_on: bool,
}

impl Group {
    fn room(&self) -> usize {
        let left = self.limit.saturating_sub(self.handed) as usize;
        match self.goes_on || left == 0 {
            true => left,
            false => usize::MAX,
        }
    }

    fn put_back(&mut self, turn: u64, key: Key) {
        let at = self.ready.partition_point(|(other, _)| *other < turn);
        self.ready.insert(at, (turn, key));
    }
}

/// Instead of a place: the instance is lost, and whoever lost it sees to the call.
const NOWHERE: usize = usize::MAX;
/// Its code has ended, and the thread sees to what that comes to.
const ANSWERED: usize = usize::MAX - 1;

#[derive(Copy, Clone, Debug)]
struct Handed {
    group: usize,
    turn: u64,
    /// To the thread at this place.
    place: usize,
}

#[derive(Debug)]
pub(crate) struct Calls {
    lines: HashMap<Caller, VecDeque<InLine>>,
    groups: Box<[Group]>,
    handed: KeyMap<Handed>,
    turn: u64,
    /// Else a call takes its turn when it is ready, whatever its caller did before.
    in_order: bool,
}

impl Calls {
    /// `limits`: how many calls of each group may be begun at once. The first group is that of all calls that name none.
    pub(crate) fn new(limits: impl IntoIterator<Item = u32>, in_order: bool) -> Self {
        let groups = limits.into_iter().map(|limit| Group {
            limit,
            ..Group::default()
        });
        Self {
            lines: HashMap::new(),
            groups: groups.collect(),
            handed: KeyMap::default(),
            turn: 0,
            in_order,
        }
    }

    /// The first group's, once it is known.
    pub(crate) fn set_limit(&mut self, limit: u32) {
        self.groups[0].limit = limit;
    }

    fn take_turn(&mut self, key: Key, group: u32) {
        // One that there is not counts as the first.
        let known = (group as usize) < self.groups.len();
        let group = &mut self.groups[if known { group as usize } else { 0 }];
        group.ready.push_back((self.turn, key));
        self.turn += 1;
    }

    /// A call that has all that it needs, or not yet.
    pub(crate) fn arrive(&mut self, call: Call, is_ready: bool) {
        let Call { key, caller, group } = call;
        if is_ready && !(self.in_order && self.lines.contains_key(&caller)) {
            return self.take_turn(key, group);
        }
        let line = self.lines.entry(caller).or_default();
        line.push_back(InLine {
            key,
            group,
            is_ready,
        });
    }

    /// All is there that a call lacked when it came. False: it is not in its line.
    pub(crate) fn become_ready(&mut self, key: Key, caller: Caller) -> bool {
        let in_order = self.in_order;
        let Some((line, at)) = self.find(key, caller) else {
            return false;
        };
        line[at].is_ready = true;
        if !in_order && at > 0 {
            let call = line.remove(at);
            line.push_front(call.expect("it was found there"));
        }
        self.advance(caller);
        true
    }

    /// A call that will not run holds up nobody. False: it is not in its line.
    pub(crate) fn drop_out(&mut self, key: Key, caller: Caller) -> bool {
        let Some((line, at)) = self.find(key, caller) else {
            return false;
        };
        line.remove(at);
        self.advance(caller);
        true
    }

    fn find(&mut self, key: Key, caller: Caller) -> Option<(&mut VecDeque<InLine>, usize)> {
        let line = self.lines.get_mut(&caller)?;
        let at = line.iter().position(|call| call.key == key)?;
        Some((line, at))
    }

    /// What is ready at the head of a line takes its turn.
    fn advance(&mut self, caller: Caller) {
        let Some(line) = self.lines.get_mut(&caller) else {
            return;
        };
        let count = line.iter().take_while(|call| call.is_ready).count();
        let ready: Vec<InLine> = line.drain(..count).collect();
        if line.is_empty() {
            self.lines.remove(&caller);
        }
        for call in ready {
            self.take_turn(call.key, call.group);
        }
    }

    /// Those whose turn it is go to the thread at a place, at most so many. What is no longer `wanted` is dropped; it is asked once
    /// for each that goes.
    pub(crate) fn hand_out(
        &mut self,
        place: usize,
        most: usize,
        wanted: impl Fn(Key) -> bool,
    ) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut rooms: Vec<usize> = self.groups.iter().map(Group::room).collect();
        while keys.len() < most {
            let open = self.groups.iter().zip(&rooms).enumerate();
            let first = open
                .filter(|(_, (_, room))| **room > 0)
                .filter_map(|(number, (group, _))| Some((group.ready.front()?.0, number)))
                .min();
            let Some((turn, number)) = first else { break };
            let to = Handed {
                group: number,
                turn,
                place,
            };
            if let Some(key) = self.give_first(to, &wanted) {
                rooms[number] -= 1;
                keys.push(key);
            }
        }
        keys
    }

    /// The first of a group, if it is still wanted; else it is dropped.
    fn give_first(&mut self, to: Handed, wanted: &impl Fn(Key) -> bool) -> Option<Key> {
        let group = &mut self.groups[to.group];
        let (turn, key) = group.ready.pop_front()?;
        if !wanted(key) {
            return None;
        }
        group.handed += 1;
        self.handed.insert(key, Handed { turn, ..to });
        Some(key)
    }

    /// The group in which a call has its turn, if one of that may begin now, and which one that is.
    fn opens(&self, key: Key) -> Option<(usize, Key)> {
        let mut groups = self.groups.iter().enumerate();
        let (number, group) =
            groups.find(|(_, group)| group.ready.iter().any(|(_, other)| *other == key))?;
        let (_, first) = group.ready.front()?;
        (group.room() > 0).then_some((number, *first))
    }

    /// What begins next of those that go before a call, or itself. `None`: nothing may, or the call has no turn yet.
    pub(crate) fn first_before(&self, key: Key) -> Option<Key> {
        self.opens(key).map(|(_, first)| first)
    }

    /// That goes to the thread at a place.
    pub(crate) fn hand_out_before(
        &mut self,
        key: Key,
        place: usize,
        wanted: impl Fn(Key) -> bool,
    ) -> Option<Key> {
        while let Some((group, _)) = self.opens(key) {
            let to = Handed {
                group,
                turn: 0,
                place,
            };
            let given = self.give_first(to, &wanted);
            if given.is_some() {
                return given;
            }
        }
        None
    }

    /// A call that was handed out has its turn again. False: it was not, or has ended.
    pub(crate) fn come_back(&mut self, key: Key) -> bool {
        let Some(Handed { group, turn, .. }) = self.handed.remove(&key) else {
            return false;
        };
        let group = &mut self.groups[group];
        group.handed -= 1;
        group.put_back(turn, key);
        true
    }

    /// What the code of a call has come to at this place counts, whoever loses the instance from now on. False: it is somewhere else by
    /// now, or nowhere.
    pub(crate) fn answer(&mut self, key: Key, place: usize) -> bool {
        let handed = self.handed.get_mut(&key);
        let here = handed.filter(|handed| handed.place == place);
        here.map(|handed| handed.place = ANSWERED).is_some()
    }

    /// The code of a call has ended. False: it was not handed out, or that is known.
    pub(crate) fn end(&mut self, key: Key) -> bool {
        let ended = self.handed.remove(&key);
        if let Some(Handed { group, .. }) = ended {
            self.groups[group].handed -= 1;
        }
        ended.is_some()
    }

    /// The code of a call has returned, and goes on.
    pub(crate) fn note_going_on(&mut self, key: Key) {
        if let Some(Handed { group, .. }) = self.handed.get(&key) {
            self.groups[*group].goes_on = true;
        }
    }

    /// True if something may be handed out.
    pub(crate) fn has_turn(&self) -> bool {
        let mut groups = self.groups.iter();
        groups.any(|group| group.room() > 0 && !group.ready.is_empty())
    }

    /// True if nothing is queued, and nothing goes on.
    pub(crate) fn are_over(&self) -> bool {
        let mut groups = self.groups.iter();
        self.handed.is_empty()
            && self.lines.is_empty()
            && groups.all(|group| group.ready.is_empty())
    }

    /// True if some were handed out, and their code has not ended.
    pub(crate) fn has_handed(&self) -> bool {
        !self.handed.is_empty()
    }

    /// True if a call was handed out, and its code has not ended.
    pub(crate) fn is_handed(&self, key: Key) -> bool {
        self.handed.contains_key(&key)
    }

    /// True if a call runs at this place, or is to: not if it runs elsewhere by now, or has come back.
    pub(crate) fn is_at(&self, key: Key, place: usize) -> bool {
        let handed = self.handed.get(&key);
        handed.is_some_and(|handed| handed.place == place)
    }

    /// Those that have to end, or at least to be ready, before this one can begin.
    pub(crate) fn before(&self, key: Key, caller: Caller) -> Vec<Key> {
        let line = self.lines.get(&caller);
        if let Some(line) = line
            && line.iter().any(|call| call.key == key)
        {
            let ahead = line.iter().take_while(|call| call.key != key);
            return ahead.map(|call| call.key).collect();
        }
        let mut groups = self.groups.iter().enumerate();
        let full = groups.find(|(_, group)| {
            let is_here = group.ready.iter().any(|(_, other)| *other == key);
            is_here && group.room() == 0
        });
        let Some((number, _)) = full else {
            return Vec::new();
        };
        let handed = self.handed.iter();
        handed
            .filter(|(_, handed)| handed.group == number)
            .map(|(key, _)| *key)
            .collect()
    }

    /// Those that were handed out and have not ended.
    pub(crate) fn handed(&self) -> Vec<Key> {
        self.handed.keys().copied().collect()
    }

    /// The thread that has those that were handed out has them no longer, but for what it has answered: each comes back, or ends, by who
    /// calls this.
    pub(crate) fn leave(&mut self) -> Vec<Key> {
        let left = self.handed.iter_mut();
        let left = left.filter(|(_, handed)| !matches!(handed.place, ANSWERED | NOWHERE));
        left.map(|(key, handed)| {
            handed.place = NOWHERE;
            *key
        })
        .collect()
    }

    /// A call that will not run has no turn.
    pub(crate) fn forget(&mut self, key: Key) {
        for group in &mut self.groups {
            group.ready.retain(|(_, other)| *other != key);
        }
    }

    /// Those that were not handed out, in turn, then by lines.
    pub(crate) fn queued(&self) -> Vec<Key> {
        let ready = self.groups.iter().flat_map(|group| &group.ready);
        let mut ready: Vec<(u64, Key)> = ready.copied().collect();
        ready.sort_by_key(|(turn, _)| *turn);
        let in_lines = self.lines.values().flatten().map(|call| call.key);
        ready
            .into_iter()
            .map(|(_, key)| key)
            .chain(in_lines)
            .collect()
    }

    /// Drops those that were not handed out and are not `kept`.
    pub(crate) fn retain(&mut self, kept: impl Fn(Key) -> bool) {
        for group in &mut self.groups {
            group.ready.retain(|(_, key)| kept(*key));
        }
        let callers: Vec<Caller> = self.lines.keys().copied().collect();
        for caller in callers {
            if let Some(line) = self.lines.get_mut(&caller) {
                line.retain(|call| kept(call.key));
            }
            self.advance(caller);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(index: u32) -> Key {
        Key {
            index,
            generation: 1,
        }
    }

    fn call(index: u32, caller: u32, group: u32) -> Call {
        Call {
            key: key(index),
            caller: Caller(key(caller)),
            group,
        }
    }

    fn indices(keys: &[Key]) -> Vec<u32> {
        keys.iter().map(|key| key.index).collect()
    }

    #[test]
    fn a_slow_argument_holds_up_its_caller_alone() {
        let mut calls = Calls::new([1], true);
        calls.arrive(call(0, 1, 0), false);
        calls.arrive(call(1, 1, 0), true);
        calls.arrive(call(2, 2, 0), true);
        assert_eq!(indices(&calls.hand_out(0, 9, |_| true)), [2]);
        assert!(calls.become_ready(key(0), Caller(key(1))));
        assert!(!calls.has_turn(), "one is begun");
        assert!(calls.end(key(2)));
        assert_eq!(indices(&calls.hand_out(0, 9, |_| true)), [0, 1]);
    }

    #[test]
    fn a_call_that_fails_in_its_line_lets_the_others_pass() {
        let mut calls = Calls::new([1], true);
        calls.arrive(call(0, 1, 0), false);
        calls.arrive(call(1, 1, 0), true);
        assert!(calls.drop_out(key(0), Caller(key(1))));
        assert_eq!(indices(&calls.hand_out(0, 9, |_| true)), [1]);
    }

    #[test]
    fn what_comes_back_has_its_old_turn() {
        let mut calls = Calls::new([1], true);
        (0..4).for_each(|index| calls.arrive(call(index, 1, 0), true));
        assert_eq!(indices(&calls.hand_out(0, 3, |_| true)), [0, 1, 2]);
        assert!(calls.come_back(key(2)) && calls.come_back(key(1)) && !calls.come_back(key(1)));
        assert!(calls.end(key(0)));
        assert_eq!(indices(&calls.hand_out(0, 9, |_| true)), [1, 2, 3]);
    }

    #[test]
    fn a_full_group_holds_up_no_other() {
        let mut calls = Calls::new([1, 2], true);
        (0..6).for_each(|index| calls.arrive(call(index, 1, index % 2), true));
        assert_eq!(indices(&calls.hand_out(0, 1, |_| true)), [0]);
        calls.note_going_on(key(0));
        assert_eq!(indices(&calls.hand_out(0, 9, |_| true)), [1, 3, 5]);
        calls.note_going_on(key(1));
        calls.end(key(1));
        calls.end(key(3));
        calls.arrive(call(7, 1, 1), true);
        calls.arrive(call(9, 1, 1), true);
        assert_eq!(indices(&calls.hand_out(0, 9, |_| true)), [7]);
    }

    /// What happens to an actor's calls: (what, which of those that it can happen to, caller, group).
    type Step = (u8, usize, u32, u32);

    proptest! {
        /// Against the rules as such: a call is handed out after all earlier ones of its caller and group that have not dropped out,
        /// and each exactly as often as it comes back, and once.
        #[test]
        fn calls_of_a_caller_keep_their_order(
            steps in prop::collection::vec((0u8..6, 0usize..64, 0u32..3, 0u32..2), 1..200),
            limits in prop::collection::vec(1u32..4, 2..3),
        ) {
            run(&steps, &limits)?;
        }
    }

    fn run(steps: &[Step], limits: &[u32]) -> Result<(), TestCaseError> {
        let mut calls = Calls::new(limits.iter().copied(), true);
        // By arrival: caller, group, and whether it is in a line for want of something.
        let mut all: Vec<Call> = Vec::new();
        let mut lacking: Vec<u32> = Vec::new();
        let mut open: Vec<u32> = Vec::new();
        let mut handed: Vec<u32> = Vec::new();
        let at = |list: &[u32], which: usize| (!list.is_empty()).then(|| which % list.len().max(1));
        for (what, which, caller, group) in steps.iter().copied() {
            match what {
                0 | 1 => {
                    let call = call(all.len() as u32, 100 + caller, group);
                    all.push(call);
                    open.push(call.key.index);
                    calls.arrive(call, what == 1);
                    if what == 0 {
                        lacking.push(call.key.index);
                    }
                }
                2 => {
                    if let Some(at) = at(&lacking, which) {
                        let index = lacking.remove(at);
                        prop_assert!(calls.become_ready(key(index), all[index as usize].caller));
                    }
                }
                3 => {
                    if let Some(at) = at(&lacking, which) {
                        let index = lacking.remove(at);
                        open.retain(|other| *other != index);
                        prop_assert!(calls.drop_out(key(index), all[index as usize].caller));
                    }
                }
                4 => {
                    for given in calls.hand_out(0, which, |_| true) {
                        let Call { caller, group, .. } = all[given.index as usize];
                        let overtaken = open.iter().copied().find(|other| {
                            let call = &all[*other as usize];
                            *other < given.index && call.caller == caller && call.group == group
                        });
                        prop_assert_eq!(overtaken, None, "{} goes first", given.index);
                        prop_assert!(!lacking.contains(&given.index));
                        open.retain(|other| *other != given.index);
                        handed.push(given.index);
                    }
                }
                _ => {
                    if let Some(at) = at(&handed, which) {
                        let index = handed.remove(at);
                        if which % 2 == 0 {
                            prop_assert!(calls.end(key(index)));
                        } else {
                            prop_assert!(calls.come_back(key(index)));
                            open.push(index);
                        }
                    }
                }
            }
            prop_assert_eq!(calls.are_over(), open.is_empty() && handed.is_empty());
            let mut known = indices(&calls.queued());
            known.sort_unstable();
            open.sort_unstable();
            prop_assert_eq!(&known, &open);
        }
        Ok(())
    }
}
