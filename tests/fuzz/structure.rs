//! A format and bytes for struct.unpack.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::structure(bytes));
