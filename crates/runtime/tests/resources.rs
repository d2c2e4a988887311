//! The table of resources against a simple model: takes and gives back at random, all or nothing, exact to the last part.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, unreachable_pub, reason = "the runtime uses the rest")]
#[path = "../src/resources.rs"]
mod resources;
mod support;

use resources::{Demand, Shape, Stock, Totals, WHOLE};
use support::rng::Rng;

const NAMES: [&str; 3] = ["a", "b", "c"];

fn demand(rng: &mut Rng) -> Demand {
    let part = |rng: &mut Rng| [0, 0, 1, 333, 1000, WHOLE, 3 * WHOLE][rng.below(7)];
    let gpu = [0, 0, 1, 2500, 5000, 9999, WHOLE, 2 * WHOLE][rng.below(8)];
    let mut named: Vec<(String, u64)> = NAMES
        .iter()
        .map(|name| ((*name).to_owned(), part(rng)))
        .collect();
    if rng.chance(5) {
        named.push(("unknown".to_owned(), part(rng)));
    }
    Demand {
        cpu: part(rng),
        gpu,
        named,
    }
}

/// What is left, by the model: totals less all that was taken.
fn left(totals: &Totals, taken: &[(Demand, Shape, Box<[u32]>)]) -> Vec<(String, u64)> {
    let mut left = vec![("GPU".to_owned(), u64::from(totals.gpus) * WHOLE)];
    left.extend(totals.named.clone());
    for (demand, ..) in taken {
        left[0].1 -= demand.gpu;
        for (name, parts) in &demand.named {
            if let Some((_, of)) = left.iter_mut().find(|(other, _)| other == name) {
                *of -= parts;
            }
        }
    }
    left
}

/// What is left of each GPU, by the model.
fn left_of_gpus(totals: &Totals, taken: &[(Demand, Shape, Box<[u32]>)]) -> Vec<u64> {
    let mut left = vec![WHOLE; totals.gpus as usize];
    for (demand, _, gpus) in taken {
        for id in &**gpus {
            left[*id as usize] -= demand.gpu.min(WHOLE);
        }
    }
    left
}

#[test]
fn whatever_is_taken_and_given_back_adds_up() {
    for seed in 0..300 {
        let mut rng = Rng(seed);
        let totals = Totals {
            cpu: 2 * WHOLE,
            gpus: rng.below(4) as u32,
            named: NAMES
                .iter()
                .map(|name| ((*name).to_owned(), rng.below(5) as u64 * 5000))
                .collect(),
        };
        let mut stock = Stock::new(&totals);
        let mut taken: Vec<(Demand, Shape, Box<[u32]>)> = Vec::new();
        for _ in 0..400 {
            if rng.chance(40) && !taken.is_empty() {
                let (_, shape, gpus) = taken.swap_remove(rng.below(taken.len()));
                stock.give_back(&shape, &gpus);
            } else {
                let demand = demand(&mut rng);
                let exists = |(name, parts): &(String, u64)| {
                    let total = totals.named.iter().find(|(other, _)| other == name);
                    *parts <= total.map_or(0, |(_, total)| *total)
                };
                let can_ever = demand.cpu <= totals.cpu
                    && demand.gpu <= u64::from(totals.gpus) * WHOLE
                    && demand.named.iter().all(exists);
                let shape = stock.shape(&demand);
                assert_eq!(shape.is_some(), can_ever, "{demand:?} of {totals:?}");
                let Some(shape) = shape else { continue };
                let before = left(&totals, &taken);
                let gpus = left_of_gpus(&totals, &taken);
                let enough_named = demand.named.iter().all(|(name, parts)| {
                    *parts == 0
                        || before
                            .iter()
                            .any(|(other, left)| other == name && left >= parts)
                });
                let enough_gpus = if demand.gpu < WHOLE {
                    demand.gpu == 0 || gpus.iter().any(|left| *left >= demand.gpu)
                } else {
                    let whole = gpus.iter().filter(|left| **left == WHOLE).count() as u64;
                    whole >= demand.gpu / WHOLE
                };
                let fits = stock.fits(&shape);
                assert_eq!(
                    fits,
                    enough_named && enough_gpus,
                    "{demand:?}, left {before:?} {gpus:?}"
                );
                match stock.take(&shape) {
                    Some(ids) => {
                        assert!(fits);
                        assert_eq!(ids.len() as u64, demand.gpu.div_ceil(WHOLE));
                        taken.push((demand, shape, ids));
                    }
                    None => assert!(!fits),
                }
            }
            let figures = stock.figures();
            let figures: Vec<_> = figures
                .map(|(name, _, left)| (name.to_owned(), left))
                .collect();
            assert_eq!(figures, left(&totals, &taken), "all or nothing");
        }
        for (_, shape, gpus) in taken.drain(..) {
            stock.give_back(&shape, &gpus);
        }
        assert!(
            stock.figures().all(|(_, total, left)| total == left),
            "seed {seed}"
        );
    }
}

#[test]
fn parts_go_where_the_least_is_left_so_that_whole_gpus_stay_whole() {
    let mut stock = Stock::new(&Totals {
        gpus: 3,
        ..Totals::default()
    });
    let mut take = |parts| {
        let demand = Demand {
            cpu: 0,
            gpu: parts,
            named: Vec::new(),
        };
        stock.shape(&demand).and_then(|shape| stock.take(&shape))
    };
    assert_eq!(take(4000).as_deref(), Some(&[0][..]));
    assert_eq!(take(4000).as_deref(), Some(&[0][..]));
    assert_eq!(take(4000).as_deref(), Some(&[1][..]));
    assert_eq!(take(2000).as_deref(), Some(&[0][..]));
    assert_eq!(take(2 * WHOLE), None);
    assert_eq!(take(WHOLE).as_deref(), Some(&[2][..]));
    assert_eq!(take(WHOLE), None);
}
