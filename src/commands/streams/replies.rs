//! IDs and entries as replies.

use super::ids::IdText;
use crate::{
    data::{
        listpack::Item,
        stream::{Entry, StreamId},
    },
    resp::output::Output,
};

/// Answers with an ID.
#[inline]
pub(super) fn reply_id(out: &mut Output, id: StreamId) {
    out.bulk(IdText::new(id).bytes());
}

#[inline]
fn reply_item(out: &mut Output, item: Item<'_>) {
    match item {
        Item::Int(n) => out.bulk_int(n),
        Item::Str(bytes) => out.bulk(bytes),
    }
}

/// Answers with an entry's ID and its fields: two elements of an array whose header has been written.
#[inline]
pub(super) fn reply_entry_parts(out: &mut Output, entry: &Entry<'_>) {
    reply_id(out, entry.id());
    out.array(2 * entry.len());
    for (field, value) in entry.fields() {
        reply_item(out, field);
        reply_item(out, value);
    }
}

/// Answers with an entry.
#[inline]
pub(super) fn reply_entry(out: &mut Output, entry: &Entry<'_>) {
    out.array(2);
    reply_entry_parts(out, entry);
}

/// Answers with an array of what `elements` has, each written by `reply`, and returns how many there were. A guess that is right saves a move of the whole
/// reply.
#[inline]
pub(super) fn reply_array<T>(
    out: &mut Output,
    guess: usize,
    elements: impl Iterator<Item = T>,
    mut reply: impl FnMut(&mut Output, T),
) -> usize {
    let mark = out.mark();
    out.array(guess);
    let mut count = 0;
    for element in elements {
        reply(out, element);
        count += 1;
    }
    out.correct_len(mark, guess, count);
    count
}

/// How many elements to expect of at most `count` (0: all), where there are `len`.
pub(super) fn guess(count: usize, len: u64) -> usize {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if count == 0 { len } else { len.min(count) }
}

/// The limit of a count that is 0 for none.
pub(super) fn limit(count: usize) -> usize {
    if count == 0 { usize::MAX } else { count }
}
