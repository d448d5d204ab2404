//! A node: some entries in a row, in a listpack that has exactly the bytes it has in Redis's files.
//!
//! ```text
//! master    entries that are there, entries that are deleted, number of names n, name ... , 0
//! entry     flags, ms, seq,                 value ... ,                 number of elements it has in front of this one
//!           flags, ms, seq, number of pairs, name, value ... ,          the same
//! ```
//!
//! The names are those of the first entry; one with the same names does not repeat them. `ms` and `seq` are counted from the node's own ID,
//! which is that of its first entry. A deleted entry stays where it is, and is marked.

use super::{
    entry::Entry,
    id::StreamId,
    tree::{Sum, Value},
};
use crate::data::{
    listpack::{Item, Iter, Listpack, Pos},
    moving::Mover,
    number,
};

/// The entry is deleted.
const DELETED: i64 = 1;
/// Its names are those of the master entry.
const SAME_FIELDS: i64 = 2;
/// Bytes that a node has at most, whatever the settings say.
pub const BYTES_MAX: usize = 1 << 30;

/// When a node is full: `stream-node-max-bytes` and `stream-node-max-entries`. 0: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// Bytes of its listpack in a file.
    pub bytes: usize,
    /// Entries, deleted ones too.
    pub entries: usize,
}

/// Entries of one listpack.
#[derive(Clone, Debug)]
pub(super) struct Node(Listpack);

/// Entries that are there.
#[derive(Clone, Copy)]
pub(super) struct Live(pub u64);

impl Sum for Live {
    const NONE: Self = Self(0);

    fn with(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    fn without(self, part: Self) -> Option<Self> {
        self.0.checked_sub(part.0).map(Self)
    }
}

impl Value for Node {
    type Sum = Live;
    /// So many nodes are copied at most by a change while a copy of the stream is about.
    const LEAF: usize = 8;
    const LARGE: usize = 64;

    fn sum(&self) -> Live {
        Live(self.live())
    }

    fn bytes(&self) -> usize {
        self.0.allocated()
    }
}

/// What the master entry says.
#[derive(Clone)]
struct Master<'a> {
    live: i64,
    deleted: i64,
    names_len: usize,
    /// Goes on with the names.
    names: Iter<'a>,
}

fn int(item: Option<Item<'_>>) -> Option<i64> {
    match item? {
        Item::Int(n) => Some(n),
        Item::Str(_) => None,
    }
}

/// A number of elements; what makes no sense is none.
fn count(item: Option<Item<'_>>) -> Option<usize> {
    Some(usize::try_from(int(item)?).unwrap_or(0))
}

/// Hands on the first of each two.
#[inline]
fn each_second<'f>(mut fields: impl Iterator<Item = &'f [u8]>, mut act: impl FnMut(&'f [u8])) {
    while let Some(field) = fields.next() {
        act(field);
        fields.next();
    }
}

#[inline]
fn is(item: Item<'_>, bytes: &[u8]) -> bool {
    match item {
        Item::Str(own) => own == bytes,
        Item::Int(n) => number::parse_i64(bytes) == Some(n),
    }
}

/// Entries in order, those that are deleted too.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    master: StreamId,
    names: Iter<'a>,
    names_len: usize,
    rest: Iter<'a>,
}

/// An entry, and where its flags are.
pub(super) struct Found<'a> {
    pub entry: Entry<'a>,
    flags: i64,
    pos: Pos,
}

impl Found<'_> {
    pub fn is_live(&self) -> bool {
        self.flags & DELETED == 0
    }

    /// Where it begins.
    pub fn pos(&self) -> Pos {
        self.pos
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Found<'a>;

    #[inline]
    fn next(&mut self) -> Option<Found<'a>> {
        let pos = self.rest.pos();
        let flags = int(self.rest.next())?;
        let (ms, seq) = (int(self.rest.next())?, int(self.rest.next())?);
        let id = self.master.offset(ms, seq);
        let entry = if flags & SAME_FIELDS != 0 {
            let entry = Entry::sharing(id, self.names_len, self.names.clone(), self.rest.clone());
            self.rest.skip_some(self.names_len);
            entry
        } else {
            let len = count(self.rest.next())?;
            let entry = Entry::own(id, len, self.rest.clone());
            self.rest.skip_some(len.saturating_mul(2));
            entry
        };
        self.rest.skip_some(1);
        Some(Found { entry, flags, pos })
    }
}

#[inline]
fn master(pack: &Listpack) -> Option<Master<'_>> {
    let mut names = pack.iter();
    let (live, deleted) = (int(names.next())?, int(names.next())?);
    let names_len = count(names.next())?;
    Some(Master { live, deleted, names_len, names })
}

#[inline]
fn entries(id: StreamId, pack: &Listpack) -> Option<Entries<'_>> {
    let Master { names, names_len, .. } = master(pack)?;
    let mut rest = names.clone();
    rest.skip_some(names_len.saturating_add(1));
    Some(Entries { master: id, names, names_len, rest })
}

/// The entries that are there in a node that is handed over under this ID.
pub fn entries_of(id: StreamId, pack: &Listpack) -> impl Iterator<Item = Entry<'_>> {
    entries(id, pack).into_iter().flatten().filter(Found::is_live).map(|found| found.entry)
}

