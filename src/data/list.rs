//! A lists.

use super::listpack::Listpack;

/// A list.
#[derive(Clone, Default)]
pub struct List(Listpack);

impl List {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        "listpack"
    }

    /// Bytes of memory it takes, the fixed part inside its [`Object`](super::object::Object) not counted. `samples` elements are looked at
    /// (0: all of them).
    pub fn allocated(&self, samples: usize) -> usize {
        let _ = samples;
        self.0.allocated()
    }
}
