//! The whole store against a simple model: whatever is done in whatever order, bytes are what was
//! written, nothing overlaps, and all memory is there again at the end.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use mobula_store::{
    Backing, Draft, Object, Pin, Reader, Scan, Store, StoreConfig, Supply, View, ViewMode,
};
use proptest::prelude::*;

const CAPACITY: u64 = 4 << 20;

#[derive(Clone, Debug)]
enum Step {
    Create(u64),
    Abort(usize),
    Seal(usize),
    Pin(usize),
    ClonePin(usize),
    Unpin(usize),
    Release(usize),
    ReleaseStale(usize),
    Open {
        pin: usize,
        reader: usize,
    },
    Scribble {
        view: usize,
        at: usize,
    },
    Close(usize),
    Replace(usize),
    Trim,
    /// So many seconds later.
    Tend(u64),
    /// Asks for everything, so that all goes that may.
    Spill,
}

fn len() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0_u64),
        6 => 1_u64..2000,
        4 => 2000_u64..20_000,
        4 => 20_000_u64..200_000,
        2 => 200_000_u64..2_000_000,
        1 => Just(CAPACITY),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let at = any::<usize>;
    prop_oneof![
        8 => len().prop_map(Step::Create),
        1 => at().prop_map(Step::Abort),
        8 => at().prop_map(Step::Seal),
        5 => at().prop_map(Step::Pin),
        1 => at().prop_map(Step::ClonePin),
        4 => at().prop_map(Step::Unpin),
        6 => at().prop_map(Step::Release),
        1 => at().prop_map(Step::ReleaseStale),
        5 => (at(), at()).prop_map(|(pin, reader)| Step::Open { pin, reader }),
        4 => (at(), at()).prop_map(|(view, at)| Step::Scribble { view, at }),
        4 => at().prop_map(Step::Close),
        1 => at().prop_map(Step::Replace),
        1 => Just(Step::Trim),
        1 => (1_u64..15).prop_map(Step::Tend),
        1 => Just(Step::Spill),
    ]
}

fn config() -> impl Strategy<Value = StoreConfig> {
    let views = prop_oneof![3 => Just(ViewMode::Private), 1 => Just(ViewMode::Copy)];
    let backing =
        prop_oneof![3 => Just(Backing::File), 1 => Just(Backing::Heap { bytes_max: u64::MAX })];
    let scan = prop_oneof![2 => Just(Scan::Best), 1 => Just(Scan::PageMap), 1 => Just(Scan::Never)];
    let segment_bytes = prop_oneof![Just(2_u64 << 20), Just(8 << 20)];
    let supply = prop_oneof![Just(Supply::Machine), Just(Supply::Bytes(CAPACITY / 4 * 3))];
    let bools = (any::<bool>(), any::<bool>());
    let options = (views, backing, scan, segment_bytes, supply, bools);
    options.prop_map(
        |(views, backing, scan, segment_bytes, supply, (spills, huge_pages))| StoreConfig {
            views,
            backing,
            scan,
            segment_bytes,
            supply,
            huge_pages,
            spill: spills.then(std::env::temp_dir),
            ..StoreConfig::new(CAPACITY)
        },
    )
}

/// The bytes of the object with this seed.
fn pattern(seed: u64, len: u64) -> Vec<u8> {
    (0..len)
        .map(|at| (at.wrapping_mul(31) ^ (at >> 8) ^ seed) as u8)
        .collect()
}

struct Expected {
    seed: u64,
    len: u64,
    released: bool,
}

struct OpenView {
    view: View,
    bytes: Vec<u8>,
    mapped_at: Option<usize>,
    reader: u64,
}

/// The store, and all that it must agree with.
struct World {
    store: Arc<Store>,
    spills: bool,
    /// What may be in memory at once.
    memory: u64,
    readers: Vec<(u64, Arc<Reader>)>,
    drafts: Vec<(Draft, u64)>,
    objects: BTreeMap<u32, (Object, Expected)>,
    pins: Vec<(Pin, u64)>,
    views: Vec<OpenView>,
    stale: Vec<Object>,
    seeds: u64,
    now: Instant,
}

