//! Text and numbers to a descriptor or a stream, without allocation and without `core::fmt` (whose code is larger than
//! all of this crate's).
//!
//! None of it is inlined, anywhere: the pages of the library that a small program touches are a good part of its memory,
//! so cold code has to be short.

use crate::{errno, os};
use core::num::NonZeroU64;
use stratalloc_platform::report::{self, Report};

/// A place that takes text. Nothing is reported when it fails: there is nobody to tell.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "lives on the stack for a moment; there is nothing to box it with"
)]
pub(crate) enum Text {
    /// A file descriptor.
    Descriptor(Report),
    /// A stream of the C library, so that the text keeps its place among what the program wrote there.
    Stream(*mut os::File),
}

impl Text {
    /// Appends bytes as they are; `errno` stays.
    #[inline(never)]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        match self {
            Self::Descriptor(report) => report.bytes(bytes),
            Self::Stream(stream) => errno::keeping(|| {
                // SAFETY: whoever made this promised an open stream; the pointer and length are those of a slice.
                unsafe { os::fwrite(bytes.as_ptr(), 1, bytes.len(), *stream) };
            }),
        }
        self
    }

    /// Appends text.
    #[inline(never)]
    pub(crate) fn str(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Appends bytes from outside: what cannot be shown becomes `?`, so that nobody steers the reader's terminal.
    pub(crate) fn quoted(&mut self, bytes: &[u8]) -> &mut Self {
        for &byte in bytes {
            let shown = byte == b' ' || byte.is_ascii_graphic();
            self.bytes(&[if shown { byte } else { b'?' }]);
        }
        self
    }

    /// Appends a number in decimal.
    #[inline(never)]
    pub(crate) fn number(&mut self, value: u64) -> &mut Self {
        self.in_base(value, const { NonZeroU64::new(10).unwrap() })
    }

    /// Appends an address as `0x…`.
    pub(crate) fn address(&mut self, ptr: *const u8) -> &mut Self {
        self.str("0x").in_base(ptr.addr() as u64, const { NonZeroU64::new(16).unwrap() })
    }

    /// Appends `value` in base 10 or 16, filling the digits from behind.
    #[inline(never)]
    fn in_base(&mut self, mut value: u64, base: NonZeroU64) -> &mut Self {
        // 2^64 has 20 decimal digits.
        let mut digits = [b'0'; 20];
        let mut used = 0;
        for place in digits.iter_mut().rev() {
            let digit = usize::try_from(value % base).unwrap_or(0);
            *place = b"0123456789abcdef".get(digit).copied().unwrap_or(b'?');
            used += 1;
            value /= base;
            if value == 0 {
                break;
            }
        }
        self.bytes(digits.get(digits.len() - used..).unwrap_or(&[]))
    }
}

/// Starts a line on standard error with the library's name.
#[inline(never)]
pub(crate) fn complaint() -> Text {
    let mut text = Text::Descriptor(report::stderr());
    text.str("stratalloc: ");
    text
}
