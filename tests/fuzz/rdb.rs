//! RDB streams and DUMP payloads.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::rdb(bytes));
