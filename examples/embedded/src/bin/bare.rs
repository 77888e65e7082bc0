//! The same without an allocator: what `station` needs beyond this, the strategies need.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use stratalloc_embedded::end;

#[entry]
fn main() -> ! {
    for cycle in 0..3_u16 {
        hprintln!("cycle {}", cycle);
    }
    end(true)
}
