//! What Lua's `string` does with patterns, without recursion and with an eye on whether the script is to end.

pub mod class;
pub mod find;
pub mod pattern;
pub mod substitute;
#[cfg(test)]
mod tests;

pub use find::{Found, find, next_match};
pub use pattern::{Capture, Matcher};
