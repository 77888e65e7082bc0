//! Memory that several processes have: files, with a name or without, and their mappings.
//!
//! ```text
//!   process A                         kernel                        process B
//!   File::anonymous ── fd 3 ──►  pages of a memfd  ◄── fd 5 ── File::open("/proc/A/fd/3")
//!        map ─► 0x7f12…000 ─────────────┘└──────────────────────────── map ─► 0x7fa9…000
//! ```
//!
//! A mapping outlives the descriptor, so the [`File`] may be closed once it is mapped; it is kept for those who are to come.
//! Everything may be called before `main`, in a signal handler, after `fork`; nothing allocates.

use core::ffi::CStr;
use core::ptr::{self, NonNull};

use crate::error::OsError;
use crate::fault::{self, Call};
use crate::sys::{self, Fd, nr};

const PROT_READ_WRITE: usize = 1 | 2;
const MAP_SHARED: usize = 1;
const MFD_CLOEXEC: usize = 1;
const MFD_ALLOW_SEALING: usize = 2;
const F_DUPFD_CLOEXEC: usize = 1030;
const F_ADD_SEALS: usize = 1033;
/// No more seals, no smaller, no larger.
const SEALS: usize = 1 | 2 | 4;
/// As large as the largest `struct stat` (x86-64).
const STAT: usize = 144;
/// `O_RDWR`.
const READ_WRITE: usize = 0o2;
/// `O_RDWR | O_CREAT | O_EXCL`.
const CREATE_NEW: usize = 0o2 | 0o100 | 0o200;

/// A file to be mapped, open for reading and writing, closed when dropped.
#[derive(Debug)]
pub struct File(Fd);

impl File {
    /// `size` bytes of memory without a name in the file system (`memfd_create`), all zero. Its size is sealed: nobody can
    /// cut it under somebody's mapping. `name` is shown in `/proc`.
    pub fn anonymous(name: &CStr, size: usize) -> Result<Self, OsError> {
        let args = [name.as_ptr().expose_provenance(), MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, 0, 0, 0];
        // SAFETY: memfd_create reads the NUL-terminated name and writes no memory.
        let fd = unsafe { sys::call(nr::MEMFD_CREATE, args) }?;
        let file = Self(Fd::try_from(fd).map_err(|_| OsError::INVALID)?);
        file.set_size(size)?;
        // SAFETY: fcntl with F_ADD_SEALS touches no memory.
        unsafe { sys::call(nr::FCNTL, [sys::word(file.0), F_ADD_SEALS, SEALS, 0, 0, 0]) }?;
        Ok(file)
    }

    /// A new file of `size` zeros; whatever is there already is refused (`EEXIST`, [`is_occupied`](OsError::is_occupied)). After any other
    /// error nothing is left of it.
    ///
    /// Its space is set aside now, so that a full disk is an error here and not a `SIGBUS` at the first touch of a page; but on file systems
    /// that cannot do that (`EOPNOTSUPP`).
    pub fn create(path: &CStr, size: usize) -> Result<Self, OsError> {
        let file = Self(sys::open(path, CREATE_NEW)?);
        let made = file.set_size(size).and_then(|()| file.set_space_aside(size));
        if made.is_err() {
            let _ = sys::remove(path);
        }
        made.map(|()| file)
    }

    /// Removes a file's name. What is open or mapped stays, without a name.
    pub fn remove(path: &CStr) -> Result<(), OsError> {
        sys::remove(path)
    }

    /// A file that exists; `/proc/PID/fd/NUMBER` names another process's open one.
    pub fn open(path: &CStr) -> Result<Self, OsError> {
        sys::open(path, READ_WRITE).map(Self)
    }

    /// A duplicate of an open descriptor, which stays its owner's.
    pub fn duplicate(fd: i32) -> Result<Self, OsError> {
        // SAFETY: fcntl with F_DUPFD_CLOEXEC touches no memory.
        let fd = unsafe { sys::call(nr::FCNTL, [sys::word(fd), F_DUPFD_CLOEXEC, 0, 0, 0, 0]) }?;
        Fd::try_from(fd).map(Self).map_err(|_| OsError::INVALID)
    }

    /// The descriptor, open as long as this value.
    #[must_use]
    pub const fn fd(&self) -> i32 {
        self.0
    }

    /// The size in bytes. (Asked without moving the file's position, which duplicates of the descriptor share.)
    pub fn size(&self) -> Result<usize, OsError> {
        let mut stat = [0_u8; STAT];
        let args = [sys::word(self.0), stat.as_mut_ptr().expose_provenance(), 0, 0, 0, 0];
        // SAFETY: fstat writes one `struct stat`, which is no larger than `stat`.
        unsafe { sys::call(nr::FSTAT, args) }?;
        let size = stat.get(sys::SIZE_IN_STAT..).and_then(<[u8]>::first_chunk);
        size.and_then(|&size| usize::try_from(u64::from_ne_bytes(size)).ok()).ok_or(OsError::INVALID)
    }

    fn set_size(&self, size: usize) -> Result<(), OsError> {
        // A kernel with 32 bits takes a signed size.
        if size > isize::MAX.unsigned_abs() {
            return Err(OsError::INVALID);
        }
        // SAFETY: ftruncate changes the file, which nobody has mapped yet: it was made just now.
        unsafe { sys::call(nr::FTRUNCATE, [sys::word(self.0), size, 0, 0, 0, 0]) }.map(drop)
    }

