//! Whether keys are there, what they are, and their deletion. WAIT stands here too: it asks about all of them.

use crate::commands::{
    Ctx,
    command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
    context::Event,
};

fn del(ctx: &mut Ctx) {
    let mut deleted = 0;
    ctx.each_key(1, 1, |ctx, i, hash| {
        let key = ctx.arg(i);
        if ctx.server.keyspace.remove(ctx.db, hash, key).is_some() {
            ctx.changed(i, Event('g', "del"));
            deleted += 1;
        }
    });
    ctx.out.int(deleted);
}

fn exists(ctx: &mut Ctx) {
    let mut there = 0;
    ctx.each_key(1, 1, |ctx, i, hash| {
        let key = ctx.arg(i);
        there += i64::from(ctx.server.keyspace.look(ctx.db, hash, key).is_some());
    });
    ctx.out.int(there);
}

fn touch(ctx: &mut Ctx) {
    let mut there = 0;
    ctx.each_key(1, 1, |ctx, i, hash| {
        let key = ctx.arg(i);
        there += i64::from(ctx.server.keyspace.read(ctx.db, hash, key).is_some());
    });
    ctx.out.int(there);
}

fn type_(ctx: &mut Ctx) {
    let name = ctx.look(1).map_or("none", |entry| entry.type_name());
    ctx.out.simple(name);
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("del", del, -2, WRITE)
        .since(Group::Generic, "1.0.0")
        .doc("Deletes keys.", "O(N) for N keys; for each that holds more than a string, O(M) for its M elements.")
        .args("key...")
        .keys(&[KeySpec::range(1, -1, 1, k::RM | k::DELETE)])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    command("unlink", del, -2, WRITE | FAST)
        .since(Group::Generic, "4.0.0")
        .doc(
            "Deletes keys; large values are freed later, piece by piece.",
            "O(1) for each key, and later O(N) for the N allocations of the values.",
        )
        .args("key...")
        .keys(&[KeySpec::range(1, -1, 1, k::RM | k::DELETE)])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    command("exists", exists, -2, READONLY | FAST)
        .since(Group::Generic, "1.0.0")
        .doc("Returns how many of the keys are there.", "O(N) for N keys.")
        .args("key...")
        .keys(&[KeySpec::range(1, -1, 1, k::RO)])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .history(&[("3.0.3", "Takes several keys.")]),
    command("touch", touch, -2, READONLY | FAST)
        .since(Group::Generic, "3.2.1")
        .doc("Marks keys as just used and returns how many of them are there.", "O(N) for N keys.")
        .args("key...")
        .keys(&[KeySpec::range(1, -1, 1, k::RO)])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    command("type", type_, 2, READONLY | FAST)
        .since(Group::Generic, "1.0.0")
        .doc("Returns which type of value a key holds.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO)]),
];
