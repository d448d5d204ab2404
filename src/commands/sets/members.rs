//! Members added, removed, moved and asked for.

use super::{limits, reply_member};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW},
    },
    data::set::Set,
    keyspace::WrongType,
};

fn sadd(ctx: &mut Ctx) {
    let (hash, key, args) = (ctx.hash(1), ctx.arg(1), ctx.args);
    let (limits, count) = (limits(ctx), args.len() - 2);
    let found = ctx.server.keyspace.write_or_insert(ctx.db, hash, key, || Set::suited(args.get(2), count, &limits));
    let Ok((set, is_new)) = found else { return ctx.wrong_type() };
    if !is_new {
        set.expect(count, &limits);
    }
    let added = (2..args.len()).filter(|&i| set.add(args.get(i), &limits)).count();
    if is_new {
        ctx.notify(key, NEW);
    }
    if added > 0 {
        ctx.changed(1, Event('s', "sadd"));
        ctx.server.keyspace.dirty += added as u64 - 1;
    }
    ctx.out.len_int(added);
}

fn srem(ctx: &mut Ctx) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let set = match ctx.server.keyspace.write_as::<Set>(ctx.db, hash, key) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(None) => return ctx.out.int(0),
        Ok(Some(set)) => set,
    };
    let removed = (2..ctx.args.len()).filter(|&i| set.remove(ctx.args.get(i))).count();
    let emptied = set.is_empty();
    if removed > 0 {
        ctx.changed(1, Event('s', "srem"));
        ctx.server.keyspace.dirty += removed as u64 - 1;
    }
    if emptied {
        ctx.remove_emptied(1);
    }
    ctx.out.len_int(removed);
}

fn smove(ctx: &mut Ctx) {
    let (source, destination, member) = ((ctx.hash(1), ctx.arg(1)), (ctx.hash(2), ctx.arg(2)), ctx.arg(3));
    let (limits, keyspace) = (limits(ctx), &mut ctx.server.keyspace);
    match keyspace.write_as::<Set>(ctx.db, source.0, source.1) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(None) => return ctx.out.int(0),
        Ok(Some(_)) => (),
    }
    if keyspace.write_as::<Set>(ctx.db, destination.0, destination.1).is_err() {
        return ctx.wrong_type();
    }
    let Ok(Some(set)) = keyspace.write_as::<Set>(ctx.db, source.0, source.1) else { return };
    if source.1 == destination.1 {
        return ctx.out.int(i64::from(set.contains(member)));
    }
    if !set.remove(member) {
        return ctx.out.int(0);
    }
    let emptied = set.is_empty();
    ctx.changed(1, Event('s', "srem"));
    if emptied {
        ctx.remove_emptied(1);
    }
    let found = ctx.server.keyspace.write_or_insert(ctx.db, destination.0, destination.1, || Set::suited(member, 1, &limits));
    let Ok((set, is_new)) = found else { return };
    let added = set.add(member, &limits);
    if is_new {
        ctx.notify(destination.1, NEW);
    }
    if added {
        ctx.changed(2, Event('s', "sadd"));
    }
    ctx.out.int(1);
}

fn sismember(ctx: &mut Ctx) {
    let member = ctx.arg(2);
    match ctx.read_as::<Set>(1) {
        Err(WrongType) => ctx.wrong_type(),
        Ok(set) => {
            let is_member = set.is_some_and(|set| set.contains(member));
            ctx.out.int(i64::from(is_member));
        }
    }
}

fn smismember(ctx: &mut Ctx) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let Ok(set) = ctx.server.keyspace.read_as::<Set>(ctx.db, hash, key) else { return ctx.wrong_type() };
    ctx.out.array(ctx.args.len() - 2);
    for i in 2..ctx.args.len() {
        let is_member = set.is_some_and(|set| set.contains(ctx.args.get(i)));
        ctx.out.int(i64::from(is_member));
    }
}

fn scard(ctx: &mut Ctx) {
    match ctx.read_as::<Set>(1) {
        Err(WrongType) => ctx.wrong_type(),
        Ok(set) => {
            let len = set.map_or(0, Set::len);
            ctx.out.len_int(len);
        }
    }
}

fn smembers(ctx: &mut Ctx) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    match ctx.server.keyspace.read_as::<Set>(ctx.db, hash, key) {
        Err(WrongType) => ctx.wrong_type(),
        Ok(None) => ctx.out.set(0),
        Ok(Some(set)) => {
            ctx.out.set(set.len());
            set.iter().for_each(|member| reply_member(ctx.out, member));
        }
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("sadd", sadd, -3, WRITE | DENYOOM | FAST)
        .since(Group::Set, "1.0.0")
        .doc("Adds members to a set, which is made when there is none.", "O(1) for each member.")
        .args("key member...")
        .keys(&[KeySpec::one(1, k::RW | k::INSERT)])
        .element(2)
        .history(&[("2.4.0", "Several members at once.")]),
    command("srem", srem, -3, WRITE | FAST)
        .since(Group::Set, "1.0.0")
        .doc("Takes members out of a set; the key goes with the last one.", "O(1) for each member.")
        .args("key member...")
        .keys(&[KeySpec::one(1, k::RW | k::DELETE)])
        .element(2)
        .history(&[("2.4.0", "Several members at once.")]),
    command("smove", smove, 4, WRITE | FAST)
        .since(Group::Set, "1.0.0")
        .doc("Moves a member from one set to another.", "O(1)")
        .args("source destination member")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::DELETE), KeySpec::one(2, k::RW | k::INSERT)]),
    command("sismember", sismember, 3, READONLY | FAST)
        .since(Group::Set, "1.0.0")
        .doc("Says whether something is a member of a set.", "O(1)")
        .args("key member")
        .keys(&[KeySpec::one(1, k::RO)])
        .element(2),
    command("smismember", smismember, -3, READONLY | FAST)
        .since(Group::Set, "6.2.0")
        .doc("Says of several things whether they are members of a set.", "O(1) for each of them.")
        .args("key member...")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .element(2),
    command("scard", scard, 2, READONLY | FAST)
        .since(Group::Set, "1.0.0")
        .doc("Returns the number of members of a set.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO)]),
    command("smembers", smembers, 2, READONLY)
        .since(Group::Set, "1.0.0")
        .doc("Returns all members of a set.", "O(N) for N members.")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output_order"]),
];
