//! A cache line's worth of bytes, aligned as objects are.

use crate::layout::OBJECT_ALIGN;

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u8; OBJECT_ALIGN as usize]);

const _: () = assert!(align_of::<Line>() as u64 == OBJECT_ALIGN);
