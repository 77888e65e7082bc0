//! What runs when the library is loaded, and when the process exits.
//!
//! Neither is needed for `malloc` to work: it is called long before the first constructor and after the last
//! destructor. The linker puts the two addresses below into `.init_array` and `.fini_array`.

use crate::{config, foreign, os, summary};
use stratalloc_heap as heap;

#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = at_load;

#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;

/// Takes notice of the process: its break, its environment.
extern "C" fn at_load() {
    foreign::remember_break();
    heap::set_foreign_hook(foreign::release);
    if !is_privileged() {
        config::read_environment();
    }
}

/// Writes the summary if one was asked for.
extern "C" fn at_exit() {
    summary::write();
}

/// Does the process have rights that the user who set its environment has not (setuid, file capabilities)?
fn is_privileged() -> bool {
    const AT_SECURE: u64 = 23;
    os::getauxval(AT_SECURE) != 0
}