impl Node {
    /// A node whose master entry is made from these names and values by turns, and says that there is one entry; and room for so many bytes.
    pub fn begin<'f>(fields: impl Iterator<Item = &'f [u8]>, pairs: usize, room: usize) -> Self {
        let mut pack = Listpack::with_capacity(room);
        pack.push_item(Item::Int(1));
        pack.push_item(Item::Int(0));
        pack.push_item(Item::Int(pairs as i64));
        each_second(fields, |name| pack.push(name));
        pack.push_item(Item::Int(0));
        Self(pack)
    }

    /// A node from a file, checked by whoever has read it.
    pub fn from_pack(pack: Listpack) -> Self {
        Self(pack)
    }

    /// Moves its bytes, if that pays.
    pub fn relocate(&mut self, mover: &mut Mover) {
        self.0.relocate(mover);
    }

    pub fn pack(&self) -> &Listpack {
        &self.0
    }

    /// Gives room back that is not used.
    pub fn fit(&mut self) {
        self.0.fit();
    }

    /// The first entry of a node that has begun with it.
    pub fn push_first<'f>(&mut self, fields: impl Iterator<Item = &'f [u8]>, pairs: usize) {
        self.push_same(0, 0, fields, pairs);
    }

    /// Whether an entry whose names and values have so many bytes goes into it.
    #[inline]
    pub fn admits(&self, bytes: usize, limits: NodeLimits) -> bool {
        let bytes_max = if limits.bytes == 0 { BYTES_MAX } else { limits.bytes.min(BYTES_MAX) };
        if self.0.byte_len() + bytes >= bytes_max {
            return false;
        }
        let mut counts = self.0.iter();
        let (live, deleted) = (int(counts.next()).unwrap_or(0), int(counts.next()).unwrap_or(0));
        limits.entries == 0 || (live.saturating_add(deleted).max(0) as u64) < limits.entries as u64
    }

    /// Adds an entry.
    pub fn push<'f>(&mut self, master: StreamId, id: StreamId, fields: impl Iterator<Item = &'f [u8]> + Clone, pairs: usize) {
        let Some(Master { live, mut names, names_len, .. }) = self.master() else { return };
        let mut same = names_len == pairs;
        each_second(fields.clone(), |name| same = same && names.next().is_some_and(|own| is(own, name)));
        self.set(0, live.saturating_add(1));
        let (ms, seq) = (id.ms.wrapping_sub(master.ms) as i64, id.seq.wrapping_sub(master.seq) as i64);
        if same {
            return self.push_same(ms, seq, fields, pairs);
        }
        self.push_head(0, ms, seq);
        self.0.push_item(Item::Int(pairs as i64));
        fields.for_each(|bytes| self.0.push(bytes));
        self.0.push_item(Item::Int(4 + 2 * pairs as i64));
    }

    fn push_same<'f>(&mut self, ms: i64, seq: i64, mut fields: impl Iterator<Item = &'f [u8]>, pairs: usize) {
        self.push_head(SAME_FIELDS, ms, seq);
        fields.next();
        each_second(fields, |value| self.0.push(value));
        self.0.push_item(Item::Int(3 + pairs as i64));
    }

    fn push_head(&mut self, flags: i64, ms: i64, seq: i64) {
        self.0.push_item(Item::Int(flags));
        self.0.push_item(Item::Int(ms));
        self.0.push_item(Item::Int(seq));
    }

    #[inline]
    fn master(&self) -> Option<Master<'_>> {
        master(&self.0)
    }

    /// Sets number `index` of the master entry.
    fn set(&mut self, index: usize, value: i64) {
        let mut pos = self.0.first();
        for _ in 0..index {
            pos = pos.and_then(|pos| self.0.next(pos));
        }
        if let Some(pos) = pos {
            self.0.replace_item(pos, Item::Int(value));
        }
    }

    /// Number of entries that are there.
    pub fn live(&self) -> u64 {
        int(self.0.iter().next()).map_or(0, |live| live.max(0) as u64)
    }

    /// All entries, in order.
    #[inline]
    pub fn entries(&self, master: StreamId) -> Option<Entries<'_>> {
        entries(master, &self.0)
    }

    /// The entry that ends in front of `end`, deleted or not.
    #[inline]
    pub fn entry_before<'a>(&'a self, entries: &Entries<'a>, end: Pos) -> Option<Found<'a>> {
        let mut pos = self.0.prev(end)?;
        let Item::Int(elements @ 1..) = self.0.get(pos) else { return None };
        for _ in 0..elements {
            pos = self.0.prev(pos)?;
        }
        Entries { rest: self.0.iter_from(pos), ..entries.clone() }.next()
    }

    /// The ID of its last entry, deleted or not.
    pub fn last_id(&self, master: StreamId) -> Option<StreamId> {
        let entries = self.entries(master)?;
        self.entry_before(&entries, self.0.end()).map(|found| found.entry.id())
    }

    /// Where the entry of this ID is, if it is there.
    pub fn find(&self, master: StreamId, id: StreamId) -> Option<Pos> {
        // Where one that is deleted stands says nothing: XSETID can go back behind it.
        let mut entries = self.entries(master)?.filter(Found::is_live);
        entries.find(|found| found.entry.id() >= id).filter(|found| found.entry.id() == id).map(|found| found.pos)
    }

    /// Marks the entries whose flags are at these places, in order, as deleted.
    pub fn mark(&mut self, places: &[Pos]) {
        for pos in places.iter().rev() {
            let Item::Int(flags) = self.0.get(*pos) else { continue };
            self.0.replace_item(*pos, Item::Int(flags | DELETED));
        }
        let Some(Master { live, deleted, .. }) = self.master() else { return };
        let marked = places.len() as i64;
        let (live, deleted) = (live.saturating_sub(marked), deleted.saturating_add(marked));
        self.set(1, deleted);
        self.set(0, live);
    }

    /// The entries from the first on that are there, up to the first that is to stay.
    pub fn leading(&self, master: StreamId, mut stays: impl FnMut(StreamId) -> bool) -> Vec<Pos> {
        let entries = self.entries(master).into_iter().flatten().take_while(|found| !stays(found.entry.id()));
        entries.filter(Found::is_live).map(|found| found.pos).collect()
    }
}
