//! The contract for C and for other shared objects: a table of functions behind a pointer, version 1.
//!
//! ```text
//!   a resource, wherever it was made            its maker's table, the same for all resources of a kind
//!   ┌──────────────────────────────┐            ┌─────────┬──────┬──────────┬─────────┬────────┬─ ─ ─ ─
//!   │ table ───────────────────────┼──────────► │ version │ size │ allocate │ release │ resize │ …
//!   │ what only its maker knows    │            └─────────┴──────┴──────────┴─────────┴────────┴─ ─ ─ ─
//!   └──────────────────────────────┘                         size: how far this maker's table goes
//! ```
//!
//! | | from Rust to the table | from the table to Rust |
//! | --- | --- | --- |
//! | a resource | [`ExportedResource`] | [`ForeignResource`] |
//! | a failure | [`ErrorCode::from`] | [`ErrorCode::alloc_error`] |
//!
//! Whoever calls goes through the resource's own table, so a block is always released by the code that made it, whichever shared
//! object or language that is in. The header `stratalloc_toolkit.h` says the same in C; the tests of `stratalloc-capi-toolkit` compare the two.
//!
//! **What may change.** New functions are appended, and `size` grows: whoever knows fewer ignores them, whoever knows more asks
//! `size` first. Anything else is another version, which is refused. The structures that are filled for a caller begin with the size
//! that the caller knows; no more than that is written, and what was written is said there.
//!
//! **Unwinding** across a table is not allowed in either direction: the functions are `extern "C"`, where an unwind ends the process.

mod code;
mod exported;
mod foreign;
mod numbers;
mod table;

pub use code::ErrorCode;
pub use exported::ExportedResource;
pub use foreign::ForeignResource;
pub use numbers::request;
pub use table::{
    NAME_LEN, RawBlock, RawInfo, RawMarker, RawResource, RawUsage, ResourceV1, UNKNOWN, VERSION,
};
