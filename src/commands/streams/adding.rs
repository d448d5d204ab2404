//! XADD, and XSETID, which sets what XADD goes by.

use super::{
    changed_beside,
    ids::{self, NewId},
    node_limits,
    replies::reply_id,
    trimming::{Exact, Options, exact_command},
};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW, errors},
    },
    data::stream::{Stream, StreamId},
};

/// Most bytes of fields and values of one entry: a node has less than 2^32.
const ENTRY_MAX: usize = 1 << 30;

const NOT_BEHIND: &str = "ERR The ID specified in XADD is equal or smaller than the target stream top item";
const EXHAUSTED: &str = "ERR The stream has exhausted the last possible ID, unable to add more items";
const TOO_LARGE: &str = "ERR Elements are too large to be stored";

fn xadd(ctx: &mut Ctx) {
    let Some(options) = Options::parse(ctx, true) else { return };
    let (args, first) = (ctx.args, options.id_at + 1);
    let count = args.len().saturating_sub(first);
    if count < 2 || count % 2 == 1 {
        return ctx.wrong_arity();
    }
    if options.id == NewId::Given(StreamId::MIN) {
        return ctx.error("ERR The ID specified in XADD must be greater than 0-0");
    }
    let fields = (first..args.len()).map(|i| args.get(i));
    let too_large = fields.clone().map(<[u8]>::len).sum::<usize>() > ENTRY_MAX;
    let (limits, hash, key, now_ms) = (node_limits(ctx), ctx.hash(1), ctx.arg(1), ctx.now_ms());
    let repeats = ctx.client().peer.repeats();
    let (keyspace, is_logged) = (&mut ctx.server.keyspace, ctx.server.replication.log.is_fed());
    let found = if options.no_mkstream || too_large {
        keyspace.write_as::<Stream>(ctx.db, hash, key).map(|stream| stream.map(|stream| (stream, false)))
    } else {
        keyspace.write_or_insert(ctx.db, hash, key, Stream::new).map(Some)
    };
    let (stream, new) = match found {
        Err(_) => return ctx.wrong_type(),
        Ok(None) if options.no_mkstream => return ctx.out.null(),
        Ok(None) => return ctx.error(TOO_LARGE),
        Ok(Some(found)) => found,
    };
    let last = stream.last_id();
    if last == StreamId::MAX {
        return ctx.error(EXHAUSTED);
    }
    let Some(id) = options.id.resolve(last, now_ms) else { return ctx.error(NOT_BEHIND) };
    if too_large {
        return ctx.error(TOO_LARGE);
    }
    stream.append(id, fields, limits);
    let (mut trimmed, mut exact) = (0, None);
    if let Some(trimming) = &options.trimming {
        let (gone, form) = Exact::by(stream, &trimming.trim, options.references, repeats);
        trimmed = gone;
        exact = form.filter(|_| is_logged).map(|form| (trimming.at, form));
    }
    reply_id(ctx.out, id);
    if new {
        ctx.notify(key, NEW);
    }
    ctx.changed(1, Event('t', "xadd"));
    if trimmed > 0 {
        ctx.notify(key, Event('t', "xtrim"));
    }
    if is_logged {
        let chosen = if let NewId::Given(_) = options.id { None } else { Some((options.id_at, id)) };
        if chosen.is_some() || exact.is_some() {
            ctx.log_owned(exact_command(ctx, exact, chosen));
        }
    }
}

fn xsetid(ctx: &mut Ctx) {
    let Some(id) = ids::id_arg(ctx, 2) else { return };
    let (mut added, mut max_deleted) = (None, StreamId::MIN);
    let mut i = 3;
    while i < ctx.argc() {
        let more = i + 1 < ctx.argc();
        if more && ctx.is_word(i, "entriesadded") {
            let Some(value) = ctx.int_arg(i + 1) else { return };
            if value < 0 {
                return ctx.error("ERR entries_added must be positive");
            }
            added = Some(value as u64);
        } else if more && ctx.is_word(i, "maxdeletedid") {
            let Some(value) = ids::id_arg(ctx, i + 1) else { return };
            if id < value {
                return ctx.error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
            }
            max_deleted = value;
        } else {
            return ctx.error(errors::SYNTAX);
        }
        i += 2;
    }
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let stream = match ctx.server.keyspace.write_as::<Stream>(ctx.db, hash, key) {
        Ok(Some(stream)) => stream,
        Ok(None) => return ctx.error(errors::NO_SUCH_KEY),
        Err(_) => return ctx.wrong_type(),
    };
    if id < stream.max_deleted_id() {
        return ctx.error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
    }
    if stream.last_entry().is_some_and(|last| id < last.id()) {
        return ctx.error("ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    if !stream.is_empty() && added.is_some_and(|added| stream.len() > added) {
        return ctx.error("ERR The entries_added specified in XSETID is smaller than the target stream length");
    }
    stream.set_last_id(id);
    if let Some(added) = added {
        stream.set_entries_added(added);
    }
    if max_deleted != StreamId::MIN {
        stream.set_max_deleted_id(max_deleted);
    }
    ctx.out.ok();
    changed_beside(ctx, 1, "xsetid");
}

/// How Redis explains the flag of XADD's key.
const NOTES: &str = "UPDATE instead of INSERT because of the optional trimming feature";

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("xadd", xadd, -5, WRITE | DENYOOM | FAST)
        .since(Group::Stream, "5.0.0")
        .doc(
            "Adds an entry at the end of a stream; a new stream if there is none.",
            "O(1); with a trim O(log N) for whole nodes, and O(N) for N entries of the node in which the bound lies.",
        )
        .args(
            "key [NOMKSTREAM] [condition:(KEEPREF | DELREF | ACKED)] \
             [trim:(strategy:(MAXLEN | MINID) [operator:(equal:= | approximately:~)] threshold [LIMIT count:integer])] \
             id-selector:(auto-id:* | id) data:(field value)...",
        )
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE).noted(NOTES)])
        .tips(&["nondeterministic_output"])
        .history(&[
            ("6.2.0", "`NOMKSTREAM`, `MINID` and `LIMIT`."),
            ("7.0.0", "IDs of the form `<ms>-*`."),
            ("8.2.0", "`KEEPREF`, `DELREF` and `ACKED`."),
        ]),
    command("xsetid", xsetid, -3, WRITE | DENYOOM | FAST)
        .since(Group::Stream, "5.0.0")
        .doc("Sets the last ID of a stream, and its other numbers. For replication.", "O(1)")
        .args("key last-id [ENTRIESADDED entries-added:integer] [MAXDELETEDID max-deleted-id]")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)])
        .history(&[("7.0.0", "`ENTRIESADDED` and `MAXDELETEDID`.")]),
];
