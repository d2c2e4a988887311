//! Which pages of a private mapping have been written: asks the kernel.
//!
//! A written page of a private mapping is an anonymous one; all others are pages of the file, or
//! not there. Three ways to tell, tried in this order: the `PAGEMAP_SCAN` call (Linux 6.7), the
//! file `/proc/self/pagemap` (any Linux with `/proc`), and not at all.
#![allow(unsafe_code, reason = "PAGEMAP_SCAN takes addresses")]

use std::{fs::File, ops::Range, ptr::NonNull};

use crate::{config::Scan, layout::page_bytes};

/// How to tell, settled once per store. Works from any thread.
#[derive(Debug)]
pub(crate) enum Scanner {
    #[cfg(target_os = "linux")]
    Call(File),
    PageMap(File),
    Blind,
}

/// What has been written, in bytes from the start of the range that was asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    Nothing,
    /// Whole pages, by address.
    Pages(Vec<Range<usize>>),
    /// Cannot be told: take all for written.
    Unknown,
}

impl Scanner {
    /// Finds the best way that works and is asked for.
    pub(crate) fn new(scan: Scan) -> Self {
        if scan == Scan::Never || !cfg!(target_os = "linux") {
            return Self::Blind;
        }
        let Ok(file) = File::open("/proc/self/pagemap") else {
            return Self::Blind;
        };
        // A page on the stack: present, anonymous, and so "written", if this works at all.
        let probe = [1_u8; 1];
        let page = page_bytes() as usize;
        let start = NonNull::from_ref(&probe).cast::<u8>();
        let start = start.map_addr(|address| {
            std::num::NonZero::new(address.get() & !(page - 1)).unwrap_or(address)
        });
        let written = Written::Pages(vec![Range {
            start: 0,
            end: page,
        }]);
        #[cfg(target_os = "linux")]
        if scan == Scan::Best {
            let Ok(file) = file.try_clone() else {
                return Self::Blind;
            };
            let scanner = Self::Call(file);
            if scanner.written(start, page) == written {
                return scanner;
            }
        }
        let scanner = Self::PageMap(file);
        if scanner.written(start, page) == written {
            scanner
        } else {
            Self::Blind
        }
    }

    /// Which pages of a range have been written. The range begins at a page.
    pub(crate) fn written(&self, start: NonNull<u8>, bytes: usize) -> Written {
        let mut pages = Vec::new();
        let base = start.as_ptr().addr();
        let range = base..base + bytes.next_multiple_of(page_bytes() as usize);
        let found = match self {
            #[cfg(target_os = "linux")]
            Self::Call(file) => call(file, range, &mut pages),
            Self::PageMap(file) => read(file, range, &mut pages),
            Self::Blind => None,
        };
        match found {
            None => Written::Unknown,
            Some(()) if pages.is_empty() => Written::Nothing,
            Some(()) => Written::Pages(
                pages
                    .into_iter()
                    .map(|range| range.start - base..range.end - base)
                    .collect(),
            ),
        }
    }
}

