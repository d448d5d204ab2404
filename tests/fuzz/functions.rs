//! A payload for FUNCTION RESTORE.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::functions(bytes));
