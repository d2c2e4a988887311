//! How much memory is left for this process: what the machine has, and what the cgroups that the
//! process is in allow, less a reserve.

use std::path::{Path, PathBuf};

/// What stays free of every limit, at the least: what a thread touches for the first time between
/// two looks (about 1 GB/s), or what two more stores take in that time.
const RESERVE_BYTES_MIN: u64 = 64 << 20;

/// And at the most this part of it, or a small container could hold no object at all.
const RESERVE_SHARE_MAX: u64 = 4;

/// On large machines and in large containers more goes on at the same time: a twentieth.
const RESERVE_SHARE: u64 = 20;

/// What version 1 calls no limit is a little less than 2^63.
const LIMIT_BYTES_MAX: u64 = 1 << 60;

/// How many bytes more may be taken from the system without the reserve; nothing if it does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn memory_left() -> Option<u64> {
    left(&|path| std::fs::read_to_string(path).ok())
}

/// No other system tells in files, and how much there is to take from none knows exactly.
#[cfg(not(target_os = "linux"))]
pub(crate) fn memory_left() -> Option<u64> {
    None
}

/// The text of a file, if there is one.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "tested everywhere")
)]
fn left(read: Read<'_>) -> Option<u64> {
    // Each time anew: a process can be moved to another cgroup.
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let folders = groups.lines().flat_map(folders);
    let allowed = folders.filter_map(|folder| left_in_group(read, &folder));
    left_in_machine(read).into_iter().chain(allowed).min()
}

fn left_in_machine(read: Read<'_>) -> Option<u64> {
    let text = read(Path::new("/proc/meminfo"))?;
    let bytes = |name| field(&text, name)?.checked_mul(1024);
    Some(less_reserve(bytes("MemTotal:")?, bytes("MemAvailable:")?))
}

/// The folders of one line of `/proc/self/cgroup` in which a memory limit may stand: the process's
/// own and all above it. Those that this process cannot see, because it sees its own as the root,
/// do not exist and say nothing.
fn folders(line: &str) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
        return Vec::new();
    };
    let root = Path::new("/sys/fs/cgroup");
    let root = match controllers {
        // Version 2 has one tree for everything.
        "" => root.to_owned(),
        _ if controllers.split(',').any(|name| name == "memory") => root.join(controllers),
        _ => return Vec::new(),
    };
    let below = Path::new(path.trim_start_matches('/')).ancestors();
    below.map(|path| root.join(path)).collect()
}

/// Nothing: there is no limit.
fn left_in_group(read: Read<'_>, folder: &Path) -> Option<u64> {
    let text = |name| read(&folder.join(name));
    // A word in the place of a number says that there is none.
    let bytes = |name| text(name)?.trim().parse().ok();
    // Who passes `high` is not killed, but slowed down until it stands still: what is in the store
    // cannot be reclaimed without swap.
    let limits = ["memory.max", "memory.high", "memory.limit_in_bytes"];
    let limit = limits.into_iter().filter_map(bytes).min();
    let limit = limit.filter(|&limit: &u64| limit < LIMIT_BYTES_MAX)?;
    let taken = bytes("memory.current").or_else(|| bytes("memory.usage_in_bytes"))?;
    // Pages of files that nobody has asked for again count as taken, and are given up for the
    // asking: without this, reading a large file would leave no memory. Version 1 tells of the
    // group alone without `total`.
    let stat = text("memory.stat").unwrap_or_default();
    let idle = field(&stat, "total_inactive_file").or_else(|| field(&stat, "inactive_file"));
    let taken = taken.saturating_sub(idle.unwrap_or(0));
    Some(less_reserve(limit, limit.saturating_sub(taken)))
}