    fn set_space_aside(&self, size: usize) -> Result<(), OsError> {
        const EOPNOTSUPP: i32 = 95;
        match sys::allocate(self.0, size) {
            Err(error) if error.code() == EOPNOTSUPP || error == OsError::UNSUPPORTED => Ok(()),
            answer => answer,
        }
    }

    /// Maps the first `size` bytes, a positive number of whole pages, shared with everybody who maps them. Any address, aligned to
    /// a page. [`vm::release`](crate::vm::release) unmaps it; [`vm::resident`](crate::vm::resident) works too, the rest of `vm` does not.
    ///
    /// Bytes beyond the end of the file, now or later, and those for which there is no space when they are first touched, kill whoever touches
    /// them (`SIGBUS`).
    pub fn map(&self, size: usize) -> Result<NonNull<u8>, OsError> {
        fault::check(Call::Map)?;
        let args = [0, size, PROT_READ_WRITE, MAP_SHARED, sys::word(self.0), 0];
        // SAFETY: without MAP_FIXED the kernel chooses free addresses only, so no memory of this process changes.
        let base = unsafe { sys::call(nr::MMAP, args) }?;
        NonNull::new(ptr::with_exposed_provenance_mut(base)).ok_or(OsError::INVALID)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        sys::close(self.0);
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    extern crate alloc;
    extern crate std;

    use super::*;
    use crate::{page, vm};

    #[test]
    fn two_mappings_show_the_same_bytes() {
        let size = 4 * page::size();
        let file = File::anonymous(c"test", size).unwrap();
        let other = File::duplicate(file.fd()).unwrap();
        assert_eq!((file.size(), other.size()), (Ok(size), Ok(size)));
        let (one, two) = (file.map(size).unwrap(), other.map(size).unwrap());
        drop((file, other));
        assert_ne!(one, two);
        // SAFETY: mapped just now, with this size.
        unsafe { one.write_bytes(7, size) };
        // SAFETY: as above.
        let last = unsafe { two.add(size - 1) };
        // SAFETY: as above.
        assert_eq!(unsafe { last.read() }, 7);
        for start in [one, two] {
            // SAFETY: as above; not used any more.
            unsafe { vm::release(start, size) }.unwrap();
        }
    }

    #[test]
    fn asking_for_the_size_leaves_the_position() {
        use std::io::Seek;
        use std::os::fd::{AsRawFd, FromRawFd};

        let size = 3 * page::size();
        let file = File::anonymous(c"test", size).unwrap();
        // SAFETY: the descriptor is open, and `ManuallyDrop` leaves it to `file`.
        let mut same = core::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(file.fd()) });
        same.seek(std::io::SeekFrom::Start(5)).unwrap();
        let other = File::duplicate(same.as_raw_fd()).unwrap();
        assert_eq!((file.size(), other.size()), (Ok(size), Ok(size)));
        assert_eq!(same.stream_position().unwrap(), 5);
    }

    #[test]
    fn the_size_is_sealed() {
        let file = File::anonymous(c"test", page::size()).unwrap();
        const EPERM: i32 = 1;
        for size in [0, 2 * page::size()] {
            assert_eq!(file.set_size(size).map_err(OsError::code), Err(EPERM));
        }
    }

    /// A path that nobody has, and where `std` finds it.
    fn fresh(name: &str) -> (alloc::ffi::CString, std::path::PathBuf) {
        let path = std::env::temp_dir().join(std::format!("stratalloc-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        (alloc::ffi::CString::new(path.to_str().unwrap()).unwrap(), path)
    }

    #[test]
    fn a_new_file_has_its_space_and_goes_by_its_name() {
        use std::os::unix::fs::MetadataExt;

        let (name, path) = fresh("space");
        let size = 64 * page::size();
        let file = File::create(&name, size).unwrap();
        let facts = std::fs::metadata(&path).unwrap();
        assert_eq!((facts.len(), file.size()), (size as u64, Ok(size)));
        assert!(facts.blocks() * 512 >= size as u64, "{} blocks for {size}", facts.blocks());
        assert!(File::create(&name, size).err().unwrap().is_occupied());
        assert!(path.exists(), "it was there before");
        File::remove(&name).unwrap();
        assert!(!path.exists());
        assert!(File::remove(&name).is_err());
        assert_eq!(file.size(), Ok(size));
    }

    #[test]
    fn nothing_is_left_of_a_file_that_could_not_be_made() {
        let (name, path) = fresh("left");
        assert!(File::create(&name, usize::MAX).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn what_is_not_there_is_refused() {
        const ENOENT: i32 = 2;
        const EBADF: i32 = 9;
        assert_eq!(File::open(c"/nowhere/at/all").err().map(OsError::code), Some(ENOENT));
        assert_eq!(File::duplicate(-1).err().map(OsError::code), Some(EBADF));
        assert!(File::create(c"/dev/null", 1).err().unwrap().is_occupied());
        assert!(File::anonymous(c"test", usize::MAX).is_err());
    }
}
