//! Loading at start. [`Loader`] is also what a replica feeds its primary's stream to.

pub use crate::persist::load::{LoadFacts, LoadOptions, Loader, LoaderProgress};
