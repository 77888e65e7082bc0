//! Models of the small domain: what slabs and heaps do with each other's records.

#[allow(dead_code, reason = "statistics and checks are not modelled")]
#[path = "../small/remote.rs"]
mod remote;

mod depot;
mod frees;
mod world;
