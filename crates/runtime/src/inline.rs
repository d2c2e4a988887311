//! Bytes of a record: few of them lie where they are named, more in memory of their own.

use std::ops::Deref;

/// An encoded number, a short string, a call with two of them: most values are so small.
const SMALL_MAX: usize = 62;

/// Bytes that are never changed. Small ones take no allocation, which another thread would have to free.
pub(crate) enum InlineBytes {
    Small { len: u8, bytes: [u8; SMALL_MAX] },
    Boxed(Box<[u8]>),
}

const _: () = assert!(size_of::<InlineBytes>() == 64 && SMALL_MAX <= u8::MAX as usize);

impl From<&[u8]> for InlineBytes {
    fn from(from: &[u8]) -> Self {
        if from.len() > SMALL_MAX {
            return InlineBytes::Boxed(from.into());
        }
        let mut bytes = [0; SMALL_MAX];
        bytes[..from.len()].copy_from_slice(from);
        InlineBytes::Small {
            len: from.len() as u8,
            bytes,
        }
    }
}

impl Deref for InlineBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            InlineBytes::Small { len, bytes } => &bytes[..usize::from(*len)],
            InlineBytes::Boxed(bytes) => bytes,
        }
    }
}

impl std::fmt::Debug for InlineBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        for len in 0..all.len() {
            let kept = InlineBytes::from(&all[..len]);
            assert_eq!(&*kept, &all[..len]);
            assert_eq!(matches!(kept, InlineBytes::Small { .. }), len <= SMALL_MAX);
        }
    }
}
