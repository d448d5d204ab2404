//! Arguments of BITFIELD.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::bitfield(bytes));
