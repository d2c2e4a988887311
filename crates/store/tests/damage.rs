//! A spill file that somebody damages: each object comes back as it was, or is said to be lost, whatever was written where.
//!
//! `npm run fuzz -- spill` runs this for longer and with other seeds.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    fs::File,
    os::unix::fs::FileExt,
    panic::{self, AssertUnwindSafe},
    time::{Duration, Instant},
};

use mobula_store::Object;
use support::{MIB, Scratch, check, put, threads::Random};

/// What every `cargo test` does; half a second.
const ROUNDS: u64 = 30;
const STEPS: u64 = 300;
/// The spill file's unit, and what it gives back as one.
const GRAINS: [u64; 3] = [1, 512, 128 * 512];

#[derive(Debug, Default)]
struct Report {
    rounds: u64,
    damages: u64,
    read: u64,
    lost: u64,
}

/// A range of the file and what had been there, to mend it.
struct Damage {
    offset: u64,
    before: Vec<u8>,
    len_before: u64,
}

fn len_of(random: &mut Random) -> u64 {
    let most = [1, 100, 600, 17_000, 90_000, 400_000][random.below(6) as usize];
    random.below(most) + 1
}

fn read_at(file: &File, offset: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) => panic!("{error}"),
        }
    }
    bytes.truncate(filled);
    bytes
}

/// Damages something, if there is anything in the file.
fn damage(file: &File, random: &mut Random) -> Option<Damage> {
    let size = file.metadata().unwrap().len();
    if size == 0 {
        return None;
    }
    let grain = GRAINS[random.below(3) as usize];
    let offset = random.below(size) / grain * grain;
    let len = (grain * (1 + random.below(3))).min(size - offset);
    let kept = |offset, len| Damage {
        offset,
        before: read_at(file, offset, len),
        len_before: size,
    };
    let done = match random.below(6) {
        // One bit.
        0 => {
            let done = kept(offset, 1);
            let bit = 1 << random.below(8);
            file.write_all_at(&[done.before[0] ^ bit], offset).unwrap();
            done
        }
        // What a bad block, or somebody else's file, may look like.
        1 => {
            let done = kept(offset, len);
            let noise: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
            file.write_all_at(&noise, offset).unwrap();
            done
        }
        2 => {
            let done = kept(offset, len);
            file.write_all_at(&vec![0; len as usize], offset).unwrap();
            done
        }
        // Blocks in each other's place, which are right in themselves.
        3 => {
            let other = random.below(size) / grain * grain;
            let (low, high) = (offset.min(other), offset.max(other));
            let done = kept(low, size - low);
            let len = len.min(size - high).min((high - low).max(1));
            let (first, second) = (read_at(file, low, len), read_at(file, high, len));
            file.write_all_at(&second, low).unwrap();
            file.write_all_at(&first, high).unwrap();
            done
        }
        // One record twice.
        4 => {
            let to = random.below(size) / grain * grain;
            let len = len.min(size - to);
            let done = kept(to, len);
            file.write_all_at(&read_at(file, offset, len), to).unwrap();
            done
        }
        // Cut off, or with something behind its end.
        _ => {
            let end = random.below(2 * size);
            let done = kept(end.min(size), size - end.min(size));
            file.set_len(end).unwrap();
            done
        }
    };
    Some(done)
}

fn mend(file: &File, damage: Damage) {
    file.set_len(damage.len_before).unwrap();
    file.write_all_at(&damage.before, damage.offset).unwrap();
}

fn round(scratch: &Scratch, seed: u64, report: &mut Report) {
    let mut random = Random::new(seed);
    let store = scratch.store(MIB);
    let file = scratch.spill_file();
    // In some rounds all damage is mended before anybody looks: then nothing may be lost.
    let mends = random.below(3) == 0;
    let mut objects: Vec<(Object, u64, u64)> = Vec::new();
    let mut damages = 0;
    for step in 0..STEPS {
        match random.below(10) {
            0..=5 => {
                let len = len_of(&mut random);
                objects.push((put(&store, step, len), step, len));
            }
            6 if !objects.is_empty() => {
                let at = random.below(objects.len() as u64) as usize;
                assert!(store.release(objects.swap_remove(at).0));
            }
            7 | 8 if !objects.is_empty() => {
                let at = random.below(objects.len() as u64) as usize;
                let (object, name, len) = objects[at];
                report.read += 1;
                match store.pin(object) {
                    Ok(pin) => check(&pin, name, len),
                    Err(error) => {
                        assert!(error.is_lost(), "{error}");
                        assert!(damages > 0, "lost without damage");
                        assert!(store.pin(object).unwrap_err().is_lost(), "for good");
                        report.lost += 1;
                        assert!(store.release(object));
                        objects.swap_remove(at);
                    }
                }
            }
            9 => {
                if let Some(done) = damage(&file, &mut random) {
                    if mends {
                        mend(&file, done);
                    } else {
                        damages += 1;
                    }
                }
            }
            _ => {}
        }
    }
    for (object, name, len) in objects {
        report.read += 1;
        match store.pin(object) {
            Ok(pin) => check(&pin, name, len),
            Err(error) => {
                assert!(error.is_lost() && damages > 0, "{error}");
                report.lost += 1;
            }
        }
        assert!(store.release(object));
    }
    let stats = store.stats();
    assert_eq!((stats.objects, stats.bytes, stats.pins), (0, 0, 0));
    assert_eq!((stats.spilled, stats.spilled_objects), (0, 0));
    report.damages += damages;
    report.rounds += 1;
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn a_damaged_file_never_gives_wrong_bytes() {
    let scratch = Scratch::new("fuzz");
    let first = number("MOBULA_FUZZ_SEED").unwrap_or(1);
    let time = number("MOBULA_FUZZ_SECONDS").map(Duration::from_secs);
    let start = Instant::now();
    let mut report = Report::default();
    let mut seed = first;
    while time.map_or(seed < first + ROUNDS, |time| start.elapsed() < time) {
        let run = AssertUnwindSafe(|| round(&scratch, seed, &mut report));
        if let Err(panic) = panic::catch_unwind(run) {
            eprintln!("again with: npm run fuzz -- spill --seconds 1 --seed {seed}");
            panic::resume_unwind(panic);
        }
        seed += 1;
    }
    let Report {
        rounds,
        damages,
        read,
        lost,
    } = report;
    eprintln!(
        "seed {first}: {rounds} files with {damages} damages; {read} objects read, {lost} lost"
    );
    if rounds >= ROUNDS {
        assert!(
            damages > 0 && lost > 0 && lost < read / 2,
            "nothing was tried"
        );
    }
}
