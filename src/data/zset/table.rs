//! The scalable form: members in a table by name, and in a tree by score. One of the rooms where `unsafe` is allowed (see lib.rs).
//!
//! The table owns the members; the tree's elements only lead to them. What keeps this sound is one invariant, which every function here
//! keeps: **each element of the tree leads to a member that is in the table.** A member is added to the table before its element is added
//! to the tree, and is removed after it.
#![allow(unsafe_code)]

use super::{
    member::{Member, MemberPtr},
    score_change::ScoreChange,
    tree::{self, Boundary, Tree, count_below},
};
use crate::data::{
    dict::Dict,
    key_hash::Seed,
    moving::{Mover, Place},
    trash::{self, LARGE},
};
use std::{
    cmp::Ordering,
    marker::PhantomData,
    mem,
    ops::{ControlFlow, Range},
};

/// An element of the tree: a score, and the way to its member.
type Elem = tree::Elem<MemberPtr>;

/// The scalable form of a sorted set.
pub struct Table {
    dict: Dict<Member>,
    tree: Tree<MemberPtr>,
}

/// The bytes of a member of the table.
///
/// # Safety
/// The link has to be of one of the tree's elements, and its table borrowed for `'a`.
#[inline(always)]
unsafe fn bytes_of<'a>(link: MemberPtr) -> &'a [u8] {
    // SAFETY: a tree's element leads to a member that is in the table, and while that is borrowed it stays.
    unsafe { link.bytes() }
}

/// A member of a table that is borrowed for `'a`. It is not read until its bytes are asked for.
#[derive(Clone, Copy)]
pub struct MemberLink<'a>(MemberPtr, PhantomData<&'a Table>);

impl<'a> MemberLink<'a> {
    /// Its bytes.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        // SAFETY: it was made of one of the tree's elements, while the table was borrowed for 'a.
        unsafe { bytes_of(self.0) }
    }
}

/// The place in front of a score and member, or behind them.
struct At<'a> {
    score: f64,
    member: &'a [u8],
    behind: bool,
}

/// The place in front of this score and member.
#[inline(always)]
fn before(score: f64, member: &[u8]) -> At<'_> {
    At { score, member, behind: false }
}

/// The place behind them.
#[inline(always)]
fn behind(score: f64, member: &[u8]) -> At<'_> {
    At { score, member, behind: true }
}

impl Boundary<MemberPtr> for At<'_> {
    #[inline(always)]
    fn count_before(&self, scores: &[f64], links: &[MemberPtr]) -> usize {
        let below = count_below(scores, self.score);
        if scores.get(below) != Some(&self.score) {
            return below;
        }
        self.among_equals(scores, links, below)
    }
}

impl At<'_> {
    /// How many elements come before it, the first `below` of which have a lower score, and the next one the same.
    #[inline(never)]
    fn among_equals(&self, scores: &[f64], links: &[MemberPtr], below: usize) -> usize {
        let equals = scores[below..links.len()].iter().filter(|score| **score == self.score).count();
        // SAFETY: only elements of a tree are asked about, during a look-up, when each leads to a member in the table.
        let comes_before = |link: &MemberPtr| match unsafe { bytes_of(*link) }.cmp(self.member) {
            Ordering::Less => true,
            Ordering::Equal => self.behind,
            Ordering::Greater => false,
        };
        below + links[below..below + equals].partition_point(comes_before)
    }
}

/// The place behind the elements with such scores, which are the first ones.
struct ByScore<F>(F);

impl<F: Fn(f64) -> bool> Boundary<MemberPtr> for ByScore<F> {
    fn count_before(&self, scores: &[f64], links: &[MemberPtr]) -> usize {
        scores[..links.len()].partition_point(|score| (self.0)(*score))
    }
}

/// The place behind such members, which are the first ones where all have the same score.
struct ByMember<F>(F);

impl<F: Fn(&[u8]) -> bool> Boundary<MemberPtr> for ByMember<F> {
    fn count_before(&self, _: &[f64], links: &[MemberPtr]) -> usize {
        // SAFETY: as in `At`.
        links.partition_point(|link| (self.0)(unsafe { bytes_of(*link) }))
    }
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
            a.score.partial_cmp(&b.score).unwrap_or(Ordering::Equal).then_with(|| unsafe { bytes_of(a.link).cmp(bytes_of(b.link)) })
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
    pub fn upsert(&mut self, member: &[u8], rule: impl FnOnce(Option<f64>) -> Option<f64>) -> ScoreChange {
        let hash = self.dict.hash(member);
        let Some(found) = self.dict.find_mut(hash, member) else {
            let Some(score) = rule(None) else { return ScoreChange::None };
            self.add(hash, member, score);
            return ScoreChange::Added;
        };
        let old = found.score();
        let Some(score) = rule(Some(old)) else { return ScoreChange::None };
        if score == old {
            return ScoreChange::None;
        }
        let link = found.link();
        self.tree.remove(Elem { score: old, link }, &behind(old, member));
        found.set_score(score);
        self.tree.insert(Elem { score, link }, &before(score, member));
        ScoreChange::Updated
    }

