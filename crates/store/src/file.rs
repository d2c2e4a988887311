//! Nameless files in memory: what segments are made of.

use std::{fs::File, io};

use crate::config::Backing;

/// Makes an empty file of that size. Nobody else can find it, and it is gone with the process.
pub(crate) fn create(backing: Backing, bytes: u64) -> io::Result<File> {
    let file = match backing {
        #[cfg(target_os = "linux")]
        Backing::File => memfd()?,
        _ => posix()?,
    };
    // Once only: other Unixes refuse to change the size of a shared memory object again.
    rustix::fs::ftruncate(&file, bytes)?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn memfd() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create("mobula", MemfdFlags::CLOEXEC)?.into())
}

/// A POSIX shared memory object without its name: that exists between two system calls. If the
/// process dies between them, an empty object stays behind.
fn posix() -> io::Result<File> {
    use std::hash::{BuildHasher, RandomState};

    use rustix::{
        fs::Mode,
        io::{Errno, FdFlags, fcntl_setfd},
        shm,
    };

    const TRIES_MAX: u32 = 64;
    let random = RandomState::new();
    for attempt in 0..TRIES_MAX {
        // At most 31 bytes, which is all that macOS allows.
        let name = format!(
            "/mobula-{:016x}",
            random.hash_one((std::process::id(), attempt))
        );
        let flags = shm::OFlags::CREATE | shm::OFlags::EXCL | shm::OFlags::RDWR;
        match shm::open(&name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => {
                shm::unlink(&name)?;
                fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
                return Ok(fd.into());
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "every name tried is taken",
    ))
}
