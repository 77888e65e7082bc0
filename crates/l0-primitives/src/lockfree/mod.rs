//! Lock-free structures, one a file, each with its picture, invariants, ordering table and ABA argument.
//!
//! | module | what | who pushes | who takes |
//! | --- | --- | --- | --- |
//! | [`link`] | how an index is written into a link | | |
//! | [`index_stack`] | stack of `u32` indices, one 64-bit word | any thread | any thread, one or all |
//! | [`mailbox`] | list of `u32` indices, one 32-bit word | any thread | one thread at a time, all at once |
//! | [`double_word`] | a pointer and a version that change together | | |
//! | [`tagged_stack`] | stack of full pointers, one double word | any thread | any thread, one or all |

pub mod double_word;
#[cfg(target_has_atomic = "64")]
pub mod index_stack;
pub mod link;
pub mod mailbox;
pub mod tagged_stack;

#[cfg(target_has_atomic = "64")]
pub use index_stack::IndexStack;
pub use mailbox::Mailbox;
pub use tagged_stack::TaggedStack;
