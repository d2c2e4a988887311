//! Huge pages without a privilege, without a setting of the machine and without its reserve: asked
//! for run by run with `MADV_COLLAPSE` (Linux 6.1).
//!
//! The kernel refuses to collapse a hole, but is content with one page: the rest of the run comes
//! zeroed with the huge page. So a run costs half of what 512 pages cost that are taken one by one,
//! and then is filled at full speed, read by others without 512 faults, and looked through for
//! written pages at once.

use std::{io, ops::Range};

use crate::{layout::RUN_BYTES, segment::Segment};

/// How many times memory is taken in small pages after the system had no huge ones: it looks for
/// them in vain long enough to be noticed.
const REST: u32 = 64;

/// Whether huge pages are asked for.
#[derive(Debug)]
pub(crate) struct HugePages {
    /// How many times they are not; [`u32::MAX`]: never again.
    rest: u32,
}

/// What lies behind memory that has just been committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pages {
    /// Not mapped yet: each costs a fault and is zeroed by it.
    Small,
    /// Mapped and zeroed.
    Huge,
}

impl HugePages {
    pub(crate) fn new(are_wanted: bool) -> Self {
        Self {
            rest: if are_wanted { 0 } else { u32::MAX },
        }
    }

    /// Puts memory behind a range, in huge pages if it is made up of whole runs and they can be had.
    pub(crate) fn commit(&mut self, segment: &Segment, range: Range<u64>) -> io::Result<Pages> {
        let is_whole = range.start.is_multiple_of(RUN_BYTES) && range.end.is_multiple_of(RUN_BYTES);
        let mut pages = Pages::Small;
        if is_whole && self.may_ask() {
            match segment.collapse(range.clone()) {
                Ok(()) => pages = Pages::Huge,
                Err(error) => self.give_up(&error),
            }
        }
        // In any case: it says for certain whether there is memory, and adds what is missing.
        segment.commit(range)?;
        Ok(pages)
    }

    fn may_ask(&mut self) -> bool {
        if self.rest == 0 {
            return true;
        }
        if self.rest < u32::MAX {
            self.rest -= 1;
        }
        false
    }

    fn give_up(&mut self, error: &io::Error) {
        use rustix::io::Errno;

        // Memory in pieces, a cgroup at its limit, a page that somebody holds: that can pass.
        let passes = [
            Errno::NOMEM,
            Errno::BUSY,
            Errno::AGAIN,
            Errno::NOSPC,
            Errno::INTR,
        ];
        let passes = Errno::from_io_error(error).is_some_and(|errno| passes.contains(&errno));
        self.rest = if passes { REST } else { u32::MAX };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Backing;

    const BYTES: u64 = 4 * RUN_BYTES;

    fn refuse(errno: rustix::io::Errno) -> HugePages {
        let mut huge = HugePages::new(true);
        huge.give_up(&errno.into());
        huge
    }

    #[test]
    fn what_cannot_be_is_asked_for_once() {
        for errno in [rustix::io::Errno::INVAL, rustix::io::Errno::NOSYS] {
            let mut huge = refuse(errno);
            assert!((0..1000).all(|_| !huge.may_ask()));
        }
        let mut unwanted = HugePages::new(false);
        assert!((0..1000).all(|_| !unwanted.may_ask()));
    }

    #[test]
    fn what_is_not_there_now_is_asked_for_again_later() {
        let mut huge = refuse(rustix::io::Errno::NOMEM);
        assert!((0..REST).all(|_| !huge.may_ask()));
        assert!(huge.may_ask() && huge.may_ask());
    }

    #[test]
    fn a_backing_without_them_commits_all_the_same() {
        let segment = Segment::new(Backing::Heap { bytes_max: BYTES }, BYTES).unwrap();
        let mut huge = HugePages::new(true);
        assert_eq!(huge.commit(&segment, 0..BYTES).unwrap(), Pages::Small);
        assert_eq!(huge.rest, u32::MAX);
        let error = huge.commit(&segment, 0..BYTES).unwrap_err();
        assert_eq!(
            error.raw_os_error(),
            Some(rustix::io::Errno::NOSPC.raw_os_error())
        );
    }

    #[cfg(target_os = "linux")]
    mod linux {
        use std::os::unix::fs::{FileExt, MetadataExt};

        use super::*;

        fn committed(segment: &Segment) -> u64 {
            segment.file().unwrap().metadata().unwrap().blocks() * 512
        }

        fn read(segment: &Segment, range: Range<u64>) -> Vec<u8> {
            let mut bytes = vec![1; (range.end - range.start) as usize];
            let file = segment.file().unwrap();
            file.read_exact_at(&mut bytes, range.start).unwrap();
            bytes
        }

        /// How much of a segment's own mapping is mapped by huge pages.
        fn mapped_huge(segment: &Segment) -> u64 {
            let start = format!("{:x}-", segment.address(0, 0).as_ptr().addr());
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let lines = maps.lines().skip_while(|line| !line.starts_with(&start));
            let mut fields = lines.filter_map(|line| line.strip_prefix("ShmemPmdMapped:"));
            let kib = fields.next().unwrap().trim().trim_end_matches(" kB");
            kib.parse::<u64>().unwrap() << 10
        }

        #[test]
        fn whole_runs_are_huge_and_zero_or_small_and_all_there() {
            let segment = Segment::new(Backing::File, BYTES).unwrap();
            let mut huge = HugePages::new(true);
            let range = RUN_BYTES..3 * RUN_BYTES;
            let pages = huge.commit(&segment, range.clone()).unwrap();
            assert_eq!(committed(&segment), 2 * RUN_BYTES);
            // A kernel or a container that has none is told by nothing but their absence.
            let expected = match pages {
                Pages::Huge => 2 * RUN_BYTES,
                Pages::Small => 0,
            };
            assert_eq!(mapped_huge(&segment), expected);
            assert!(read(&segment, range).iter().all(|byte| *byte == 0));
        }

        #[test]
        fn what_is_in_a_run_stays_there_when_it_becomes_huge() {
            let segment = Segment::new(Backing::File, BYTES).unwrap();
            segment.commit(0..RUN_BYTES / 2).unwrap();
            let file = segment.file().unwrap();
            file.write_all_at(b"here", 12_345).unwrap();
            let _ = HugePages::new(true).commit(&segment, 0..RUN_BYTES).unwrap();
            assert_eq!(read(&segment, 12_344..12_350), b"\0here\0");
            assert_eq!(committed(&segment), RUN_BYTES);
        }

        #[test]
        fn a_hole_in_a_huge_run_gives_its_memory_back() {
            let page = crate::layout::page_bytes();
            let segment = Segment::new(Backing::File, BYTES).unwrap();
            let _ = HugePages::new(true).commit(&segment, 0..BYTES).unwrap();
            let file = segment.file().unwrap();
            file.write_all_at(b"kept", 0).unwrap();
            crate::fallocate::punch(file, page..RUN_BYTES).unwrap();
            assert_eq!(committed(&segment), BYTES - RUN_BYTES + page);
            assert_eq!(read(&segment, 0..5), b"kept\0");
        }

        #[test]
        fn unwanted_ones_are_not_taken() {
            let segment = Segment::new(Backing::File, BYTES).unwrap();
            let mut huge = HugePages::new(false);
            assert_eq!(huge.commit(&segment, 0..BYTES).unwrap(), Pages::Small);
            assert_eq!((committed(&segment), mapped_huge(&segment)), (BYTES, 0));
        }
    }
}
