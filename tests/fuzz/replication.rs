//! What a primary sends to its replica: handshake, snapshot, stream.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::replication(bytes));
