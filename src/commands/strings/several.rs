//! Strings of several keys at once.

use super::{put_string, reply_value};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW},
    },
    data::entry::NEVER,
};

fn mget(ctx: &mut Ctx) {
    ctx.out.array(ctx.argc() - 1);
    ctx.each_key(1, 1, |ctx, i, hash| {
        let key = ctx.arg(i);
        match ctx.server.keyspace.read(ctx.db, hash, key) {
            Some(entry) if reply_value(ctx.out, entry.value()) => (),
            _ => ctx.out.null(),
        }
    });
}

fn put_all(ctx: &mut Ctx<'_>) {
    ctx.each_key(1, 2, |ctx, i, hash| {
        if put_string(ctx, i, hash, i + 1, NEVER) {
            ctx.notify(ctx.arg(i), NEW);
        }
        ctx.changed(i, Event('$', "set"));
    });
}

fn mset(ctx: &mut Ctx) {
    if ctx.argc().is_multiple_of(2) {
        return ctx.wrong_arity();
    }
    put_all(ctx);
    ctx.out.ok();
}

fn msetnx(ctx: &mut Ctx) {
    if ctx.argc().is_multiple_of(2) {
        return ctx.wrong_arity();
    }
    let mut any = false;
    ctx.each_key(1, 2, |ctx, i, hash| {
        let key = ctx.arg(i);
        any = any || ctx.server.keyspace.write(ctx.db, hash, key).is_some();
    });
    if !any {
        put_all(ctx);
    }
    ctx.out.int(i64::from(!any));
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("mget", mget, -2, READONLY | FAST)
        .since(Group::String, "1.0.0")
        .doc("Returns the strings at several keys.", "O(N) for N keys.")
        .args("key...")
        .keys(&[KeySpec::range(1, -1, 1, k::RO | k::ACCESS)])
        .tips(&["request_policy:multi_shard"]),
    command("mset", mset, -3, WRITE | DENYOOM)
        .since(Group::String, "1.0.1")
        .doc("Puts strings under several keys at once.", "O(N) for N keys.")
        .args("data:(key value)...")
        .keys(&[KeySpec::range(1, -1, 2, k::OW | k::UPDATE)])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]),
    command("msetnx", msetnx, -3, WRITE | DENYOOM)
        .since(Group::String, "1.0.1")
        .doc("Puts strings under several keys at once if none of the keys is there.", "O(N) for N keys.")
        .args("data:(key value)...")
        .keys(&[KeySpec::range(1, -1, 2, k::OW | k::INSERT)]),
];
