//! XINFO: what there is to know of a stream, its groups and their consumers.

use super::{
    no_group,
    replies::{guess, limit, reply_array, reply_entry, reply_id},
};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group as CommandGroup, KeySpec, command, flags::*, key_flags as k},
        context::errors,
        help,
    },
    data::stream::{Consumer, ConsumerId, Entry, Group, Stream, StreamId},
    resp::output::Output,
};

/// Entries, and pending entries of each, that FULL shows without COUNT.
const COUNT_DEFAULT: usize = 10;

fn reply_known(out: &mut Output, number: Option<i64>) {
    match number {
        Some(number) => out.int(number),
        None => out.null(),
    }
}

fn reply_name(out: &mut Output, name: &str) {
    out.bulk(name.as_bytes());
}

fn field_int(out: &mut Output, name: &str, number: u64) {
    reply_name(out, name);
    out.int(number as i64);
}

fn field_id(out: &mut Output, name: &str, id: StreamId) {
    reply_name(out, name);
    reply_id(out, id);
}

/// How much of a stream FULL shows, if it is asked for; answers with an error when the arguments are wrong.
fn full_option(ctx: &mut Ctx<'_>) -> Option<Option<usize>> {
    let (is_full, has_count) = (ctx.is_word(3, "full"), ctx.is_word(4, "count"));
    match ctx.argc() {
        3 => Some(None),
        4 if is_full => Some(Some(COUNT_DEFAULT)),
        6 if is_full && has_count => Some(Some(usize::try_from(ctx.int_arg(5)?).unwrap_or(COUNT_DEFAULT))),
        _ => {
            help::unknown_subcommand(ctx);
            None
        }
    }
}

/// The stream at argument 2, read; answers with an error when there is none, or something else.
fn read<'s>(ctx: &'s mut Ctx<'_>) -> Option<(&'s Stream, &'s mut Output)> {
    let (hash, key, db) = (ctx.hash(2), ctx.arg(2), ctx.db);
    let error = match ctx.server.keyspace.read_as::<Stream>(db, hash, key) {
        Ok(Some(_)) => None,
        Ok(None) => Some(errors::NO_SUCH_KEY),
        Err(_) => Some(errors::WRONG_TYPE),
    };
    if let Some(error) = error {
        ctx.error(error);
        return None;
    }
    Some((ctx.server.keyspace.seen_as(db, hash, key)?, ctx.out))
}

fn stream(ctx: &mut Ctx) {
    if read(ctx).is_none() {
        return;
    }
    let Some(full) = full_option(ctx) else { return };
    let (hash, key) = (ctx.hash(2), ctx.arg(2));
    let Some(stream) = ctx.server.keyspace.seen_as::<Stream>(ctx.db, hash, key) else { return };
    let out = &mut *ctx.out;
    out.map(if full.is_some() { 9 } else { 10 });
    field_int(out, "length", stream.len());
    field_int(out, "radix-tree-keys", stream.node_count());
    // There is no radix tree. One of Redis has about as many nodes as that.
    field_int(out, "radix-tree-nodes", stream.node_count() + 1);
    field_id(out, "last-generated-id", stream.last_id());
    field_id(out, "max-deleted-entry-id", stream.max_deleted_id());
    field_int(out, "entries-added", stream.entries_added());
    field_id(out, "recorded-first-entry-id", stream.first_id());
    match full {
        None => {
            field_int(out, "groups", stream.groups_len() as u64);
            let mut ends = |name: &str, entry: Option<Entry<'_>>| {
                reply_name(out, name);
                match entry {
                    Some(entry) => reply_entry(out, &entry),
                    None => out.null(),
                }
            };
            ends("first-entry", stream.range(StreamId::MIN, StreamId::MAX).next());
            ends("last-entry", stream.last_entry());
        }
        Some(count) => {
            reply_name(out, "entries");
            let entries = stream.range(StreamId::MIN, StreamId::MAX).take(limit(count));
            reply_array(out, guess(count, stream.len()), entries, |out, entry| reply_entry(out, &entry));
            reply_name(out, "groups");
            out.array(stream.groups_len());
            stream.groups().for_each(|(name, group)| reply_group(out, stream, name, group, count));
        }
    }
}

/// A group and all that it has pending, up to `count` entries (0: all) each time.
fn reply_group(out: &mut Output, stream: &Stream, name: &[u8], group: &Group, count: usize) {
    out.map(7);
    reply_name(out, "name");
    out.bulk(name);
    reply_progress(out, stream, group);
    field_int(out, "pel-count", group.pending_len());
    reply_name(out, "pending");
    let pending = group.pending_range(StreamId::MIN, StreamId::MAX).take(limit(count));
    reply_array(out, guess(count, group.pending_len()), pending, |out, (id, pending)| {
        out.array(4);
        reply_id(out, id);
        out.bulk(group.consumer_by(pending.consumer).name());
        out.int(pending.delivered_ms);
        out.int(pending.deliveries as i64);
    });
    reply_name(out, "consumers");
    out.array(group.consumers_len());
    group.consumers().for_each(|(id, consumer)| reply_consumer(out, group, id, consumer, count));
}

