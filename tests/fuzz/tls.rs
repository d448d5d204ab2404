//! What a stranger sends to a TLS port, in any pieces: before the handshake, in it, and behind it.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::tls(bytes));
