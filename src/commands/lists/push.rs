//! LPUSH, RPUSH and their forms for lists that have to be there.

use super::{limits, pushed};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::NEW,
    },
    data::list::{End, List},
    resp::request::BIG_ARG,
};

#[inline(always)]
fn push(ctx: &mut Ctx<'_>, end: End, only_existing: bool) {
    let (limits, hash, key, args) = (limits(ctx), ctx.hash(1), ctx.arg(1), ctx.args);
    let keyspace = &mut ctx.server.keyspace;
    let found = if only_existing {
        keyspace.write_as::<List>(ctx.db, hash, key).map(|list| list.map(|list| (list, false)))
    } else {
        keyspace.write_or_insert(ctx.db, hash, key, List::new).map(Some)
    };
    let (list, new) = match found {
        Err(_) => return ctx.wrong_type(),
        Ok(None) => return ctx.out.int(0),
        Ok(Some(found)) => found,
    };
    let count = args.len() - 2;
    if list.compact().is_some() {
        list.before_growth((2..args.len()).map(|i| args.get(i).len()).sum(), count, limits);
    }
    for i in 2..args.len() {
        match args.get(i) {
            arg if arg.len() >= BIG_ARG => list.push_shared(end, args.to_bytes(i)),
            arg => list.push(end, arg),
        }
    }
    ctx.out.len_int(list.len());
    if new {
        ctx.notify(key, NEW);
    }
    ctx.changed(1, pushed(end));
    // There is at least one, and no counter of 64 bits comes to its end.
    let dirty = &mut ctx.server.keyspace.dirty;
    *dirty = dirty.wrapping_add(count as u64).wrapping_sub(1);
}

fn lpush(ctx: &mut Ctx) {
    push(ctx, End::Front, false);
}

fn rpush(ctx: &mut Ctx) {
    push(ctx, End::Back, false);
}

fn lpushx(ctx: &mut Ctx) {
    push(ctx, End::Front, true);
}

fn rpushx(ctx: &mut Ctx) {
    push(ctx, End::Back, true);
}

const SEVERAL: &str = "Several elements at a time.";
const COST: &str = "O(N) for N elements pushed.";

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("lpush", lpush, -3, WRITE | DENYOOM | FAST)
        .since(Group::List, "1.0.0")
        .doc("Adds elements in front of a list, each in front of the one before; a new list if there is none.", COST)
        .args("key element...")
        .keys(&[KeySpec::one(1, k::RW | k::INSERT)])
        .history(&[("2.4.0", SEVERAL)]),
    command("rpush", rpush, -3, WRITE | DENYOOM | FAST)
        .since(Group::List, "1.0.0")
        .doc("Adds elements at the end of a list; a new list if there is none.", COST)
        .args("key element...")
        .keys(&[KeySpec::one(1, k::RW | k::INSERT)])
        .history(&[("2.4.0", SEVERAL)]),
    command("lpushx", lpushx, -3, WRITE | DENYOOM | FAST)
        .since(Group::List, "2.2.0")
        .doc("Adds elements in front of a list that is there already.", COST)
        .args("key element...")
        .keys(&[KeySpec::one(1, k::RW | k::INSERT)])
        .history(&[("4.0.0", SEVERAL)]),
    command("rpushx", rpushx, -3, WRITE | DENYOOM | FAST)
        .since(Group::List, "2.2.0")
        .doc("Adds elements at the end of a list that is there already.", COST)
        .args("key element...")
        .keys(&[KeySpec::one(1, k::RW | k::INSERT)])
        .history(&[("4.0.0", SEVERAL)]),
];
