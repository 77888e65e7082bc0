//! Looking at memory that may not be there.

#[cfg(not(windows))]
use crate::sys::{self, nr};

/// The word at `address`, a multiple of 8, if the system says that it can be read.
///
/// For addresses of unknown origin: they may lie outside every mapping, or in one without access. The answer holds at the
/// moment of the question only. *Cost*: one system call. May be called before `main`, in a signal handler, after `fork`.
#[must_use]
#[inline(never)] // a system call is in it: small is better than near
pub fn word_at(address: usize) -> Option<usize> {
    if !address.is_multiple_of(8) || !is_readable(address) {
        return None;
    }
    let word = core::ptr::with_exposed_provenance::<usize>(address);
    // SAFETY: readable, as just seen, and aligned. Whoever unmaps or writes it meanwhile gives up what is still in use.
    Some(unsafe { word.read_volatile() })
}

#[cfg(not(windows))]
fn is_readable(address: usize) -> bool {
    const NO_SUCH_OPERATION: usize = usize::MAX;
    const EINVAL: i32 = 22;
    let args = [NO_SUCH_OPERATION, address, 0, 8, 0, 0];
    // SAFETY: rt_sigprocmask copies 8 bytes, the new set of signals, from `address` before it looks at the operation, which
    // does not exist: it writes nothing and always fails, with `EINVAL` if the copy worked and `EFAULT` if not.
    let answer = unsafe { sys::call(nr::RT_SIGPROCMASK, args) };
    // An address of 0 stands for "no new set", which is no mistake.
    answer.is_err_and(|error| error.code() == EINVAL)
}

#[cfg(windows)]
fn is_readable(address: usize) -> bool {
    crate::vm::is_readable(core::ptr::with_exposed_provenance_mut(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{page, vm};

    #[test]
    #[cfg_attr(miri, ignore = "no kernel")]
    fn a_word_is_read_where_there_is_one() {
        #[repr(align(8))]
        struct Words([usize; 4]);
        let words = Words([0x5678; 4]);
        let there = (&raw const words).expose_provenance();
        assert_eq!(word_at(there), Some(0x5678));
        assert_eq!(word_at(there + 1), None, "no multiple of 8");
        assert_eq!(words.0[0], 0x5678);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no kernel")]
    fn nothing_is_read_where_there_is_none() {
        assert_eq!(word_at(0), None);
        let size = page::size();
        let range = vm::reserve(size, size, vm::Access::None).unwrap();
        assert_eq!(word_at(range.as_ptr().expose_provenance()), None, "reserved without access");
        // SAFETY: reserved above, and nobody else knows it.
        assert_eq!(unsafe { vm::release(range, size) }, Ok(()));
    }
}
