//! The scalable form: members in a table by name, and in a tree by score. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! The table owns the members; the tree's elements only lead to them. What keeps this sound is one invariant, which every function here
//! keeps: **each element of the tree leads to a member that is in the table.** A member comes into the table before its element comes
//! into the tree, and goes after it.
#![allow(unsafe_code)]

use super::{
    Change,
    member::{Link, Member},
    tree::{self, Tree},
};
use crate::data::{
    dict::Dict,
    hash::Seed,
    trash::{self, LARGE},
};
use std::{cmp::Ordering, ops::Range};

/// An element of the tree: a score, and the way to its member.
#[derive(Clone, Copy)]
struct Elem {
    score: f64,
    link: Link,
}

/// The scalable form of a sorted set.
pub struct Table {
    dict: Dict<Member>,
    tree: Tree<Elem>,
}

/// A member of the table that the element leads to.
///
/// # Safety
/// The element has to be one of the tree's, and its table borrowed for `'a`.
#[inline(always)]
unsafe fn bytes_of<'a>(elem: Elem) -> &'a [u8] {
    // SAFETY: a tree's element leads to a member that is in the table, and while that is borrowed it stays.
    unsafe { elem.link.bytes() }
}

/// Says of a tree's elements whether they come before this score and member.
#[inline(always)]
fn before(score: f64, member: &[u8]) -> impl Fn(&Elem) -> bool {
    // SAFETY: only elements of a tree are asked about, during a look-up, when each leads to a member in the table.
    move |elem| elem.score < score || (elem.score == score && unsafe { bytes_of(*elem) } < member)
}

/// [`before`], or are these themselves.
#[inline(always)]
fn up_to(score: f64, member: &[u8]) -> impl Fn(&Elem) -> bool {
    // SAFETY: as in `before`.
    move |elem| elem.score < score || (elem.score == score && unsafe { bytes_of(*elem) } <= member)
}

impl Table {
    /// An empty one.
    pub fn new(seed: Seed) -> Self {
        Self { dict: Dict::new(seed), tree: Tree::default() }
    }

    /// Of these members.
    pub fn from_dict(dict: Dict<Member>) -> Self {
        let mut elems: Vec<Elem> = dict.iter().map(|member| Elem { score: member.score(), link: member.link() }).collect();
        // SAFETY: each element leads to a member that is in the table, which is not changed meanwhile.
        elems.sort_unstable_by(|a, b| {
            a.score.partial_cmp(&b.score).unwrap_or(Ordering::Equal).then_with(|| unsafe { bytes_of(*a).cmp(bytes_of(*b)) })
        });
        let mut tree = Tree::default();
        elems.into_iter().for_each(|elem| tree.push(elem));
        Self { dict, tree }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// The members by name: for a walk that survives changes.
    pub fn dict(&self) -> &Dict<Member> {
        &self.dict
    }

    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.dict.find(self.dict.hash(member), member).map(Member::score)
    }

    /// See [`super::Zset::upsert`].
    #[inline]
    pub fn upsert(&mut self, member: &[u8], rule: impl FnOnce(Option<f64>) -> Option<f64>) -> Change {
        let hash = self.dict.hash(member);
        let Some(found) = self.dict.find_mut(hash, member) else {
            let Some(score) = rule(None) else { return Change::None };
            self.add(hash, member, score);
            return Change::Added;
        };
        let old = found.score();
        let Some(score) = rule(Some(old)) else { return Change::None };
        if score == old {
            return Change::None;
        }
        let link = found.link();
        self.tree.remove_last_of(up_to(old, member));
        found.set_score(score);
        self.tree.insert(Elem { score, link }, before(score, member));
        Change::Updated
    }

    /// Adds a member that is not there, whose hash this is.
    fn add(&mut self, hash: u64, member: &[u8], score: f64) {
        let link = self.dict.insert_new(hash, Member::new(member, score)).link();
        self.tree.insert(Elem { score, link }, before(score, member));
    }

    /// Adds a member; says whether it was not there.
    pub fn insert_new(&mut self, member: &[u8], score: f64) -> bool {
        let hash = self.dict.hash(member);
        let is_new = self.dict.find(hash, member).is_none();
        if is_new {
            self.add(hash, member, score);
        }
        is_new
    }

    pub fn remove(&mut self, member: &[u8]) -> bool {
        let hash = self.dict.hash(member);
        let Some((handle, found)) = self.dict.find_with_handle(hash, member) else { return false };
        self.tree.remove_last_of(up_to(found.score(), member));
        self.dict.remove_at(handle, hash);
        true
    }

    /// The rank of a member, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.tree.rank(before(score, member)), score))
    }

    /// How many members have a score that is `below`: those with the lowest ones.
    pub fn rank_by_score(&self, below: impl Fn(f64) -> bool) -> usize {
        self.tree.rank(|elem: &Elem| below(elem.score))
    }

    /// How many members are `below`, where all have the same score.
    pub fn rank_by_member(&self, below: impl Fn(&[u8]) -> bool) -> usize {
        // SAFETY: as in `before`.
        self.tree.rank(|elem: &Elem| below(unsafe { bytes_of(*elem) }))
    }

    /// Takes out the members in this range of ranks, and shows each.
    pub fn remove_range(&mut self, range: Range<usize>, mut each: impl FnMut(&[u8], f64)) {
        let dict = &mut self.dict;
        self.tree.remove_range(range, |elem| {
            // SAFETY: the element has just been in the tree, so its member is in the table. From here on the tree compares nothing, and
            // so does not follow it.
            let bytes = unsafe { bytes_of(elem) };
            let member = dict.remove(dict.hash(bytes), bytes);
            debug_assert!(member.is_some());
            if let Some(member) = member {
                each(member.bytes(), member.score());
            }
        });
    }

    /// The member with this rank, and its score.
    pub fn nth(&self, rank: usize) -> Option<(&[u8], f64)> {
        // SAFETY: the table is borrowed for as long as the bytes are.
        self.tree.get(rank).map(|elem| (unsafe { bytes_of(elem) }, elem.score))
    }

    /// The members in this range of ranks.
    pub fn iter(&self, range: Range<usize>) -> Iter<'_> {
        Iter(self.tree.iter(range))
    }

    /// Bytes of memory it takes, estimated from the first `samples` members (0: all of them).
    pub fn allocated(&self, samples: usize) -> usize {
        let seen = if samples == 0 { self.len() } else { samples.min(self.len()) };
        let members: usize = self.dict.iter().take(seen).map(Member::allocated).sum();
        let members = if seen == 0 { 0 } else { (members as f64 / seen as f64 * self.len() as f64) as usize };
        size_of::<Self>() + self.dict.table_bytes() + self.tree.bytes() + members
    }
}

impl Clone for Table {
    fn clone(&self) -> Self {
        let mut clone = Self::new(self.dict.seed());
        for (member, score) in self.iter(0..self.len()) {
            let hash = clone.dict.hash(member);
            let link = clone.dict.insert_new(hash, Member::new(member, score)).link();
            clone.tree.push(Elem { score, link });
        }
        clone
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // The members take care of themselves.
        if self.len() >= LARGE {
            trash::leave(std::mem::take(&mut self.tree));
        }
    }
}

/// Members with their scores in order, from both ends.
pub struct Iter<'a>(tree::Iter<'a, Elem>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: the table is borrowed for 'a, as the tree is that this came from.
        self.0.next().map(|elem| (unsafe { bytes_of(elem) }, elem.score))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        // SAFETY: as in `next`.
        self.0.next_back().map(|elem| (unsafe { bytes_of(elem) }, elem.score))
    }
}
