//! Shared regions when the kernel refuses: an error, and nothing is left. One test: the armed calls are the process's.
#![cfg(target_os = "linux")]

extern crate alloc;

use alloc::ffi::CString;

use stratalloc_platform::fault::{self, Call};
use stratalloc_strategies::shared_region::{SharedError, SharedRegion};

#[test]
fn nothing_is_left_of_a_region_that_could_not_be_made() {
    let path = std::env::temp_dir().join(format!("stratalloc-unmade-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let name = CString::new(path.to_str().unwrap()).unwrap();
    fault::arm(Call::Map, 1, 1);
    assert!(matches!(SharedRegion::create_file(&name, 1 << 16), Err(SharedError::System(_))));
    fault::disarm();
    assert!(!path.exists(), "the file that was made for it");

    let region = SharedRegion::create_file(&name, 1 << 16).unwrap();
    // Neither of the two mappings of somebody who attaches.
    for nth in 1..=2 {
        fault::arm(Call::Map, nth, 1);
        assert!(matches!(SharedRegion::attach(&name), Err(SharedError::System(_))));
        fault::disarm();
    }
    assert!(path.exists(), "it was there before");
    assert!(SharedRegion::create_file(&name, 1 << 16).is_err());
    assert!(path.exists(), "so it was when somebody wanted to make it");
    drop(region);
    drop(SharedRegion::attach(&name).unwrap());
    std::fs::remove_file(&path).unwrap();
}
