//! Nodes: what a large list is made of, and the work inside one listpack.

use super::{
    element::{End, ListElement},
    limits::{GIANT, NodeLimits},
};
use crate::data::{
    listpack::{self, Item, Listpack, Pos},
    lzf,
    moving::Mover,
};
use bytes::Bytes;
use std::{borrow::Cow, cell::RefCell, sync::Arc};

/// Bytes of an empty listpack in a file: what nodes are measured by, as they are in Redis.
pub(super) const EMPTY: usize = listpack::FILE_EXTRA;
/// A shorter node is not compressed.
const COMPRESSED_MIN: usize = 48;
/// Nor is one that would become less than this much shorter.
const SAVED_MIN: usize = 8;

/// What a node holds.
#[derive(Clone)]
pub(super) enum Node {
    /// Some elements, or one.
    Packed(Listpack),
    /// One that is larger than nodes are, which gains nothing by lying in a listpack.
    Plain(Box<Bytes>),
    /// Either of them, compressed.
    Squeezed(Box<Squeezed>),
}

const _: () = assert!(size_of::<Node>() == size_of::<Listpack>());

/// A node's bytes in a file, compressed.
#[derive(Clone)]
pub(super) struct Squeezed {
    lzf: Box<[u8]>,
    /// Their number when they are not.
    len: usize,
    /// They are one element, and not a listpack.
    plain: bool,
}

/// A node as it is to be written to a file.
pub enum NodeView<'a> {
    /// Elements.
    Packed(&'a Listpack),
    /// One element.
    Plain(&'a Bytes),
    /// The LZF form of a listpack, or of one element, and the bytes it has when it is restored.
    Squeezed {
        /// The compressed bytes.
        lzf: &'a [u8],
        /// What they restore to.
        len: usize,
        /// It is one element's bytes, and not a listpack's.
        plain: bool,
    },
}

thread_local! {
    static COMPRESSOR: RefCell<lzf::Compressor> = RefCell::default();
}

impl Squeezed {
    fn restore(&self) -> Node {
        let bytes = lzf::decompress(&self.lzf, self.len).expect("what was compressed here can be restored");
        if self.plain {
            return Node::Plain(Box::new(bytes.into()));
        }
        Node::Packed(Listpack::from_bytes(&bytes).expect("it was a listpack"))
    }
}

/// A node's place in the deque. Its numbers are here so that neither a search for an index nor the question whether there is room
/// has to look at the nodes themselves.
#[derive(Clone)]
pub(super) struct NodeSlot {
    pub count: u32,
    /// Bytes of its listpack, or of the one it could be.
    bytes: u32,
    node: Arc<Node>,
}

impl NodeSlot {
    pub fn packed(pack: Listpack) -> Self {
        let mut slot = Self { count: 0, bytes: 0, node: Arc::new(Node::Packed(pack)) };
        slot.measure();
        slot
    }

    /// A node of one element, with room for so many bytes of more.
    pub fn single(bytes: &[u8], shared: impl FnOnce() -> Bytes, limits: NodeLimits, room: usize) -> Self {
        if limits.is_large(bytes.len()) {
            let mut slot = Self { count: 0, bytes: 0, node: Arc::new(Node::Plain(Box::new(shared()))) };
            slot.measure();
            return slot;
        }
        let mut pack = Listpack::with_capacity(Listpack::string_bytes(bytes.len()).max(room));
        pack.push(bytes);
        Self::packed(pack)
    }

    /// Bytes of its listpack, or of the one it could be.
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }

    fn measure(&mut self) {
        let (count, bytes) = match &*self.node {
            Node::Packed(pack) => (pack.len(), pack.byte_len()),
            Node::Plain(bytes) => (1, EMPTY + Listpack::string_bytes(bytes.len())),
            Node::Squeezed(_) => return,
        };
        // Only where one element alone is larger can it be more than 32 bits hold, and then it is just too large.
        (self.count, self.bytes) = (count as u32, bytes.min(u32::MAX as usize) as u32);
    }

    /// Changes its listpack; `None` when it is none.
    #[inline]
    pub fn change<R>(&mut self, f: impl FnOnce(&mut Listpack) -> R) -> Option<R> {
        self.restore();
        let Node::Packed(pack) = Arc::make_mut(&mut self.node) else { return None };
        let result = f(pack);
        (self.count, self.bytes) = (pack.len() as u32, pack.byte_len() as u32);
        Some(result)
    }

    /// Moves what the node is made of, unless it is shared.
    pub fn relocate(&mut self, mover: &mut Mover) {
        mover.arc(&mut self.node);
        match Arc::get_mut(&mut self.node) {
            Some(Node::Packed(pack)) => pack.relocate(mover),
            Some(Node::Plain(bytes)) => {
                mover.boxed(bytes);
                mover.bytes(bytes);
            }
            Some(Node::Squeezed(squeezed)) => {
                mover.boxed(squeezed);
                mover.boxed_slice(&mut squeezed.lzf);
            }
            None => mover.pass(),
        }
    }

    /// Its content, restored for as long as it is looked at.
    #[inline]
    pub fn node(&self) -> Cow<'_, Node> {
        match &*self.node {
            Node::Squeezed(squeezed) => Cow::Owned(squeezed.restore()),
            node => Cow::Borrowed(node),
        }
    }

    pub fn is_squeezed(&self) -> bool {
        matches!(&*self.node, Node::Squeezed(_))
    }

    /// Its listpack, taken out; an element alone is put into one, unless it is too large for any.
    pub fn take_pack(&mut self) -> Option<Listpack> {
        self.restore();
        if let Node::Plain(bytes) = &*self.node {
            let mut pack = Listpack::with_capacity(Listpack::string_bytes(bytes.len()));
            (bytes.len() < GIANT).then(|| pack.push(bytes))?;
            return Some(pack);
        }
        self.change(std::mem::take)
    }

    #[inline]
    pub fn restore(&mut self) {
        if let Node::Squeezed(squeezed) = &*self.node {
            self.node = Arc::new(squeezed.restore());
        }
    }

    /// Compresses it, if that is worth it.
    pub fn squeeze(&mut self) {
        let (bytes, plain) = match &*self.node {
            Node::Packed(pack) if pack.byte_len() < COMPRESSED_MIN => return,
            Node::Packed(pack) => (Cow::Owned(pack.to_bytes()), false),
            Node::Plain(bytes) => (Cow::Borrowed(&bytes[..]), true),
            Node::Squeezed(_) => return,
        };
        let squeezed = COMPRESSOR.with(|compressor| {
            let mut compressor = compressor.borrow_mut();
            let lzf = compressor.compress(&bytes).filter(|lzf| lzf.len() + SAVED_MIN < bytes.len())?;
            Some(Box::new(Squeezed { lzf: lzf.into(), len: bytes.len(), plain }))
        });
        if let Some(squeezed) = squeezed {
            self.node = Arc::new(Node::Squeezed(squeezed));
        }
    }

    /// Whether no copy shares the node.
    pub fn is_alone(&self) -> bool {
        Arc::strong_count(&self.node) == 1
    }

    /// Bytes of memory that the node takes, its place in the deque not counted.
    pub fn allocated(&self) -> usize {
        /// The two counters in front of what an `Arc` shares.
        const COUNTERS: usize = 2 * size_of::<usize>();
        COUNTERS
            + size_of::<Node>()
            + match &*self.node {
                Node::Packed(pack) => pack.allocated(),
                Node::Plain(bytes) => size_of::<Bytes>() + bytes.len(),
                Node::Squeezed(squeezed) => size_of::<Squeezed>() + squeezed.lzf.len(),
            }
    }

    pub fn view(&self) -> NodeView<'_> {
        match &*self.node {
            Node::Packed(pack) => NodeView::Packed(pack),
            Node::Plain(bytes) => NodeView::Plain(bytes),
            Node::Squeezed(node) => NodeView::Squeezed { lzf: &node.lzf, len: node.len, plain: node.plain },
        }
    }

    /// Hands `f` the elements from `offset` on towards an end; `false` when it said so.
    #[inline]
    pub fn visit(&self, offset: usize, towards: End, f: &mut impl FnMut(ListElement<'_>) -> bool) -> bool {
        match &*self.node() {
            Node::Packed(pack) => visit_pack(pack, offset, towards, f),
            Node::Plain(bytes) => f(ListElement::Large(bytes)),
            Node::Squeezed(_) => unreachable!("it has just been restored"),
        }
    }
}

