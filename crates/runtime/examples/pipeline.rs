//! A pipeline of tasks as plain closures over ports and threads: the runtime works without Node.
//!
//! `cargo run --release -p mobula-runtime --example pipeline`

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;

use support::crew::{Crew, Ended};
use support::record::Outcome;

const PARTS: u64 = 64;
const PART: u64 = 10_000;

fn number(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Value { bytes, .. } => bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        other => panic!("a value was expected, not {other:?}"),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut crew = Crew::new(support::runtime(2, 8));
    // Squares of one part of the numbers, summed.
    let part = crew.define("part", |_, record| {
        let k = u64::from(record.bytes[0]);
        let sum: u64 = (k * PART..(k + 1) * PART).map(|n| n * n).sum();
        Ok(Ended::Value(sum.to_le_bytes().to_vec()))
    });
    // Two sums, each the value of a task before it.
    let add = crew.define("add", |context, record| {
        let sum: u64 = context.fetch(&record.deps).iter().map(number).sum();
        Ok(Ended::Value(sum.to_le_bytes().to_vec()))
    });
    let mut layer: Vec<_> = (0..PARTS)
        .map(|k| crew.driver.submit(part, &[k as u8], &[], &[]))
        .collect();
    while layer.len() > 1 {
        // The values between the layers are nobody's but the tasks': they are freed on the way.
        let above = layer
            .chunks(2)
            .map(|pair| crew.driver.submit(add, &[], pair, &[]))
            .collect();
        layer.into_iter().for_each(|key| crew.driver.release(key));
        layer = above;
    }
    let total = number(&crew.get(&layer)[0]);
    let n = PARTS * PART;
    assert_eq!(total, (n - 1) * n * (2 * n - 1) / 6);
    let runtime = crew.runtime.clone();
    let threads = crew.stop();
    support::assert_empty(&runtime);
    let line = format!("sum of the squares below {n}: {total}, on {threads} threads\n");
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes())?;
    Ok(())
}
