//! Allocation strategies behind one contract.
#![no_std]
