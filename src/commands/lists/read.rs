//! What looks at lists: LLEN, LINDEX, LRANGE, LPOS.

use super::{position, range, reply_element, reply_elements};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::errors,
    },
    data::{
        list::{End, List},
        listpack::Item,
    },
};

fn llen(ctx: &mut Ctx) {
    match ctx.read_as::<List>(1).map(|list| list.map_or(0, List::len)) {
        Ok(len) => ctx.out.len_int(len),
        Err(_) => ctx.wrong_type(),
    }
}

fn lindex(ctx: &mut Ctx) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let list = match ctx.server.keyspace.read_as::<List>(ctx.db, hash, key) {
        Err(_) => return ctx.wrong_type(),
        Ok(None) => return ctx.out.null(),
        Ok(Some(list)) => list,
    };
    let Some(index) = crate::data::number::parse_i64(ctx.args.get(2)) else { return ctx.error(errors::NOT_INTEGER) };
    let found = position(index, list.len()).and_then(|at| list.get(at, |element| reply_element(ctx.out, element)));
    if found.is_none() {
        ctx.out.null();
    }
}

fn lrange(ctx: &mut Ctx) {
    let Some(start) = ctx.int_arg(2) else { return };
    let Some(stop) = ctx.int_arg(3) else { return };
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    match ctx.server.keyspace.read_as::<List>(ctx.db, hash, key) {
        Err(_) => ctx.wrong_type(),
        Ok(None) => ctx.out.array(0),
        Ok(Some(list)) => {
            let (first, count) = range(start, stop, list.len());
            reply_elements(ctx.out, list, first, End::Back, count);
        }
    }
}

/// What LPOS is to find.
struct PositionSearch {
    /// Matches to leave out, counted from the end where the search begins.
    skip: usize,
    from: End,
    /// COUNT, `usize::MAX` for all; `None` when it is not given.
    count: Option<usize>,
    /// Elements to look at.
    most: usize,
}

fn search_args(ctx: &mut Ctx<'_>) -> Option<PositionSearch> {
    let mut search = PositionSearch { skip: 0, from: End::Front, count: None, most: usize::MAX };
    let or_all = |n: usize| if n == 0 { usize::MAX } else { n };
    let mut i = 3;
    while i < ctx.argc() {
        let has_value = i + 1 < ctx.argc();
        if ctx.is_word(i, "rank") && has_value {
            let rank = ctx.int_arg(i + 1)?;
            if rank == i64::MIN {
                ctx.error("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
                return None;
            }
            if rank == 0 {
                ctx.error(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start \
                     from the end of the list",
                );
                return None;
            }
            search.skip = rank.unsigned_abs() as usize - 1;
            search.from = if rank > 0 { End::Front } else { End::Back };
        } else if ctx.is_word(i, "count") && has_value {
            search.count = Some(or_all(ctx.count_arg(i + 1, 0, "ERR COUNT can't be negative")?));
        } else if ctx.is_word(i, "maxlen") && has_value {
            search.most = or_all(ctx.count_arg(i + 1, 0, "ERR MAXLEN can't be negative")?);
        } else {
            ctx.error(errors::SYNTAX);
            return None;
        }
        i += 2;
    }
    Some(search)
}

/// Indices of what is found, in the order of the search.
fn search(list: &List, item: Item<'_>, search: &PositionSearch) -> Vec<usize> {
    let (len, most) = (list.len(), search.count.unwrap_or(1));
    let (mut found, mut seen, mut matches) = (Vec::new(), 0, 0);
    let (start, towards) = if search.from == End::Front { (0, End::Back) } else { (len.saturating_sub(1), End::Front) };
    list.visit(start, towards, |element| {
        if element.is(item) {
            matches += 1;
            if matches > search.skip {
                found.push(if search.from == End::Front { seen } else { len - 1 - seen });
            }
        }
        seen += 1;
        seen < search.most && found.len() < most
    });
    found
}

fn lpos(ctx: &mut Ctx) {
    let Some(options) = search_args(ctx) else { return };
    let item = Item::new(ctx.arg(2));
    let found = match ctx.read_as::<List>(1) {
        Err(_) => return ctx.wrong_type(),
        Ok(list) => list.map_or(Vec::new(), |list| search(list, item, &options)),
    };
    if options.count.is_some() {
        ctx.out.array(found.len());
        found.into_iter().for_each(|index| ctx.out.len_int(index));
        return;
    }
    match found.first() {
        Some(index) => ctx.out.len_int(*index),
        None => ctx.out.null(),
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("llen", llen, 2, READONLY | FAST)
        .since(Group::List, "1.0.0")
        .doc("Tells how many elements a list has.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO)]),
    command("lindex", lindex, 3, READONLY)
        .since(Group::List, "1.0.0")
        .doc("Returns the element at an index, which counts from the end when it is negative.", "O(N) for the N nodes to the nearer end.")
        .args("key index:integer")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("lrange", lrange, 4, READONLY)
        .since(Group::List, "1.0.0")
        .doc("Returns the elements from one index to another.", "O(S+N) for S nodes to the nearer end and N elements returned.")
        .args("key start:integer stop:integer")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("lpos", lpos, -3, READONLY)
        .since(Group::List, "6.0.6")
        .doc("Finds the indices of elements that are equal to one.", "O(N) for the N elements looked at.")
        .args("key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
];
