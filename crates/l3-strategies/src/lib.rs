//! Allocation strategies behind one contract.
#![no_std]

pub mod tlsf;
