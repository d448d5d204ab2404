//! Lists: one listpack while they are small, a deque of nodes when they are not.
//!
//! [`limits`] says when one becomes the other, as Redis does; [`quicklist`] is the deque, [`node`] what it is made of.

mod element;
mod limits;
mod node;
mod quicklist;
#[cfg(test)]
mod tests;

use super::{
    listpack::{Item, Listpack},
    moving::{Mover, Place, Relocate},
};
use bytes::Bytes;
pub use element::{End, ListElement};
pub use limits::NodeLimits;
pub use node::NodeView;
use quicklist::Quicklist;

/// A list. Cloning a large one copies no element: the nodes are shared until one of the two changes them.
#[derive(Clone)]
pub struct List(Repr);

#[derive(Clone)]
enum Repr {
    Packed(Listpack),
    Linked(Box<Quicklist>),
}

impl Relocate for List {
    fn relocate(&mut self, from: Place, mover: &mut Mover) -> Option<Place> {
        match &mut self.0 {
            Repr::Packed(pack) => pack.relocate(mover),
            Repr::Linked(list) => {
                mover.boxed(list);
                let next = list.relocate(from.at as usize, mover)?;
                return Some(Place { at: next as u64, ..from });
            }
        }
        None
    }
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    /// No element, in the small form.
    pub fn new() -> Self {
        Self(Repr::Packed(Listpack::new()))
    }

    /// No element, in the large form: for what is built without knowing how much it will be. [`List::built`] ends it.
    pub fn new_linked(limits: NodeLimits) -> Self {
        Self(Repr::Linked(Box::new(Quicklist::new(limits))))
    }

