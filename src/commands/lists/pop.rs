//! LPOP, RPOP, LMPOP: taking elements from an end.

use super::{limits, popped, reply_element, reply_elements};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::errors,
        popargs::PopArgs,
    },
    data::list::{End, List},
    keyspace::WrongType,
    resp::output::Output,
};

/// Lets `how` take elements from an end of the list at argument `i`, and says what changed by it. `None`: there is no list.
#[inline(always)]
pub(super) fn take(
    ctx: &mut Ctx<'_>,
    i: usize,
    end: End,
    how: impl FnOnce(&mut Output, &mut List) -> usize,
) -> Result<Option<usize>, WrongType> {
    let (limits, hash, key) = (limits(ctx), ctx.hash(i), ctx.arg(i));
    let Some(list) = ctx.server.keyspace.write_as::<List>(ctx.db, hash, key)? else { return Ok(None) };
    let taken = how(ctx.out, list);
    if taken == 0 {
        return Ok(Some(0));
    }
    let emptied = list.is_empty();
    if !emptied {
        list.after_shrinking(limits);
    }
    ctx.changed(i, popped(end));
    ctx.server.keyspace.dirty += taken as u64 - 1;
    if emptied {
        ctx.remove_emptied(i);
    }
    Ok(Some(taken))
}

/// Takes an element and answers with it.
#[inline(always)]
pub(super) fn take_one(out: &mut Output, list: &mut List, end: End) -> usize {
    list.pop(end, |element| reply_element(out, element));
    1
}

/// Takes up to `count` elements and answers with an array of them, the first taken first.
pub(super) fn take_some(out: &mut Output, list: &mut List, end: End, count: usize) -> usize {
    let len = list.len();
    let count = count.min(len);
    match end {
        End::Front => {
            reply_elements(out, list, 0, End::Back, count);
            list.remove_range(0, count);
        }
        End::Back => {
            reply_elements(out, list, len.saturating_sub(1), End::Front, count);
            list.remove_range(len - count, count);
        }
    }
    count
}

#[inline(always)]
fn pop(ctx: &mut Ctx<'_>, end: End) {
    if ctx.argc() == 2 {
        return match take(ctx, 1, end, |out, list| take_one(out, list, end)) {
            Ok(Some(_)) => (),
            Ok(None) => ctx.out.null(),
            Err(_) => ctx.wrong_type(),
        };
    }
    pop_some(ctx, end);
}

fn pop_some(ctx: &mut Ctx<'_>, end: End) {
    if ctx.argc() > 3 {
        return ctx.wrong_arity();
    }
    let Some(count) = ctx.count_arg(2, 0, errors::NOT_POSITIVE) else { return };
    match take(ctx, 1, end, |out, list| take_some(out, list, end, count)) {
        Ok(Some(_)) => (),
        Ok(None) => ctx.out.null_array(),
        Err(_) => ctx.wrong_type(),
    }
}

fn lpop(ctx: &mut Ctx) {
    pop(ctx, End::Front);
}

fn rpop(ctx: &mut Ctx) {
    pop(ctx, End::Back);
}

/// The arguments of LMPOP and BLMPOP from the number of keys on, which is argument `at`; answers with an error when they are wrong.
pub(super) fn mpop_args(ctx: &mut Ctx<'_>, at: usize) -> Option<PopArgs<End>> {
    PopArgs::parse(ctx, at, [("left", End::Front), ("right", End::Back)])
}

/// Answers from the first list that is there; `None` when none is, `Some` when an answer was given.
pub(super) fn mpop_first(ctx: &mut Ctx<'_>, mpop: &PopArgs<End>) -> Option<()> {
    for i in mpop.keys.clone() {
        let key = ctx.arg(i);
        let taken = take(ctx, i, mpop.end, |out, list| {
            out.array(2);
            out.bulk(key);
            take_some(out, list, mpop.end, mpop.count)
        });
        match taken {
            Err(_) => ctx.wrong_type(),
            Ok(None) => continue,
            Ok(Some(taken)) => log_pop(ctx, mpop.end, &[key, itoa::Buffer::new().format(taken).as_bytes()]),
        }
        return Some(());
    }
    None
}

/// Has the plain command logged, LPOP or RPOP, with these arguments.
pub(super) fn log_pop(ctx: &mut Ctx<'_>, end: End, args: &[&[u8]]) {
    if ctx.is_logged() {
        let name: &[u8] = if end == End::Front { b"LPOP" } else { b"RPOP" };
        ctx.log_instead(&[&[name], args].concat());
    }
}

fn lmpop(ctx: &mut Ctx) {
    let Some(mpop) = mpop_args(ctx, 1) else { return };
    if mpop_first(ctx, &mpop).is_none() {
        ctx.out.null_array();
    }
}

const COUNT: &[(&str, &str)] = &[("6.2.0", "The `count` argument.")];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("lpop", lpop, -2, WRITE | FAST)
        .since(Group::List, "1.0.0")
        .doc("Removes the first elements of a list and returns them.", "O(N) for N elements returned.")
        .args("key [count:integer]")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::DELETE)])
        .history(COUNT),
    command("rpop", rpop, -2, WRITE | FAST)
        .since(Group::List, "1.0.0")
        .doc("Removes the last elements of a list and returns them, the last one first.", "O(N) for N elements returned.")
        .args("key [count:integer]")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::DELETE)])
        .history(COUNT),
    command("lmpop", lmpop, -4, WRITE)
        .since(Group::List, "7.0.0")
        .doc(
            "Removes elements from an end of the first of some lists that is there, and returns them.",
            "O(N+M) for N keys and M elements returned.",
        )
        .args("numkeys:integer key... where:(LEFT|RIGHT) [COUNT count:integer]")
        .keys(&[KeySpec::counted(1, k::RW | k::ACCESS | k::DELETE)]),
];
