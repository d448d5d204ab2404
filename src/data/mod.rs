//! What a key can hold, and the arithmetic under it. Knows no client, no clock and no command.

pub mod float;
pub mod glob;
pub mod lcs;
pub mod longdouble;
pub mod lzf;
pub mod number;
