//! The commands that wait for a list: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH. What they do in the end is logged as what does not wait.

use super::{
    end_arg,
    moving::{self, move_element},
    pop::{log_pop, mpop_args, mpop_first, take, take_one},
};
use crate::{
    commands::{
        Ctx, blocking,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{BlockOn, InVain},
    },
    data::list::End,
};

fn pop(ctx: &mut Ctx<'_>, end: End) {
    let last = ctx.argc() - 1;
    let Some(deadline_ms) = blocking::timeout(ctx, last) else { return };
    for i in 1..last {
        let key = ctx.arg(i);
        let taken = take(ctx, i, end, |out, list| {
            out.array(2);
            out.bulk(key);
            take_one(out, list, end)
        });
        match taken {
            Err(_) => return ctx.wrong_type(),
            Ok(None) => (),
            Ok(Some(_)) => return log_pop(ctx, end, &[key]),
        }
    }
    ctx.block(BlockOn::keys(1, last - 1, deadline_ms, InVain::NullArray));
}

fn blpop(ctx: &mut Ctx) {
    pop(ctx, End::Front);
}

fn brpop(ctx: &mut Ctx) {
    pop(ctx, End::Back);
}

fn blmpop(ctx: &mut Ctx) {
    let Some(mpop) = mpop_args(ctx, 2) else { return };
    let Some(deadline_ms) = blocking::timeout(ctx, 1) else { return };
    if mpop_first(ctx, &mpop).is_none() {
        ctx.block(BlockOn::keys(mpop.keys.start, mpop.keys.len(), deadline_ms, InVain::NullArray));
    }
}

/// Moves an element, or waits for one. `name` and `options` are of the command that does not wait.
fn move_or_wait(ctx: &mut Ctx<'_>, from: End, to: End, deadline_ms: i64, name: &[u8], options: &[&[u8]]) {
    match move_element(ctx, from, to) {
        Err(_) => ctx.wrong_type(),
        Ok(Some(())) => {
            if ctx.is_logged() {
                ctx.log_instead(&[&[name, ctx.arg(1), ctx.arg(2)], options].concat());
            }
        }
        // As in Redis, it is the null that LMOVE gives where nobody waits, and the null array to whoever has waited.
        Ok(None) if ctx.in_exec => ctx.out.null(),
        Ok(None) => ctx.block(BlockOn::keys(1, 1, deadline_ms, InVain::NullArray)),
    }
}

fn blmove(ctx: &mut Ctx) {
    let Some(from) = end_arg(ctx, 3) else { return };
    let Some(to) = end_arg(ctx, 4) else { return };
    let Some(deadline_ms) = blocking::timeout(ctx, 5) else { return };
    move_or_wait(ctx, from, to, deadline_ms, b"LMOVE", &[ctx.arg(3), ctx.arg(4)]);
}

fn brpoplpush(ctx: &mut Ctx) {
    let Some(deadline_ms) = blocking::timeout(ctx, 3) else { return };
    move_or_wait(ctx, End::Back, End::Front, deadline_ms, b"RPOPLPUSH", &[]);
}

const TIMEOUT: &[(&str, &str)] = &[("6.0.0", "A timeout may have a fraction.")];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("blpop", blpop, -3, WRITE | BLOCKING)
        .since(Group::List, "2.0.0")
        .doc("Removes the first element of the first of some lists that is there and returns it, or waits for one.", "O(N) for N keys.")
        .args("key... timeout:double")
        .keys(&[KeySpec::range(1, -2, 1, k::RW | k::ACCESS | k::DELETE)])
        .history(TIMEOUT),
    command("brpop", brpop, -3, WRITE | BLOCKING)
        .since(Group::List, "2.0.0")
        .doc("Removes the last element of the first of some lists that is there and returns it, or waits for one.", "O(N) for N keys.")
        .args("key... timeout:double")
        .keys(&[KeySpec::range(1, -2, 1, k::RW | k::ACCESS | k::DELETE)])
        .history(TIMEOUT),
    command("blmpop", blmpop, -5, WRITE | BLOCKING)
        .since(Group::List, "7.0.0")
        .doc(
            "Removes elements from an end of the first of some lists that is there and returns them, or waits for one.",
            "O(N+M) for N keys and M elements returned.",
        )
        .args("timeout:double numkeys:integer key... where:(LEFT|RIGHT) [COUNT count:integer]")
        .keys(&[KeySpec::counted(2, k::RW | k::ACCESS | k::DELETE)]),
    command("blmove", blmove, 6, WRITE | DENYOOM | BLOCKING)
        .since(Group::List, "6.2.0")
        .doc("Moves an element from an end of one list to an end of another and returns it, or waits for one.", "O(1)")
        .args("source destination wherefrom:(LEFT|RIGHT) whereto:(LEFT|RIGHT) timeout:double")
        .keys(moving::KEYS),
    command("brpoplpush", brpoplpush, 4, WRITE | DENYOOM | BLOCKING)
        .since(Group::List, "2.2.0")
        .doc("Moves the last element of a list to the front of another and returns it, or waits for one.", "O(1)")
        .args("source destination timeout:double")
        .keys(moving::KEYS)
        .history(TIMEOUT)
        .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments"),
];
