//! Strings as HyperLogLogs, and every command on them.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::hyperloglog(bytes));
