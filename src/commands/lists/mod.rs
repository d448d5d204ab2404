//! Lists: what their commands share. Each file below has a few of the commands, and ends in their rows of the table.

pub mod blocking;
pub mod edit;
pub mod moving;
pub mod pop;
pub mod push;
pub mod read;

use super::{
    Ctx,
    context::{Event, errors},
};
use crate::{
    data::{
        list::{End, List, ListElement, NodeLimits},
        listpack::Item,
    },
    resp::output::Output,
};

/// The limits that the configuration sets.
#[inline]
pub fn limits(ctx: &Ctx<'_>) -> NodeLimits {
    let config = &ctx.server.config;
    NodeLimits { size: config.list_max_listpack_size, depth: config.list_compress_depth }
}

/// Answers with an element.
#[inline(always)]
pub fn reply_element(out: &mut Output, element: ListElement<'_>) {
    match element {
        ListElement::Item(Item::Int(n)) => out.bulk_int(n),
        ListElement::Item(Item::Str(bytes)) => out.bulk(bytes),
        ListElement::Large(bytes) => out.bulk_shared(bytes),
    }
}

/// Answers with an array of `count` elements, from `index` on towards an end.
#[inline]
pub(super) fn reply_elements(out: &mut Output, list: &List, index: usize, towards: End, count: usize) {
    out.array(count);
    let mut left = count;
    if left > 0 {
        list.visit(index, towards, |element| {
            reply_element(out, element);
            // It is over 0 here: the last element ended the visit otherwise.
            left = left.wrapping_sub(1);
            left > 0
        });
    }
}

/// Argument `i` as an end, LEFT or RIGHT; answers with an error when it is neither.
fn end_arg(ctx: &mut Ctx<'_>, i: usize) -> Option<End> {
    if ctx.is_word(i, "left") {
        return Some(End::Front);
    }
    if ctx.is_word(i, "right") {
        return Some(End::Back);
    }
    ctx.error(errors::SYNTAX);
    None
}

/// Where an index from either end lies in a list of this length; `None` outside of it.
fn position(index: i64, len: usize) -> Option<usize> {
    let at = if index < 0 { len.checked_sub(index.unsigned_abs() as usize)? } else { index as usize };
    (at < len).then_some(at)
}

/// The first index and the number of elements of a range that may lie outside of the list on either side, its end included.
fn range(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let absolute = |index: i64| if index < 0 { index + len as i64 } else { index };
    let (start, stop) = (absolute(start).max(0), absolute(stop).min(len as i64 - 1));
    if start > stop { (0, 0) } else { (start as usize, (stop - start) as usize + 1) }
}

fn pushed(end: End) -> Event {
    Event('l', if end == End::Front { "lpush" } else { "rpush" })
}

fn popped(end: End) -> Event {
    Event('l', if end == End::Front { "lpop" } else { "rpop" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_count_from_either_end() {
        for (index, at) in
            [(0, Some(0)), (4, Some(4)), (5, None), (-1, Some(4)), (-5, Some(0)), (-6, None), (i64::MIN, None), (i64::MAX, None)]
        {
            assert_eq!(position(index, 5), at, "{index}");
        }
    }

    #[test]
    fn ranges_are_cut_to_the_list() {
        let cases = [
            ((0, -1), (0, 5)),
            ((-2, -1), (3, 2)),
            ((1, 1), (1, 1)),
            ((-100, 100), (0, 5)),
            ((i64::MIN, i64::MAX), (0, 5)),
            ((3, 2), (0, 0)),
            ((5, 9), (0, 0)),
            ((0, -6), (0, 0)),
            ((i64::MAX, i64::MIN), (0, 0)),
        ];
        for ((start, stop), expected) in cases {
            assert_eq!(range(start, stop, 5), expected, "{start} {stop}");
        }
    }
}
