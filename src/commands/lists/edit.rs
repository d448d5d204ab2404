//! What changes lists elsewhere than at their ends: LSET, LINSERT, LREM, LTRIM.

use super::{limits, position, range};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, errors},
    },
    data::{
        list::{End, List},
        number,
    },
};

fn lset(ctx: &mut Ctx) {
    let (limits, hash, key) = (limits(ctx), ctx.hash(1), ctx.arg(1));
    let list = match ctx.server.keyspace.write_as::<List>(ctx.db, hash, key) {
        Err(_) => return ctx.wrong_type(),
        Ok(None) => return ctx.error(errors::NO_SUCH_KEY),
        Ok(Some(list)) => list,
    };
    let Some(index) = number::parse_i64(ctx.args.get(2)) else { return ctx.error(errors::NOT_INTEGER) };
    let element = ctx.args.get(3);
    list.before_growth(element.len(), 1, limits);
    if !position(index, list.len()).is_some_and(|at| list.set(at, element)) {
        return ctx.error(errors::OUT_OF_RANGE);
    }
    list.after_shrinking(limits);
    ctx.out.ok();
    ctx.changed(1, Event('l', "lset"));
}

fn linsert(ctx: &mut Ctx) {
    let after = ctx.is_word(2, "after");
    if !after && !ctx.is_word(2, "before") {
        return ctx.error(errors::SYNTAX);
    }
    let (limits, hash, key, element) = (limits(ctx), ctx.hash(1), ctx.arg(1), ctx.arg(4));
    let list = match ctx.server.keyspace.write_as::<List>(ctx.db, hash, key) {
        Err(_) => return ctx.wrong_type(),
        Ok(None) => return ctx.out.int(0),
        Ok(Some(list)) => list,
    };
    list.before_growth(element.len(), 1, limits);
    if !list.insert_beside(ctx.args.get(3), after, element) {
        return ctx.out.int(-1);
    }
    ctx.out.len_int(list.len());
    ctx.changed(1, Event('l', "linsert"));
}

fn lrem(ctx: &mut Ctx) {
    let Some(count) = ctx.int_arg(2) else { return };
    let (limits, hash, key) = (limits(ctx), ctx.hash(1), ctx.arg(1));
    let list = match ctx.server.keyspace.write_as::<List>(ctx.db, hash, key) {
        Err(_) => return ctx.wrong_type(),
        Ok(None) => return ctx.out.int(0),
        Ok(Some(list)) => list,
    };
    let from = if count < 0 { End::Back } else { End::Front };
    let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let removed = list.remove_equal(ctx.args.get(3), from, most);
    ctx.out.len_int(removed);
    if removed == 0 {
        return;
    }
    list.after_shrinking(limits);
    let emptied = list.is_empty();
    ctx.changed(1, Event('l', "lrem"));
    ctx.server.keyspace.dirty += removed as u64 - 1;
    if emptied {
        ctx.remove_emptied(1);
    }
}

fn ltrim(ctx: &mut Ctx) {
    let Some(start) = ctx.int_arg(2) else { return };
    let Some(stop) = ctx.int_arg(3) else { return };
    let (limits, hash, key) = (limits(ctx), ctx.hash(1), ctx.arg(1));
    let list = match ctx.server.keyspace.write_as::<List>(ctx.db, hash, key) {
        Err(_) => return ctx.wrong_type(),
        Ok(None) => return ctx.out.ok(),
        Ok(Some(list)) => list,
    };
    let len = list.len();
    let (first, kept) = range(start, stop, len);
    list.remove_range(first + kept, len - first - kept);
    list.remove_range(0, first);
    list.after_shrinking(limits);
    ctx.out.ok();
    // A trim that takes nothing is told of, but is no change.
    ctx.changed_too(ctx.db, key, Event('l', "ltrim"));
    ctx.server.keyspace.dirty += (len - kept) as u64;
    if kept == 0 {
        ctx.remove_emptied(1);
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("lset", lset, 4, WRITE | DENYOOM)
        .since(Group::List, "1.0.0")
        .doc("Puts another element in the place of the one at an index.", "O(N) for the N nodes to the nearer end.")
        .args("key index:integer element")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)]),
    command("linsert", linsert, 5, WRITE | DENYOOM)
        .since(Group::List, "2.2.0")
        .doc("Adds an element beside the first one that is equal to another.", "O(N) for the N elements in front of it.")
        .args("key where:(BEFORE|AFTER) pivot element")
        .keys(&[KeySpec::one(1, k::RW | k::INSERT)]),
    command("lrem", lrem, 4, WRITE)
        .since(Group::List, "1.0.0")
        .doc(
            "Removes elements that are equal to one, from the end when the count is negative.",
            "O(N+M) for N elements, M of them removed.",
        )
        .args("key count:integer element")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)]),
    command("ltrim", ltrim, 4, WRITE)
        .since(Group::List, "1.0.0")
        .doc("Removes the elements outside of a range of indices.", "O(N) for the N nodes removed.")
        .args("key start:integer stop:integer")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)]),
];
