//! lcs