    /// Adds a member that is not there, whose hash this is.
    fn add(&mut self, hash: u64, member: &[u8], score: f64) {
        let link = self.dict.insert_new(hash, Member::new(score, member)).link();
        self.tree.insert(Elem { score, link }, &before(score, member));
    }

    /// Adds a member; `true` when it is new.
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
        self.tree.remove(Elem { score: found.score(), link: found.link() }, &behind(found.score(), member));
        self.dict.remove_at(handle, hash);
        self.dict.gather();
        true
    }

    /// The rank of a member, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.tree.rank(&before(score, member)), score))
    }

    /// How many members have a score that is `below`: those with the lowest ones.
    pub fn rank_by_score(&self, below: impl Fn(f64) -> bool) -> usize {
        self.tree.rank(&ByScore(below))
    }

    /// How many members are `below`, where all have the same score.
    pub fn rank_by_member(&self, below: impl Fn(&[u8]) -> bool) -> usize {
        self.tree.rank(&ByMember(below))
    }

    /// Takes out the members in this range of ranks, and shows each.
    pub fn remove_range(&mut self, range: Range<usize>, mut each: impl FnMut(&[u8], f64)) {
        let dict = &mut self.dict;
        self.tree.remove_range(range, |elem| {
            // SAFETY: the element has just been in the tree, so its member is in the table. From here on the tree compares nothing, and
            // so does not follow it.
            let bytes = unsafe { bytes_of(elem.link) };
            let member = dict.remove(dict.hash(bytes), bytes);
            debug_assert!(member.is_some());
            if let Some(member) = member {
                each(member.bytes(), member.score());
            }
        });
        self.dict.gather();
    }

    /// The member with this rank, and its score.
    pub fn nth(&self, rank: usize) -> Option<(&[u8], f64)> {
        // SAFETY: the table is borrowed for as long as the bytes are.
        self.tree.get(rank).map(|elem| (unsafe { bytes_of(elem.link) }, elem.score))
    }

    /// The members in this range of ranks.
    pub fn iter(&self, range: Range<usize>) -> Iter<'_> {
        Iter(self.tree.iter(range))
    }

    /// Shows the members from a score on up to another, which is left out, until `visit` has enough.
    #[inline]
    pub fn visit_between<'a>(
        &'a self,
        min: f64,
        max: f64,
        mut visit: impl FnMut(f64, MemberLink<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let ranks = self.rank_by_score(|score| score < min)..self.rank_by_score(|score| score < max);
        self.tree.visit(ranks, |scores, links| {
            scores.iter().zip(links).try_for_each(|(score, link)| visit(*score, MemberLink(*link, PhantomData)))
        })
    }

    /// Moves what it is made of from a place on, the members first, then the tree's nodes. Says where to go on.
    pub fn relocate(&mut self, from: Place, mover: &mut Mover) -> Option<Place> {
        /// The part of the place that stands for the tree.
        const TREE: u8 = 1;
        let Self { dict, tree } = self;
        if from.part != TREE {
            let next = dict.relocate(&from, mover, &mut |member, mover| {
                let Some(new) = member.relocated(mover) else { return };
                // Both are there, and equal, while the tree follows its elements to find the one whose way is to lead to the new one.
                let elem = Elem { score: member.score(), link: member.link() };
                tree.relink(elem, new.link(), &behind(member.score(), member.bytes()));
                mem::replace(member, new).leave(mover);
            });
            return Some(next.unwrap_or(Place { part: TREE, ..Place::default() }));
        }
        let next = tree.relocate(from.at as usize, mover)?;
        Some(Place { at: next as u64, ..from })
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
            let link = clone.dict.insert_new(hash, Member::new(score, member)).link();
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
pub struct Iter<'a>(tree::Iter<'a, MemberPtr>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: the table is borrowed for 'a, as the tree is that this came from.
        self.0.next().map(|elem| (unsafe { bytes_of(elem.link) }, elem.score))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        // SAFETY: as in `next`.
        self.0.next_back().map(|elem| (unsafe { bytes_of(elem.link) }, elem.score))
    }
}
