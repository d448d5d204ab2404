//! Requests as a client sends them, whole, cut and broken.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::request(bytes));