/// Hands `f` the elements from `offset` on towards an end; `false` when it said so.
#[inline]
pub(super) fn visit_pack(pack: &Listpack, offset: usize, towards: End, f: &mut impl FnMut(ListElement<'_>) -> bool) -> bool {
    let Some(pos) = pack.nth(offset) else { return true };
    if towards == End::Back {
        return pack.iter_from(pos).all(|item| f(ListElement::Item(item)));
    }
    let mut at = Some(pos);
    while let Some(pos) = at {
        if !f(ListElement::Item(pack.get(pos))) {
            return false;
        }
        at = pack.prev(pos);
    }
    true
}

/// Adds an element beside the one at `pos`.
pub(super) fn insert_beside(pack: &mut Listpack, pos: Pos, after: bool, bytes: &[u8]) {
    let pos = if after { pack.next(pos).unwrap_or(pack.end()) } else { pos };
    pack.insert(pos, bytes);
}

/// Takes the first `most` elements that are equal to `item` out, counted from an end. Returns how many there were.
pub(super) fn remove_equal(pack: &mut Listpack, item: Item<'_>, from: End, most: usize) -> usize {
    let mut removed = 0;
    if from == End::Front {
        let mut at = pack.first();
        while removed < most
            && let Some(pos) = at.and_then(|pos| pack.find_item(pos, item, 0))
        {
            pack.remove(pos);
            removed += 1;
            at = pack.here(pos);
        }
        return removed;
    }
    let mut at = pack.last();
    while removed < most
        && let Some(pos) = at
    {
        at = pack.prev(pos);
        if pack.get(pos) == item {
            pack.remove(pos);
            removed += 1;
        }
    }
    removed
}
