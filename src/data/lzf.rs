//! lzf
