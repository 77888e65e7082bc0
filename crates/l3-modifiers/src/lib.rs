//! Resources composed of resources.
#![no_std]
