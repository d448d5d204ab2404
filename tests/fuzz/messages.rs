//! Bytes for cmsgpack.unpack.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::messages(bytes));
