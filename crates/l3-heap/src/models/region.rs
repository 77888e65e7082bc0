//! Models of the region: granules of a chunk, hints of an area.

#[allow(dead_code, reason = "only the parts that threads contend for are modelled")]
#[path = "../region/area.rs"]
mod area;
#[allow(dead_code, reason = "as above")]
#[path = "../region/chunk.rs"]
mod chunk;

mod claims;
mod hints;