/// `struct pm_scan_arg` of `linux/fs.h`.
#[cfg(target_os = "linux")]
#[repr(C)]
#[derive(Debug, Default)]
struct ScanArgument {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `struct page_region` of `linux/fs.h`.
#[cfg(target_os = "linux")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

#[cfg(target_os = "linux")]
fn call(file: &File, range: Range<usize>, pages: &mut Vec<Range<usize>>) -> Option<()> {
    use std::os::fd::AsRawFd;

    const PAGE_IS_FILE: u64 = 1 << 2;
    const PAGE_IS_PRESENT: u64 = 1 << 3;
    const PAGE_IS_SWAPPED: u64 = 1 << 4;
    /// `_IOWR('f', 16, struct pm_scan_arg)`.
    const PAGEMAP_SCAN: u64 =
        3 << 30 | (size_of::<ScanArgument>() as u64) << 16 | (b'f' as u64) << 8 | 16;
    const REGIONS_MAX: usize = 64;
    const _: () = assert!(size_of::<ScanArgument>() == 96 && size_of::<PageRegion>() == 24);

    let mut regions = [PageRegion::default(); REGIONS_MAX];
    let mut at = range.start as u64;
    while at < range.end as u64 {
        let mut argument = ScanArgument {
            size: size_of::<ScanArgument>() as u64,
            start: at,
            end: range.end as u64,
            vec: regions.as_mut_ptr().expose_provenance() as u64,
            vec_len: REGIONS_MAX as u64,
            category_inverted: PAGE_IS_FILE,
            category_mask: PAGE_IS_FILE,
            category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
            return_mask: PAGE_IS_PRESENT,
            ..ScanArgument::default()
        };
        // SAFETY: the argument is the one this call expects, and `vec` and `vec_len` describe
        // `regions`, which lives on; nothing else is written.
        let found = unsafe {
            libc::ioctl(
                file.as_raw_fd(),
                PAGEMAP_SCAN as libc::Ioctl,
                &raw mut argument,
            )
        };
        let found = usize::try_from(found)
            .ok()
            .filter(|&found| found <= REGIONS_MAX)?;
        for region in &regions[..found] {
            push(pages, region.start as usize..region.end as usize);
        }
        // Before the end it stops only for want of regions, behind the last one found.
        if argument.walk_end <= at {
            return None;
        }
        at = argument.walk_end;
    }
    Some(())
}

fn read(file: &File, range: Range<usize>, pages: &mut Vec<Range<usize>>) -> Option<()> {
    use std::os::unix::fs::FileExt;

    const PRESENT: u64 = 1 << 63;
    const SWAPPED: u64 = 1 << 62;
    const FILE: u64 = 1 << 61;
    const WORD_BYTES: usize = size_of::<u64>();
    const WORDS_MAX: usize = 512;

    let page = page_bytes() as usize;
    let mut words = [[0; WORD_BYTES]; WORDS_MAX];
    let mut at = range.start;
    while at < range.end {
        let count = WORDS_MAX.min((range.end - at) / page);
        let words = &mut words[..count];
        file.read_exact_at(words.as_flattened_mut(), (at / page * WORD_BYTES) as u64)
            .ok()?;
        for word in words {
            let word = u64::from_ne_bytes(*word);
            if word & (PRESENT | SWAPPED) != 0 && word & FILE == 0 {
                push(pages, at..at + page);
            }
            at += page;
        }
    }
    Some(())
}

/// Adds a range, or lengthens the last one if they touch.
fn push(pages: &mut Vec<Range<usize>>, range: Range<usize>) {
    match pages.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => pages.push(range),
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mapping::Mapping;

    const PAGES: usize = 2000;

    #[test]
    fn never_means_never() {
        assert!(matches!(Scanner::new(Scan::Never), Scanner::Blind));
        assert!(matches!(Scanner::new(Scan::PageMap), Scanner::PageMap(_)));
        assert!(!matches!(Scanner::new(Scan::Best), Scanner::Blind));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn written_pages_are_found_and_read_ones_are_not(
            reads in proptest::collection::vec(0..PAGES, 0..50),
            writes in proptest::collection::btree_set(0..PAGES, 0..600),
            from in 0..PAGES,
            pages in 0..PAGES,
        ) {
            let page = page_bytes() as usize;
            let bytes = PAGES * page;
            let file = crate::file::create(crate::Backing::File, bytes as u64).unwrap();
            let mapping = Mapping::private(&file, bytes).unwrap();
            for at in reads {
                // SAFETY: in the mapping, which this test alone uses.
                unsafe { std::hint::black_box(mapping.start().add(at * page).read_volatile()) };
            }
            for at in &writes {
                // SAFETY: as above.
                unsafe { mapping.start().add(at * page + 9).write_volatile(1) };
            }
            let to = (from + pages).min(PAGES);
            let mut expected = Vec::new();
            for at in writes.range(from..to) {
                push(&mut expected, (at - from) * page..(at - from + 1) * page);
            }
            let expected = match expected.is_empty() {
                true => Written::Nothing,
                false => Written::Pages(expected),
            };
            // SAFETY: in the mapping.
            let start = unsafe { mapping.start().add(from * page) };
            for scan in [Scan::Best, Scan::PageMap] {
                let written = Scanner::new(scan).written(start, (to - from) * page);
                prop_assert_eq!(&written, &expected, "{:?}", scan);
            }
        }
    }
}
