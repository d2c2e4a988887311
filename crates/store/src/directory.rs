//! Where spilled objects may go: a directory that lies on a disk and not, again, in memory.

use std::path::{Path, PathBuf};

use crate::{Error, disk};

/// Chooses the directory for [`StoreConfig::spill`](crate::StoreConfig::spill): the one preferred;
/// else the folder for temporary files, or `/var/tmp` if that one lies in memory; nothing if that
/// does too, since spilling would only take memory from memory.
///
/// # Errors
/// [`Error::is_bad_directory`]: the one preferred does not exist, or no file can be made there.
///
/// ```
/// let directory = mobula_store::spill_directory(None)?;
/// assert!(directory.is_none_or(|directory| directory.is_dir()));
/// # Ok::<(), mobula_store::Error>(())
/// ```
pub fn spill_directory(preferred: Option<&Path>) -> Result<Option<PathBuf>, Error> {
    if let Some(path) = preferred {
        disk::create(path).map_err(|error| Error::bad_directory(path, error))?;
        return Ok(Some(path.to_owned()));
    }
    let mut candidates = [std::env::temp_dir(), PathBuf::from("/var/tmp")].into_iter();
    Ok(candidates.find(|path| !is_in_memory(path) && disk::create(path).is_ok()))
}

#[cfg(target_os = "linux")]
fn is_in_memory(path: &Path) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    // Widened as the field's type, which is not the same everywhere, prescribes: magic numbers
    // have 32 bits.
    rustix::fs::statfs(path)
        .is_ok_and(|found| [TMPFS, RAMFS].contains(&(found.f_type as u64 & 0xffff_ffff)))
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_told_from_disk() {
        for path in ["/dev/shm", "/run", "/sys/fs/cgroup", "/proc"] {
            let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
            let kind = mounts.lines().rev().find_map(|line| {
                let mut fields = line.split(' ').skip(1);
                (fields.next() == Some(path))
                    .then(|| fields.next())
                    .flatten()
            });
            if let Some(kind) = kind {
                let expected = matches!(kind, "tmpfs" | "ramfs");
                assert_eq!(is_in_memory(Path::new(path)), expected, "{path} is {kind}");
            }
        }
    }

    #[test]
    fn a_preferred_directory_is_taken_or_refused() {
        let path = std::env::temp_dir();
        assert_eq!(spill_directory(Some(&path)).unwrap(), Some(path.clone()));
        let missing = path.join("mobula-no-such-directory");
        let error = spill_directory(Some(&missing)).unwrap_err();
        assert!(error.is_bad_directory() && !error.is_full());
        assert!(error.to_string().contains("mobula-no-such-directory"));
    }
}