fn less_reserve(limit: u64, left: u64) -> u64 {
    let reserve = (limit / RESERVE_SHARE).max(RESERVE_BYTES_MIN);
    left.saturating_sub(reserve.min(limit / RESERVE_SHARE_MAX))
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    /// A machine with 16 GiB, of which 8 GiB and its reserve are left, and these files.
    fn left_with(files: &[(&str, &str)]) -> u64 {
        let meminfo = "MemTotal:       16777216 kB\nMemFree:          123456 kB\n\
                       MemAvailable:    9227468 kB\nBuffers:           52700 kB\n";
        let left = left(&|path| {
            let meminfo = [("/proc/meminfo", meminfo)];
            let mut all = files.iter().chain(&meminfo);
            all.find_map(|(name, text)| (Path::new(name) == path).then(|| (*text).to_owned()))
        });
        left.unwrap()
    }

    /// Without the fraction that the twentieth of 16 GiB has.
    const MACHINE: u64 = 8 * GIB;

    #[test]
    fn a_machine_without_limits_has_what_is_available_less_the_reserve() {
        assert_eq!(left_with(&[]).div_ceil(1 << 20) << 20, MACHINE);
        assert_eq!(left(&|_| None), None);
        assert_eq!(left(&|_| Some("no numbers: here".to_owned())), None);
        let old = |path: &Path| {
            path.ends_with("meminfo")
                .then(|| "MemTotal: 100 kB".to_owned())
        };
        assert_eq!(left(&old), None, "an old kernel does not tell");
    }

    #[test]
    fn the_narrowest_of_nested_groups_counts() {
        let group = ("/proc/self/cgroup", "0::/pods/one/main\n");
        let outer = [
            ("/sys/fs/cgroup/pods/memory.max", "4294967296\n"),
            ("/sys/fs/cgroup/pods/memory.current", "3221225472\n"),
            (
                "/sys/fs/cgroup/pods/memory.stat",
                "anon 5\nfile 7\ninactive_file 104857600\nactive_file 9\n",
            ),
        ];
        let inner = [
            ("/sys/fs/cgroup/pods/one/main/memory.max", "1073741824\n"),
            ("/sys/fs/cgroup/pods/one/main/memory.current", "268435456\n"),
        ];
        let open = [
            ("/sys/fs/cgroup/pods/one/memory.max", "max\n"),
            ("/sys/fs/cgroup/pods/one/memory.high", "max\n"),
            ("/sys/fs/cgroup/pods/one/memory.current", "3221225472\n"),
        ];
        let files = [&[group], &outer[..], &open].concat();
        let left = GIB + 100 * MIB - 4 * GIB / 20;
        assert_eq!(left_with(&files), left);
        let files = [&[group], &outer[..], &inner, &open].concat();
        assert_eq!(left_with(&files), 768 * MIB - 64 * MIB);
        let files = [&[group], &inner[..], &open].concat();
        assert_eq!(left_with(&files), 768 * MIB - 64 * MIB);
    }

    #[test]
    fn a_container_sees_its_own_limits_at_the_root() {
        for path in ["/", "/../../elsewhere", "/docker/0123 (deleted)"] {
            let group = format!("0::{path}\n");
            let files = [
                ("/proc/self/cgroup", &*group),
                ("/sys/fs/cgroup/memory.max", "536870912\n"),
                ("/sys/fs/cgroup/memory.current", "104857600\n"),
            ];
            assert_eq!(left_with(&files), (512 - 100 - 64) * MIB, "{path}");
        }
    }

    #[test]
    fn what_slows_down_counts_like_what_kills() {
        let files = [
            ("/proc/self/cgroup", "0::/\n"),
            ("/sys/fs/cgroup/memory.max", "1073741824\n"),
            ("/sys/fs/cgroup/memory.high", "536870912\n"),
            ("/sys/fs/cgroup/memory.current", "104857600\n"),
        ];
        assert_eq!(left_with(&files), (512 - 100 - 64) * MIB);
    }

    #[test]
    fn version_1_has_a_tree_for_memory() {
        let group = (
            "/proc/self/cgroup",
            "11:cpu,cpuacct:/a\n4:memory:/a:b/c\n1:name=systemd:/a\n0::/\n",
        );
        let unlimited = [
            (
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/a/memory.limit_in_bytes", "5\n"),
        ];
        let files = [&[group], &unlimited[..]].concat();
        assert_eq!(left_with(&files), left_with(&[]));
        let limited = [
            (
                "/sys/fs/cgroup/memory/a:b/memory.limit_in_bytes",
                "1073741824\n",
            ),
            (
                "/sys/fs/cgroup/memory/a:b/memory.usage_in_bytes",
                "209715200\n",
            ),
            (
                "/sys/fs/cgroup/memory/a:b/memory.stat",
                "inactive_file 1\ntotal_inactive_file 104857600\n",
            ),
        ];
        let files = [&[group], &unlimited[..], &limited].concat();
        assert_eq!(left_with(&files), (1024 - 100 - 64) * MIB);
    }

    #[test]
    fn a_small_group_keeps_a_quarter_in_reserve_and_a_full_one_has_nothing_left() {
        for (current, left) in [
            ("0", 96),
            ("67108864", 32),
            ("104857600", 0),
            ("999999999", 0),
        ] {
            let files = [
                ("/proc/self/cgroup", "0::/\n"),
                ("/sys/fs/cgroup/memory.max", "134217728\n"),
                ("/sys/fs/cgroup/memory.current", current),
            ];
            assert_eq!(left_with(&files), left * MIB);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_tells() {
        assert!(memory_left().is_some());
    }
}
