//! Nameless files on disk: what spilled objects go to, and memory that finds no room.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, path::Path};

#[cfg(target_os = "linux")]
use crate::fallocate;

/// Makes an empty file. Nobody else can find it, no child inherits it, and it is gone with the
/// process.
pub(crate) fn create(directory: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Mode, OFlags, open};

        // EXCL: it cannot be given a name later either.
        let flags = OFlags::TMPFILE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        // Older kernels and some file systems refuse this in various ways; a directory that is no
        // good is refused below once more.
        if let Ok(file) = open(directory, flags, Mode::RUSR | Mode::WUSR) {
            return Ok(file.into());
        }
    }
    named(directory)
}

/// A file whose name exists between two system calls. If the process dies between them, an empty
/// file stays behind.
fn named(directory: &Path) -> io::Result<File> {
    use std::{
        fs::{OpenOptions, remove_file},
        hash::{BuildHasher, RandomState},
        os::unix::fs::OpenOptionsExt,
    };

    const TRIES_MAX: u32 = 64;
    let random = RandomState::new();
    for attempt in 0..TRIES_MAX {
        let number = random.hash_one((std::process::id(), attempt));
        let path = directory.join(format!(".mobula-{number:016x}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        match options.open(&path) {
            Ok(file) => {
                remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "every name tried is taken",
    ))
}

/// Puts blocks behind the first bytes of an empty file, so that writing there cannot fail later.
pub(crate) fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::io::Errno;

        match fallocate::take(file, 0..bytes) {
            Err(error) if error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) => {}
            settled => return settled,
        }
    }
    write_zeros(file, bytes)
}

/// What is left where blocks can only be had by writing.
fn write_zeros(file: &File, bytes: u64) -> io::Result<()> {
    const PIECE_BYTES: u64 = 1 << 20;
    let zeros = vec![0; PIECE_BYTES as usize];
    let mut at = 0;
    while at < bytes {
        let len = PIECE_BYTES.min(bytes - at);
        file.write_all_at(&zeros[..len as usize], at)?;
        at += len;
    }
    Ok(())
}

/// Gives the disk a range back, where that can be done: it reads as zeros.
pub(crate) fn punch(file: &File, range: Range<u64>) {
    // Refused by some file systems; then the space waits to be used again.
    #[cfg(target_os = "linux")]
    let _ = fallocate::punch(file, range);
    #[cfg(not(target_os = "linux"))]
    let _ = (file, range);
}

/// Whether an error says that the disk, the user's share of it, or the largest file is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};

    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn what_is_reserved_has_blocks() {
        for reserve in [reserve, write_zeros] {
            let file = create(&std::env::temp_dir()).unwrap();
            reserve(&file, (3 << 20) + 5).unwrap();
            let metadata = file.metadata().unwrap();
            assert_eq!(metadata.len(), (3 << 20) + 5);
            assert!(metadata.blocks() * 512 >= metadata.len());
        }
    }

    #[test]
    fn nothing_of_a_file_can_be_seen_or_inherited() {
        let directory = std::env::temp_dir().join(format!("mobula-disk-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        for make in [create, named] {
            let file = make(&directory).unwrap();
            let metadata = file.metadata().unwrap();
            assert_eq!(
                (metadata.nlink(), metadata.mode() & 0o777, metadata.len()),
                (0, 0o600, 0)
            );
            let flags = rustix::io::fcntl_getfd(&file).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        }
        std::fs::remove_dir(&directory).unwrap();
        for make in [create, named] {
            let error = make(&directory).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }
}
