//! Sorted sets: each member has a score, and they stand in the order of their scores, then of their bytes.
//!
//! [`pack`] is the compact form, [`table`] the scalable one: a [`Dict`](super::dict::Dict) of [`member`]s and a [`tree`] over them.
//! No score is NaN.

mod gathering;
mod member;
mod pack;
mod score_change;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod unread;

pub use super::limits::PackLimits;
use super::{
    dict::Dict,
    key_hash::Seed,
    listpack::{BYTES_MAX, Item, Listpack},
    moving::{Mover, Place, Relocate},
};
pub use gathering::Gathering;
pub use member::Member;
pub use score_change::ScoreChange;
use std::ops::{ControlFlow, Range};
use table::Table;
pub use unread::Unread;

/// A sorted set.
#[derive(Clone)]
pub struct Zset(Repr);

#[derive(Clone)]
enum Repr {
    Pack(Listpack),
    Table(Box<Table>),
}

impl Relocate for Zset {
    fn relocate(&mut self, from: Place, mover: &mut Mover) -> Option<Place> {
        match &mut self.0 {
            Repr::Pack(pack) => {
                pack.relocate(mover);
                None
            }
            Repr::Table(table) => {
                mover.boxed(table);
                table.relocate(from, mover)
            }
        }
    }
}

impl Default for Zset {
    fn default() -> Self {
        Self(Repr::Pack(Listpack::new()))
    }
}

impl Zset {
    /// An empty one that is to hold `members` members, of which the first is `member_len` bytes long: in the compact form if that may be.
    pub fn with_expected(members: usize, member_len: usize, limits: PackLimits) -> Self {
        if members > limits.entries || member_len > limits.value {
            return Self(Repr::Table(Box::new(Table::new(limits.seed))));
        }
        Self::default()
    }

    /// From alternating members and scores, as they stand in a file; in the scalable form when there are too many of them.
    ///
    /// `None` when a member is there twice, or a score is none.
    pub fn from_listpack(pack: Listpack, limits: PackLimits) -> Option<Self> {
        if !pack::is_sound(&pack)? {
            let mut sorted = Self::with_expected(pack.len() / 2, 0, limits);
            for (member, score) in pack::iter(&pack, 0..pack.len() / 2) {
                sorted.insert_new(member.text(&mut itoa::Buffer::new()), score, limits);
            }
            return Some(sorted);
        }
        let mut zset = Self(Repr::Pack(pack));
        zset.expect(zset.len(), limits);
        Some(zset)
    }

