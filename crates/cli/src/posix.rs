//! The few calls of the system that the standard library does not offer, each in a safe shell.
//!
//! Everything `unsafe` of the command is in this file (signals and waiting are in `stratalloc-measure`). A question that
//! cannot be answered is `None`.

use alloc::ffi::CString;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

fn c_string(path: &Path) -> Option<CString> {
    CString::new(path.as_os_str().as_bytes()).ok()
}

/// Whether the effective user may run the file.
pub(crate) fn may_execute(path: &Path) -> bool {
    // SAFETY: the path is a live C string.
    c_string(path).is_some_and(|path| unsafe {
        libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) == 0
    })
}

/// Whether the file carries capabilities that the kernel would grant to who runs it.
pub(crate) fn has_file_capabilities(path: &Path) -> bool {
    let name = c"security.capability";
    // SAFETY: two live C strings; a null buffer of length 0 asks for the size only.
    c_string(path).is_some_and(|path| unsafe {
        libc::getxattr(path.as_ptr(), name.as_ptr(), core::ptr::null_mut(), 0) > 0
    })
}

/// The mount flags (`ST_NOEXEC`, `ST_NOSUID` …) of the file system that holds `path`; 0 when it cannot be asked.
pub(crate) fn mount_flags(path: &Path) -> libc::c_ulong {
    let Some(path) = c_string(path) else { return 0 };
    let mut answer = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: a live C string and a writable local.
    unsafe { libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) };
    // SAFETY: a struct of integers, zeroed at the start.
    unsafe { answer.assume_init() }.f_flag
}

/// The real user and group of this process.
pub(crate) fn real_ids() -> (u32, u32) {
    // SAFETY: takes nothing, cannot fail.
    let user = unsafe { libc::getuid() };
    // SAFETY: takes nothing, cannot fail.
    (user, unsafe { libc::getgid() })
}

/// The user as whom this process acts.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::geteuid() }
}

/// Whether `no_new_privs` is set: then the set-user-id bit and file capabilities have no effect.
pub(crate) fn no_new_privileges() -> bool {
    // SAFETY: takes integers only.
    unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 }
}

/// The soft limit of a resource; `None` is unlimited.
pub(crate) fn soft_limit(resource: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: points to a live local.
    unsafe { libc::getrlimit(resource, &raw mut limit) };
    (limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// The size of a page of the system.
pub(crate) fn page_size() -> u64 {
    // SAFETY: takes an integer only.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// The name and version of the C library; `None` when it does not tell (musl).
#[cfg(target_env = "gnu")]
pub(crate) fn c_library() -> Option<String> {
    // SAFETY: takes nothing; returns a static C string.
    let version = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: the C library's own static string.
    let version = unsafe { CStr::from_ptr(version) };
    Some(format!("glibc {}", version.to_string_lossy()))
}

/// The name and version of the C library; `None` when it does not tell (musl).
#[cfg(not(target_env = "gnu"))]
pub(crate) fn c_library() -> Option<String> {
    None
}

/// The file that provides `malloc` in this process.
pub(crate) fn provider_of_malloc() -> Option<PathBuf> {
    // SAFETY: the name is a live C string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"malloc".as_ptr()) };
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address may be asked about; `info` is writable.
    if unsafe { libc::dladdr(address, info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: zeroed at the start, a struct of pointers.
    let name = unsafe { info.assume_init() }.dli_fname;
    if name.is_null() {
        return None;
    }
    // SAFETY: not null, hence a C string of the loader that lives as long as the object is loaded.
    let name = unsafe { CStr::from_ptr(name) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}
