//! What the programs here share: how they end.
#![no_std]

use core::panic::PanicInfo;

use cortex_m_semihosting::{debug, hprintln};

/// Ends the program, and the emulator with it; its exit status tells how it went.
pub fn end(well: bool) -> ! {
    loop {
        debug::exit(if well { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    }
}

/// Says why, and ends the program.
#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    end(false)
}
