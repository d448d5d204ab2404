//! Append-only files, as they are checked and loaded.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::aof(bytes));
