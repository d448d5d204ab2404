//! Walks through a database: KEYS, SCAN, and a key at random.

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, categories, command, flags::*},
        scanning::{self, Scan, ScanReply},
    },
    data::glob,
    resp::output::Output,
};

fn keys(ctx: &mut Ctx) {
    let pattern = ctx.arg(1);
    let all = glob::is_literal_all(pattern);
    let keyspace = &ctx.server.keyspace;
    let (mut found, mut count) = (Output::default(), 0);
    for entry in keyspace.db(ctx.db).dict().iter() {
        let key = entry.key();
        if (all || glob::matches(pattern, key, false)) && keyspace.is_live(entry) {
            found.bulk(key);
            count += 1;
        }
    }
    ctx.out.array(count);
    ctx.out.append(found);
}

fn scan(ctx: &mut Ctx) {
    let Some(cursor) = scanning::cursor(ctx, 1) else { return };
    let mut type_name = None;
    let options = Scan::options(ctx, 2, |word, value| match value {
        Some(name) if word.eq_ignore_ascii_case(b"type") => {
            type_name = Some(name);
            2
        }
        _ => 0,
    });
    let Some(scan) = options else { return };
    let (mut found, mut due) = (ScanReply::default(), Vec::<Box<[u8]>>::new());
    let keyspace = &ctx.server.keyspace;
    let next = scan.walk(keyspace.db(ctx.db).dict(), cursor, |entry| {
        let key = entry.key();
        if !scan.wants(key) {
            return;
        }
        if !keyspace.is_live(entry) {
            due.push(key.into());
        } else if type_name.is_none_or(|t| entry.type_name().as_bytes().eq_ignore_ascii_case(t)) {
            found.push(key);
        }
    });
    for key in due {
        // The look-up deletes it, where that is ours to do.
        let keyspace = ctx.keyspace();
        let hash = keyspace.hash(&key);
        ctx.server.keyspace.locate(ctx.db, hash, &key);
    }
    found.reply(ctx.out, next);
}

fn randomkey(ctx: &mut Ctx) {
    match ctx.server.keyspace.random_key(ctx.db, &mut ctx.server.rng) {
        Some(key) => ctx.out.bulk(&key),
        None => ctx.out.null(),
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("keys", keys, 2, READONLY)
        .since(Group::Generic, "1.0.0")
        .doc("Returns all keys that match a pattern.", "O(N) for the N keys of the database.")
        .args("pattern:pattern")
        .categories(categories::DANGEROUS)
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"]),
    command("scan", scan, -2, READONLY | TOUCHES_ARBITRARY_KEYS)
        .since(Group::Generic, "2.8.0")
        .doc("Walks through the keys of the database, some at a time.", "O(1) for each call, O(N) for the whole walk through N keys.")
        .args("cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type:string]")
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
        .history(&[("6.0.0", "`TYPE`.")]),
    command("randomkey", randomkey, 1, READONLY | TOUCHES_ARBITRARY_KEYS)
        .since(Group::Generic, "1.0.0")
        .doc("Returns a key at random.", "O(1)")
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"]),
];
