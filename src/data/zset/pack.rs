//! The compact form: alternating members and scores in a listpack, in order.

use super::score_change::ScoreChange;
use crate::data::{
    float,
    listpack::{self, Item, Listpack, Pos},
};
use std::{cmp::Ordering, collections::HashSet, ops::Range};

/// The score that an element says, if it says one.
fn parse(item: Item<'_>) -> Option<f64> {
    match item {
        Item::Int(n) => Some(n as f64),
        Item::Str(text) => float::parse(text),
    }
}

/// The score of an element that says one.
#[inline]
fn score(item: Item<'_>) -> f64 {
    // What is in the listpack has been checked or written by us.
    parse(item).unwrap_or(0.0)
}

fn with_score<R>(score: f64, f: impl FnOnce(Item<'_>) -> R) -> R {
    /// Half of `i64::MAX`, below which whole scores are kept as integers.
    const INTEGER_MAX: f64 = (i64::MAX / 2) as f64;
    let whole = score as i64;
    if score.abs() <= INTEGER_MAX && whole as f64 == score {
        return f(Item::Int(whole));
    }
    let mut text = Vec::with_capacity(32);
    float::write(&mut text, score);
    f(Item::new(&text))
}

fn compare(a: Item<'_>, b: &[u8]) -> Ordering {
    a.text(&mut itoa::Buffer::new()).cmp(b)
}

/// Whether the elements are members, each there once, with scores in order. The listpack itself is sound.
pub fn is_sound(pack: &Listpack) -> Option<bool> {
    let mut items = pack.iter();
    let mut members = HashSet::new();
    let mut last: Option<(f64, Item<'_>)> = None;
    let mut sorted = true;
    while let Some(member) = items.next() {
        let score = parse(items.next()?)?;
        if !members.insert(member.to_vec()) {
            return None;
        }
        let mut digits = itoa::Buffer::new();
        let text = member.text(&mut digits);
        sorted &= last.is_none_or(|(before, item)| before < score || (before == score && compare(item, text).is_lt()));
        last = Some((score, member));
    }
    Some(sorted)
}

pub fn find(pack: &Listpack, member: &[u8]) -> Option<Pos> {
    pack.find(pack.first()?, member, 1)
}

/// The score of the member at `pos`.
fn score_at(pack: &Listpack, pos: Pos) -> f64 {
    pack.next(pos).map_or(0.0, |at| score(pack.get(at)))
}

pub fn score_of(pack: &Listpack, member: &[u8]) -> Option<f64> {
    Some(score_at(pack, find(pack, member)?))
}

/// The rank of a member, and its score.
pub fn rank(pack: &Listpack, member: &[u8]) -> Option<(usize, f64)> {
    let member = Item::new(member);
    pack.pairs().enumerate().find(|(_, (item, _))| *item == member).map(|(rank, (_, item))| (rank, score(item)))
}

/// How many members from the first on have a score that is `below`.
pub fn rank_by_score(pack: &Listpack, below: impl Fn(f64) -> bool) -> usize {
    pack.pairs().take_while(|(_, item)| below(score(*item))).count()
}

/// How many members from the first on are `below`.
pub fn rank_by_member(pack: &Listpack, below: impl Fn(&[u8]) -> bool) -> usize {
    pack.pairs().take_while(|(member, _)| below(member.text(&mut itoa::Buffer::new()))).count()
}

/// Changes the score of a member that is there by this rule.
pub fn update(pack: &mut Listpack, pos: Pos, member: &[u8], rule: impl FnOnce(Option<f64>) -> Option<f64>) -> ScoreChange {
    let old = score_at(pack, pos);
    match rule(Some(old)) {
        Some(new) if new != old => {
            pack.remove_some(pos, 2);
            insert(pack, member, new);
            ScoreChange::Updated
        }
        _ => ScoreChange::None,
    }
}

/// Adds a member that is not there.
pub fn insert(pack: &mut Listpack, member: &[u8], new: f64) {
    match place_for(pack, member, new) {
        None => push(pack, member, new),
        Some(pos) => with_score(new, |item| {
            pack.insert_item(pos, item);
            pack.insert(pos, member);
        }),
    }
}

/// Adds a member that comes behind all others.
pub fn push(pack: &mut Listpack, member: &[u8], score: f64) {
    pack.push(member);
    with_score(score, |item| pack.push_item(item));
}

/// The member that this one comes before.
fn place_for(pack: &Listpack, member: &[u8], new: f64) -> Option<Pos> {
    let mut items = pack.iter();
    loop {
        let pos = items.pos();
        let (other, item) = (items.next()?, items.next()?);
        let old = score(item);
        if old > new || (old == new && compare(other, member).is_gt()) {
            return Some(pos);
        }
    }
}

/// Takes out the members in this range of ranks, and shows each.
pub fn remove_range(pack: &mut Listpack, range: Range<usize>, mut each: impl FnMut(Item<'_>, f64)) {
    let Some(pos) = pack.nth(2 * range.start) else { return };
    let mut items = pack.iter_from(pos);
    for _ in range.clone() {
        let (Some(member), Some(item)) = (items.next(), items.next()) else { break };
        each(member, score(item));
    }
    pack.remove_some(pos, 2 * range.len());
}

/// Members with their scores in order, from both ends.
pub struct Iter<'a>(listpack::Iter<'a>);

pub fn iter(pack: &Listpack, range: Range<usize>) -> Iter<'_> {
    let behind = (pack.len() / 2).saturating_sub(range.end);
    let mut items = pack.iter();
    if range.start > 0 {
        items.nth(2 * range.start - 1);
    }
    if behind > 0 {
        items.nth_back(2 * behind - 1);
    }
    Iter(items)
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, score(self.0.next()?)))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let score = score(self.0.next_back()?);
        Some((self.0.next_back()?, score))
    }
}
