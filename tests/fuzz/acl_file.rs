//! Files of ACL users.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| solod::fuzz::acl_file(bytes));
