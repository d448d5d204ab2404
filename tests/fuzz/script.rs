//! The text of a script.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::script(bytes));