impl World {
    fn new(config: StoreConfig) -> Self {
        let spills = config.spill.is_some();
        let memory = match config.supply {
            Supply::Machine => CAPACITY,
            Supply::Bytes(bytes) => bytes.min(CAPACITY),
        };
        let store = Store::new(config).unwrap();
        let readers = (0..2).map(|at| (at, Reader::new(&store))).collect();
        Self {
            store,
            spills,
            memory,
            readers,
            drafts: Vec::new(),
            objects: BTreeMap::new(),
            pins: Vec::new(),
            views: Vec::new(),
            stale: Vec::new(),
            seeds: 10,
            now: Instant::now(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Create(len) => match self.store.create(len) {
                Ok(mut draft) => {
                    self.seeds += 1;
                    draft.write(0, &pattern(self.seeds, len)).unwrap();
                    self.drafts.push((draft, self.seeds));
                }
                Err(error) => {
                    assert!(error.is_full() && !self.spills, "{error}");
                    let rounded = len.next_multiple_of(4096).max(64 << 10);
                    let fits = self.store.stats().bytes + rounded <= self.memory;
                    assert!(!fits || error.to_string().contains("fragmented"), "{error}");
                }
            },
            Step::Abort(at) => drop(take(&mut self.drafts, at)),
            Step::Seal(at) => {
                if let Some((draft, seed)) = take(&mut self.drafts, at) {
                    let len = draft.len();
                    let object = draft.seal();
                    let expected = Expected {
                        seed,
                        len,
                        released: false,
                    };
                    let before = self.objects.insert(object.index, (object, expected));
                    assert!(
                        before.is_none_or(|(_, old)| old.released),
                        "an entry in use"
                    );
                }
            }
            Step::Pin(at) => {
                if let Some((object, expected)) = nth(&self.objects, at) {
                    match self.store.pin(*object) {
                        Ok(pin) => {
                            assert!(!expected.released);
                            self.pins.push((pin, expected.seed));
                        }
                        Err(error) => assert!(error.is_gone() && expected.released),
                    }
                }
            }
            Step::ClonePin(at) => {
                if let Some(pin) = self.pins.get(at % self.pins.len().max(1)).cloned() {
                    self.pins.push(pin);
                }
            }
            Step::Unpin(at) => drop(take(&mut self.pins, at)),
            Step::Release(at) => {
                let index = nth(&self.objects, at).map(|(object, _)| object.index);
                if let Some((object, expected)) = index.and_then(|at| self.objects.get_mut(&at)) {
                    assert_eq!(self.store.release(*object), !expected.released);
                    expected.released = true;
                    self.stale.push(*object);
                }
            }
            Step::ReleaseStale(at) => {
                if let Some(object) = self.stale.get(at % self.stale.len().max(1)) {
                    assert!(!self.store.release(*object));
                }
            }
            Step::Open { pin, reader } => {
                let Some((pin, seed)) = self.pins.get(pin % self.pins.len().max(1)) else {
                    return;
                };
                let (number, reader) = &self.readers[reader % self.readers.len()];
                let view = reader.open(pin.clone()).unwrap();
                let mapped_at = (!view.is_copy()).then(|| view.as_ptr().addr());
                let bytes = pattern(*seed, view.len() as u64);
                self.views.push(OpenView {
                    view,
                    bytes,
                    mapped_at,
                    reader: *number,
                });
            }
            Step::Scribble { view, at } => {
                let at_view = view % self.views.len().max(1);
                let Some(OpenView {
                    view, mapped_at, ..
                }) = self.views.get(at_view)
                else {
                    return;
                };
                if view.is_empty() {
                    return;
                }
                let at = at % view.len();
                // SAFETY: in an open view, which this thread alone uses.
                unsafe { view.as_ptr().add(at).write(0xee) };
                let same = *mapped_at;
                for (number, other) in self.views.iter_mut().enumerate() {
                    // Views of the same pages share what is written.
                    if number == at_view || same.is_some() && other.mapped_at == same {
                        other.bytes[at] = 0xee;
                    }
                }
            }
            Step::Close(at) => drop(take(&mut self.views, at)),
            Step::Replace(at) => {
                let at = at % self.readers.len();
                self.readers[at].1.retire();
                self.seeds += 1;
                self.readers[at] = (self.seeds, Reader::new(&self.store));
            }
            Step::Trim => self.store.trim(),
            Step::Tend(seconds) => {
                self.now += Duration::from_secs(seconds);
                self.store.tend(self.now);
            }
            Step::Spill => {
                if let Ok(mut draft) = self.store.create(CAPACITY) {
                    draft.as_mut_slice().fill(0xdd);
                }
            }
        }
        self.check();
    }

    fn check(&self) {
        for (pin, seed) in &self.pins {
            assert!(
                pin.bytes() == pattern(*seed, pin.len() as u64),
                "a pinned object changed"
            );
        }
        for OpenView {
            view,
            bytes,
            reader,
            ..
        } in &self.views
        {
            // SAFETY: the view is open, and this thread alone uses it.
            let seen = unsafe { std::slice::from_raw_parts(view.as_ptr(), view.len()) };
            assert!(
                seen == bytes,
                "a view of reader {reader} shows something else"
            );
        }
        let stats = self.store.stats();
        assert!(stats.bytes <= stats.committed && stats.committed <= self.memory);
        assert!(self.spills || (stats.spilled, stats.disk) == (0, 0));
    }

    fn finish(mut self) {
        for (object, expected) in self.objects.values() {
            if !expected.released {
                let pin = self.store.pin(*object).unwrap();
                assert!(pin.bytes() == pattern(expected.seed, expected.len));
            }
            self.store.release(*object);
        }
        self.drafts.clear();
        self.pins.clear();
        self.views.clear();
        let stats = self.store.stats();
        assert_eq!((stats.bytes, stats.objects, stats.pins), (0, 0, 0));
        let elsewhere = (stats.spilled, stats.spilled_objects, stats.disk);
        assert_eq!(elsewhere, (0, 0, 0));
        self.store.trim();
        // In segments of 2 MiB the whole needs one more, which the bound on addresses may refuse.
        let whole = match self.spills {
            true => CAPACITY / 10 * 9,
            false => CAPACITY.min(2 << 20),
        };
        let mut draft = self.store.create(whole).unwrap();
        draft.as_mut_slice().fill(1);
        let object = draft.seal();
        let pin = self.store.pin(object).unwrap();
        for (_, reader) in &self.readers {
            let view = reader.open(pin.clone()).unwrap();
            // SAFETY: the view is open, and this thread alone uses it.
            let seen = unsafe { std::slice::from_raw_parts(view.as_ptr(), view.len()) };
            assert!(seen.iter().all(|&byte| byte == 1), "stale bytes");
        }
    }
}

fn take<T>(all: &mut Vec<T>, at: usize) -> Option<T> {
    (!all.is_empty()).then(|| all.swap_remove(at % all.len()))
}

fn nth<T>(all: &BTreeMap<u32, T>, at: usize) -> Option<&T> {
    all.values().nth(at % all.len().max(1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_store_agrees_with_a_simple_model(
        config in config(),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(config);
        for step in steps {
            world.step(step);
        }
        world.finish();
    }
}
