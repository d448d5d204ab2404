//! RESTORE of streams, and every stream command on what was accepted.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::stream(bytes));
