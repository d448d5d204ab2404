//! The libraries that Redis embeds beside Lua's own: `cjson` 2.1.0, `cmsgpack` 0.4.0, `struct` and `bit`.
//!
//! They know Lua only as a [`Stack`] of values. What they raise is a [`Fault`]: whoever calls them makes Lua's error of it after
//! their frames are gone, so that no frame that owns memory is jumped over.

pub mod bit;
pub mod cjson;
pub mod cmsgpack;
mod looks;
#[cfg(test)]
mod model;
pub mod number;
pub mod stack;
pub mod struct_lib;

pub use stack::{Fault, Kind, Stack};
