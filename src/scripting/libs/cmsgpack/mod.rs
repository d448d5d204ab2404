//! `cmsgpack` 0.4.0: MessagePack to Lua's values and back. Of the format's types it knows no binary strings and no extensions.

mod pack;
#[cfg(test)]
mod tests;
mod unpack;

pub use pack::pack;
pub use unpack::{unpack, unpack_limit, unpack_one};

/// What `cmsgpack._VERSION` says.
pub const VERSION: &str = "lua-cmsgpack 0.4.0";

/// What `cmsgpack._COPYRIGHT` and `_DESCRIPTION` say: scripts can see them.
pub const COPYRIGHT: &str = "Copyright (C) 2012, Salvatore Sanfilippo";
pub const DESCRIPTION: &str = "MessagePack C implementation for Lua";
