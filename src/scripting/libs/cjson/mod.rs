//! `cjson` 2.1.0: JSON to Lua's values and back.
//!
//! A [`Settings`] belongs to each table that `cjson.new` makes, and one to `cjson` itself.

mod decode;
mod encode;
mod settings;
#[cfg(test)]
mod tests;

pub use decode::decode;
pub use encode::encode;
pub use settings::{Setting, Settings};

/// What `cjson._VERSION` says.
pub const VERSION: &str = "2.1.0";

/// How numbers that JSON does not have are encoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidNumbers {
    Refused,
    Written,
    Null,
}