/// How far a group has read: three fields.
fn reply_progress(out: &mut Output, stream: &Stream, group: &Group) {
    field_id(out, "last-delivered-id", group.last_id());
    reply_name(out, "entries-read");
    reply_known(out, group.entries_read().map(|read| read as i64));
    reply_name(out, "lag");
    reply_known(out, stream.counters().lag(group.entries_read(), group.last_id()));
}

fn reply_consumer(out: &mut Output, group: &Group, id: ConsumerId, consumer: &Consumer, count: usize) {
    out.map(5);
    reply_name(out, "name");
    out.bulk(consumer.name());
    reply_name(out, "seen-time");
    out.int(consumer.seen_ms());
    reply_name(out, "active-time");
    out.int(consumer.active_ms().unwrap_or(-1));
    field_int(out, "pel-count", consumer.pending_len());
    reply_name(out, "pending");
    let pending = group.consumer_pending(id, StreamId::MIN).take(limit(count));
    reply_array(out, guess(count, consumer.pending_len()), pending, |out, (id, pending)| {
        out.array(3);
        reply_id(out, id);
        out.int(pending.delivered_ms);
        out.int(pending.deliveries as i64);
    });
}

fn groups(ctx: &mut Ctx) {
    let Some((stream, out)) = read(ctx) else { return };
    out.array(stream.groups_len());
    for (name, group) in stream.groups() {
        out.map(6);
        reply_name(out, "name");
        out.bulk(name);
        field_int(out, "consumers", group.consumers_len() as u64);
        field_int(out, "pending", group.pending_len());
        reply_progress(out, stream, group);
    }
}

fn consumers(ctx: &mut Ctx) {
    let (key, name, now_ms) = (ctx.arg(2), ctx.arg(3), ctx.now_ms());
    let Some((stream, out)) = read(ctx) else { return };
    let Some(group) = stream.group(name) else { return no_group(ctx, key, name) };
    out.array(group.consumers_len());
    for (_, consumer) in group.consumers() {
        out.map(4);
        reply_name(out, "name");
        out.bulk(consumer.name());
        field_int(out, "pending", consumer.pending_len());
        reply_name(out, "idle");
        out.int(now_ms.saturating_sub(consumer.seen_ms()).max(0));
        reply_name(out, "inactive");
        out.int(consumer.active_ms().map_or(-1, |active_ms| now_ms.saturating_sub(active_ms)));
    }
}

fn help_text(ctx: &mut Ctx) {
    help::reply(
        ctx,
        &[
            "CONSUMERS <key> <group>",
            "    Tell of the consumers of a group.",
            "GROUPS <key>",
            "    Tell of the groups of a stream.",
            "STREAM <key> [FULL [COUNT <count>]]",
            "    Tell of a stream; FULL with its entries, and with what is pending.",
        ],
    );
}

fn container(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

const SUBCOMMANDS: &[Command] = &[
    command("consumers", consumers, 4, READONLY)
        .since(CommandGroup::Stream, "5.0.0")
        .doc("Tells of the consumers of a group.", "O(N) for N consumers.")
        .args("key group")
        .keys(&[KeySpec::one(2, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"])
        .history(&[("7.2.0", "The field `inactive`.")]),
    command("groups", groups, 3, READONLY)
        .since(CommandGroup::Stream, "5.0.0")
        .doc("Tells of the groups of a stream.", "O(N) for N groups.")
        .args("key")
        .keys(&[KeySpec::one(2, k::RO | k::ACCESS)])
        .history(&[("7.0.0", "The fields `entries-read` and `lag`.")]),
    command("help", help_text, 2, LOADING | STALE).since(CommandGroup::Stream, "5.0.0").doc("Tells what the subcommands do.", "O(1)"),
    command("stream", stream, -3, READONLY)
        .since(CommandGroup::Stream, "5.0.0")
        .doc("Tells of a stream.", "O(log N); with FULL O(N) for N entries, pending entries, groups and consumers that are shown.")
        .args("key [full-block:(full:FULL [COUNT count:integer])]")
        .keys(&[KeySpec::one(2, k::RO | k::ACCESS)])
        .history(&[
            ("6.0.0", "`FULL`."),
            ("7.0.0", "The fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`."),
            ("7.2.0", "The field `active-time`; `seen-time` is also that of an attempt in vain."),
        ]),
];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[command("xinfo", container, -2, 0)
    .since(CommandGroup::Stream, "5.0.0")
    .doc("What there is to know of streams.", "Depends on the subcommand.")
    .subcommands(SUBCOMMANDS)];