    /// The compact form, if that is what it is in.
    pub fn compact(&self) -> Option<&Listpack> {
        match &self.0 {
            Repr::Pack(pack) => Some(pack),
            Repr::Table(_) => None,
        }
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Pack(pack) => pack.len() / 2,
            Repr::Table(table) => table.len(),
        }
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Pack(_) => "listpack",
            Repr::Table(_) => "skiplist",
        }
    }

    /// Bytes of memory it takes, the fixed part inside its [`Object`](super::object::Object) not counted. `samples` elements are looked at
    /// (0: all of them).
    pub fn allocated(&self, samples: usize) -> usize {
        match &self.0 {
            Repr::Pack(pack) => pack.allocated(),
            Repr::Table(table) => table.allocated(samples),
        }
    }

    /// Takes the scalable form when so many members are too many for the compact one.
    #[inline]
    pub fn expect(&mut self, members: usize, limits: PackLimits) {
        if members > limits.entries {
            self.scale(limits.seed);
        }
    }

    /// Takes the scalable form.
    fn scale(&mut self, seed: Seed) {
        let Repr::Pack(pack) = &self.0 else { return };
        let mut table = Table::new(seed);
        for (member, score) in pack::iter(pack, 0..pack.len() / 2) {
            table.insert_new(member.text(&mut itoa::Buffer::new()), score);
        }
        self.0 = Repr::Table(Box::new(table));
    }

    /// Takes the compact form if all fits: for a set that has been put together.
    pub fn compact_if_small(&mut self, limits: PackLimits) {
        let Repr::Table(table) = &self.0 else { return };
        if table.len() > limits.entries {
            return;
        }
        let (longest, all) = table.iter(0..table.len()).fold((0, 0), |(longest, all), (m, _)| (m.len().max(longest), all + m.len()));
        let bytes = all + 8 * table.len();
        if longest > limits.value || bytes > BYTES_MAX {
            return;
        }
        let mut pack = Listpack::with_capacity(bytes);
        table.iter(0..table.len()).for_each(|(member, score)| pack::push(&mut pack, member, score));
        self.0 = Repr::Pack(pack);
    }

    /// The score of a member.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Repr::Pack(pack) => pack::score_of(pack, member),
            Repr::Table(table) => table.score(member),
        }
    }

    /// Gives a member the score that `rule` makes of the one it has, or adds it; leaves it as it is when `rule` says `None`.
    /// The scalable form is taken when a new member does not fit in the compact one.
    #[inline]
    pub fn upsert(&mut self, member: &[u8], limits: PackLimits, rule: impl FnOnce(Option<f64>) -> Option<f64>) -> ScoreChange {
        match &mut self.0 {
            Repr::Table(table) => table.upsert(member, rule),
            Repr::Pack(pack) => match pack::find(pack, member) {
                Some(pos) => pack::update(pack, pos, member, rule),
                None => {
                    let Some(score) = rule(None) else { return ScoreChange::None };
                    self.add(member, score, limits);
                    ScoreChange::Added
                }
            },
        }
    }

    /// Adds a member; `true` when it is new.
    pub fn insert_new(&mut self, member: &[u8], score: f64, limits: PackLimits) -> bool {
        match &mut self.0 {
            Repr::Table(table) => table.insert_new(member, score),
            Repr::Pack(pack) if pack::find(pack, member).is_some() => false,
            Repr::Pack(_) => {
                self.add(member, score, limits);
                true
            }
        }
    }

    /// The same while a set is put together: the compact form forgets the sign of a zero, and a later member may not fit in it. So the first
    /// -0 has the scalable one taken. [`Zset::compact_if_small`] is to be called at the end.
    pub fn insert_signed(&mut self, member: &[u8], score: f64, limits: PackLimits) -> bool {
        if score == 0.0 && score.is_sign_negative() {
            self.scale(limits.seed);
        }
        self.insert_new(member, score, limits)
    }

    /// Adds a member that is not in the compact form.
    fn add(&mut self, member: &[u8], score: f64, limits: PackLimits) {
        let Repr::Pack(pack) = &mut self.0 else { return };
        if pack.len() / 2 < limits.entries && member.len() <= limits.value && pack.byte_len() + member.len() <= BYTES_MAX {
            return pack::insert(pack, member, score);
        }
        self.scale(limits.seed);
        self.insert_new(member, score, limits);
    }

    /// Removes a member; `true` when it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Table(table) => table.remove(member),
            Repr::Pack(pack) => {
                let found = pack::find(pack, member);
                if let Some(pos) = found {
                    pack.remove_some(pos, 2);
                }
                found.is_some()
            }
        }
    }

    /// The rank of a member, from 0 on, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Repr::Pack(pack) => pack::rank(pack, member),
            Repr::Table(table) => table.rank(member),
        }
    }

    /// How many members have a score that is `below`: those with the lowest ones.
    pub fn rank_by_score(&self, below: impl Fn(f64) -> bool) -> usize {
        match &self.0 {
            Repr::Pack(pack) => pack::rank_by_score(pack, below),
            Repr::Table(table) => table.rank_by_score(below),
        }
    }

    /// How many members are `below`, where all have the same score. Where they do not, it is a rank all the same.
    pub fn rank_by_member(&self, below: impl Fn(&[u8]) -> bool) -> usize {
        match &self.0 {
            Repr::Pack(pack) => pack::rank_by_member(pack, below),
            Repr::Table(table) => table.rank_by_member(below),
        }
    }

    /// Takes out the members in this range of ranks, and shows each.
    pub fn remove_range(&mut self, range: Range<usize>, mut each: impl FnMut(Item<'_>, f64)) {
        match &mut self.0 {
            Repr::Pack(pack) => pack::remove_range(pack, range, each),
            Repr::Table(table) => table.remove_range(range, |member, score| each(Item::Str(member), score)),
        }
    }

    /// The member with this rank, and its score.
    pub fn nth(&self, rank: usize) -> Option<(Item<'_>, f64)> {
        match &self.0 {
            Repr::Pack(pack) => pack::iter(pack, rank..rank.saturating_add(1)).next(),
            Repr::Table(table) => table.nth(rank).map(|(member, score)| (Item::Str(member), score)),
        }
    }

    /// All members with their scores, in order.
    pub fn iter(&self) -> Iter<'_> {
        self.range(0..self.len())
    }

    /// The members in this range of ranks, with their scores, in order. A member may be an [`Item::Str`] although it is a number.
    pub fn range(&self, range: Range<usize>) -> Iter<'_> {
        let end = range.end.min(self.len());
        let range = range.start.min(end)..end;
        match &self.0 {
            Repr::Pack(pack) => Iter::Pack(pack::iter(pack, range)),
            Repr::Table(table) => Iter::Table(table.iter(range)),
        }
    }

    /// Shows the members from a score on up to another, which is left out, with their scores in order, until `visit` has enough.
    #[inline]
    pub fn visit_between<'a>(&'a self, min: f64, max: f64, mut visit: impl FnMut(f64, Unread<'a>) -> ControlFlow<()>) -> ControlFlow<()> {
        match &self.0 {
            Repr::Table(table) => table.visit_between(min, max, |score, link| visit(score, Unread::Link(link))),
            Repr::Pack(pack) => pack::iter(pack, 0..self.len())
                .skip_while(|(_, score)| *score < min)
                .take_while(|(_, score)| *score < max)
                .try_for_each(|(item, score)| visit(score, Unread::Item(item))),
        }
    }

    /// The members in no order, if it is in the scalable form: for a walk that goes on while there are changes.
    pub fn members(&self) -> Option<&Dict<Member>> {
        match &self.0 {
            Repr::Pack(_) => None,
            Repr::Table(table) => Some(table.dict()),
        }
    }
}

/// Members with their scores in order, from both ends.
pub enum Iter<'a> {
    /// Of the compact form.
    #[doc(hidden)]
    Pack(pack::Iter<'a>),
    /// Of the scalable form.
    #[doc(hidden)]
    Table(table::Iter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Pack(iter) => iter.next(),
            Self::Table(iter) => iter.next().map(|(member, score)| (Item::Str(member), score)),
        }
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Pack(iter) => iter.next_back(),
            Self::Table(iter) => iter.next_back().map(|(member, score)| (Item::Str(member), score)),
        }
    }
}