    /// The elements of a listpack, in the small form whatever their number. [`List::built`] gives it the form that is right.
    pub fn from_listpack(listpack: Listpack) -> Self {
        Self(Repr::Packed(listpack))
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(pack) => pack.len(),
            Repr::Linked(list) => list.len(),
        }
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Packed(pack) => pack.is_empty(),
            Repr::Linked(list) => list.len() == 0,
        }
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Packed(_) => "listpack",
            Repr::Linked(_) => "quicklist",
        }
    }

    /// Bytes of memory it takes, the fixed part inside its [`Object`](super::object::Object) not counted. `samples` nodes are looked at
    /// (0: all of them).
    pub fn allocated(&self, samples: usize) -> usize {
        match &self.0 {
            Repr::Packed(pack) => pack.allocated(),
            Repr::Linked(list) => size_of::<Quicklist>() + list.allocated(samples),
        }
    }

    /// The listpack that is the whole list, if it is in the small form.
    #[inline]
    pub fn compact(&self) -> Option<&Listpack> {
        match &self.0 {
            Repr::Packed(pack) => Some(pack),
            Repr::Linked(_) => None,
        }
    }

    /// Number of nodes in the large form; 0 in the small one.
    pub fn node_count(&self) -> usize {
        match &self.0 {
            Repr::Packed(_) => 0,
            Repr::Linked(list) => list.slots().len(),
        }
    }

    /// A node of the large form, counted from the front.
    pub fn node(&self, index: usize) -> Option<NodeView<'_>> {
        match &self.0 {
            Repr::Packed(_) => None,
            Repr::Linked(list) => list.slots().get(index).map(node::NodeSlot::view),
        }
    }

    /// Whether no copy shares its nodes, by three of them that stand for all.
    pub fn is_alone(&self) -> bool {
        let Repr::Linked(list) = &self.0 else { return true };
        let slots = list.slots();
        (1..4).filter_map(|quarter| slots.get(slots.len() * quarter / 4)).all(node::NodeSlot::is_alone)
    }

    /// Bytes of all nodes' listpacks when none is compressed: DEBUG OBJECT's `ql_uncompressed_size`.
    pub fn node_bytes(&self) -> usize {
        match &self.0 {
            Repr::Packed(pack) => pack.byte_len(),
            Repr::Linked(list) => list.slots().iter().map(node::NodeSlot::bytes).sum(),
        }
    }

    /// The limits its nodes obey, if it is in the large form: those of the moment it took it.
    pub fn node_limits(&self) -> Option<NodeLimits> {
        match &self.0 {
            Repr::Packed(_) => None,
            Repr::Linked(list) => Some(list.limits()),
        }
    }

    /// Goes over to the large form if `count` more elements of `bytes` bytes in all would be too much for the small one. Must be called before they
    /// are added.
    #[inline]
    pub fn before_growth(&mut self, bytes: usize, count: usize, limits: NodeLimits) {
        if let Repr::Packed(pack) = &mut self.0
            && limits.exceeded_by(pack.byte_len() + bytes, pack.len() + count)
        {
            let mut list = Quicklist::new(limits);
            list.append_listpack(std::mem::take(pack));
            self.0 = Repr::Linked(Box::new(list));
        }
    }

    /// Goes back to the small form if that would be at most half full. Must be called after elements were taken.
    #[inline]
    pub fn after_shrinking(&mut self, limits: NodeLimits) {
        if let Repr::Linked(list) = &mut self.0
            && list.slots().len() <= 1
            && let Some(pack) = list.take_compact(limits, 2)
        {
            self.0 = Repr::Packed(pack);
        }
    }

    /// Takes the form that is right for a list that has just been built.
    pub fn built(&mut self, limits: NodeLimits) {
        match &mut self.0 {
            Repr::Packed(_) => self.before_growth(0, 0, limits),
            Repr::Linked(list) => {
                if let Some(pack) = list.take_compact(limits, 1) {
                    self.0 = Repr::Packed(pack);
                }
            }
        }
    }

    /// Adds an element at an end.
    #[inline]
    pub fn push(&mut self, end: End, bytes: &[u8]) {
        match (&mut self.0, end) {
            (Repr::Packed(pack), End::Front) => pack.push_front(bytes),
            (Repr::Packed(pack), End::Back) => pack.push(bytes),
            (Repr::Linked(list), end) => list.push(end, bytes, || Bytes::copy_from_slice(bytes)),
        }
    }

    /// [`List::push`] for bytes that need not be copied if they get a node for themselves.
    pub fn push_shared(&mut self, end: End, bytes: Bytes) {
        match &mut self.0 {
            Repr::Packed(_) => self.push(end, &bytes),
            Repr::Linked(list) => list.push(end, &bytes, || bytes.clone()),
        }
    }

    /// Adds a node with the elements of this listpack behind all others; only in the large form.
    pub fn append_listpack(&mut self, pack: Listpack) {
        match &mut self.0 {
            Repr::Packed(own) => own.append(&pack),
            Repr::Linked(list) => list.append_listpack(pack),
        }
    }

    /// Takes the element at an end out, and gives it to `f` before it is gone.
    #[inline]
    pub fn pop<R>(&mut self, end: End, f: impl FnOnce(ListElement<'_>) -> R) -> Option<R> {
        match &mut self.0 {
            Repr::Packed(pack) => {
                let pos = if end == End::Front { pack.first()? } else { pack.last()? };
                let result = f(ListElement::Item(pack.get(pos)));
                pack.remove(pos);
                Some(result)
            }
            Repr::Linked(list) => list.pop(end, f),
        }
    }

    /// The element at `index`.
    pub fn get<R>(&self, index: usize, f: impl FnOnce(ListElement<'_>) -> R) -> Option<R> {
        let (mut f, mut result) = (Some(f), None);
        self.visit(index, End::Back, |element| {
            result = f.take().map(|f| f(element));
            false
        });
        result
    }

    /// Hands `f` the elements from `index` on towards an end, until it says `false` or there are no more.
    #[inline]
    pub fn visit(&self, index: usize, towards: End, mut f: impl FnMut(ListElement<'_>) -> bool) {
        match &self.0 {
            Repr::Packed(pack) => drop(node::visit_pack(pack, index, towards, &mut f)),
            Repr::Linked(list) => list.visit(index, towards, f),
        }
    }

    /// Hands `f` every element, front to back.
    pub fn for_each(&self, mut f: impl FnMut(ListElement<'_>)) {
        self.visit(0, End::Back, |element| {
            f(element);
            true
        });
    }

    /// Puts another element in the place of the one at `index`; `false` when there is none. Say [`List::before_growth`] before and
    /// [`List::after_shrinking`] after it.
    pub fn set(&mut self, index: usize, bytes: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Packed(pack) => pack.nth(index).map(|pos| pack.replace(pos, bytes)).is_some(),
            Repr::Linked(list) => list.set(index, bytes),
        }
    }

    /// Adds an element beside the first one that is equal to `pivot`; `false` when none is.
    pub fn insert_beside(&mut self, pivot: &[u8], after: bool, bytes: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Packed(pack) => {
                let found = pack.first().and_then(|first| pack.find(first, pivot, 0));
                found.map(|pos| node::insert_beside(pack, pos, after, bytes)).is_some()
            }
            Repr::Linked(list) => list.insert_beside(pivot, after, bytes),
        }
    }

    /// Takes `count` elements from `index` on out. Both lie within the list.
    pub fn remove_range(&mut self, index: usize, count: usize) {
        match &mut self.0 {
            Repr::Packed(pack) => {
                if let Some(pos) = pack.nth(index) {
                    pack.remove_some(pos, count);
                }
            }
            Repr::Linked(list) => list.remove_range(index, count),
        }
    }

    /// Takes the first `most` elements that are equal to `bytes` out, counted from an end. Returns how many there were.
    pub fn remove_equal(&mut self, bytes: &[u8], from: End, most: usize) -> usize {
        match &mut self.0 {
            Repr::Packed(pack) => node::remove_equal(pack, Item::new(bytes), from, most),
            Repr::Linked(list) => list.remove_equal(bytes, from, most),
        }
    }
}
