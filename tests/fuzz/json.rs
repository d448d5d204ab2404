//! A text for cjson.decode.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::json(bytes));
