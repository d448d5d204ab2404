//! What a walk hands over to.

use crate::data::{entry::Entry, pieces::Element};

/// Takes what a walk finds.
pub trait Sink {
    /// An entry of the database that had this index when the walk began.
    fn entry(&mut self, db: usize, entry: &Entry);

    /// An entry with a large collection. Its elements will follow; where there are several such collections, the elements of the first come first.
    /// What it holds now is what counts: its key and deadline, and how many elements there are.
    fn large(&mut self, db: usize, entry: &Entry);

    /// An element, or a node of a list, of the first large collection that is not whole.
    fn element(&mut self, element: Element<'_>);

    /// The first large collection is whole.
    fn large_done(&mut self);

    /// So many bytes of memory have been handed over before their turn, since they were about to change.
    fn early(&mut self, _bytes: usize) {}
}
