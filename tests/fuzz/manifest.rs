//! Manifests of append-only directories.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::manifest(bytes));
