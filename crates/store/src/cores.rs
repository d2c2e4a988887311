//! How many cores of the machine have nothing to run at this moment, whoever else runs on it.

use std::fs::read_to_string;

/// Nothing: the system does not tell. Takes some 20 us.
pub(crate) fn idle() -> Option<usize> {
    let load = read_to_string("/proc/loadavg").ok()?;
    // Those of the machine, as the load is the machine's: a container has fewer.
    let online = read_to_string("/sys/devices/system/cpu/online").ok()?;
    Some(count(&online)?.saturating_sub(runnable(&load)?))
}

/// Threads that run or could, the one that asks among them: `0.00 0.01 0.05 1/234 5678`.
fn runnable(load: &str) -> Option<usize> {
    let threads = load.split_ascii_whitespace().nth(3)?;
    threads.split_once('/')?.0.parse().ok()
}

/// How many there are in a list such as `0-3,6`.
fn count(list: &str) -> Option<usize> {
    list.trim().split(',').try_fold(0, |total, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let last: usize = last.parse().ok()?;
        Some(total + (last + 1).checked_sub(first.parse().ok()?)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_counted() {
        for (list, cores) in [("0\n", 1), ("0-1\n", 2), ("0-3,6,8-9", 7)] {
            assert_eq!(count(list), Some(cores), "{list}");
        }
        for list in ["", "none", "3-1", "0-"] {
            assert_eq!(count(list), None, "{list}");
        }
    }

    #[test]
    fn those_that_run_are_told_from_those_that_sleep() {
        assert_eq!(runnable("0.20 0.18 0.12 3/80 11206\n"), Some(3));
        for load in ["", "0.20 0.18 0.12", "0.2 0.1 0.1 3 4"] {
            assert_eq!(runnable(load), None, "{load}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_one_that_asks_has_a_core_to_itself() {
        let online = count(&read_to_string("/sys/devices/system/cpu/online").unwrap()).unwrap();
        assert!(idle().unwrap() < online);
    }
}
