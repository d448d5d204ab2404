//! XGROUP: a stream's groups and their consumers.

use super::{changed_beside, consumers_changed, ids, no_group};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW},
        help,
    },
    data::stream::{Stream, StreamId},
};

const NO_KEY: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an \
                      empty stream automatically.";

/// Options behind the ID.
#[derive(Default)]
struct Options {
    mkstream: bool,
    entries_read: Option<u64>,
}

/// The options of CREATE and SETID; answers with an error when they are wrong.
fn options(ctx: &mut Ctx<'_>, creates: bool) -> Option<Options> {
    let mut options = Options::default();
    let mut i = 5;
    while i < ctx.argc() {
        if creates && ctx.is_word(i, "mkstream") {
            options.mkstream = true;
            i += 1;
        } else if ctx.is_word(i, "entriesread") && i + 1 < ctx.argc() {
            let read = ctx.int_arg(i + 1)?;
            if read < -1 {
                ctx.error("ERR value for ENTRIESREAD must be positive or -1");
                return None;
            }
            options.entries_read = u64::try_from(read).ok();
            i += 2;
        } else {
            help::unknown_subcommand(ctx);
            return None;
        }
    }
    Some(options)
}

/// Whether there is a stream at argument 2, to be written; answers with an error when there is none, or something else.
fn stream_is_there(ctx: &mut Ctx<'_>) -> Option<()> {
    match stream_at(ctx) {
        Ok(true) => Some(()),
        Ok(false) => {
            ctx.error(NO_KEY);
            None
        }
        Err(()) => None,
    }
}

/// Whether there is a stream at argument 2; `Err` after an error that there is something else.
fn stream_at(ctx: &mut Ctx<'_>) -> Result<bool, ()> {
    let (hash, key) = (ctx.hash(2), ctx.arg(2));
    ctx.server.keyspace.write_as::<Stream>(ctx.db, hash, key).map(|stream| stream.is_some()).map_err(|_| ctx.wrong_type())
}

/// Changes the stream at argument 2, which has been found.
fn with_stream<R>(ctx: &mut Ctx<'_>, change: impl FnOnce(&mut Stream) -> R) -> Option<R> {
    let (hash, key) = (ctx.hash(2), ctx.arg(2));
    ctx.server.keyspace.write_as::<Stream>(ctx.db, hash, key).ok().flatten().map(change)
}

/// Whether the group at argument 3 is there; answers with an error when it is not, or the stream.
fn group_is_there(ctx: &mut Ctx<'_>) -> Option<()> {
    stream_is_there(ctx)?;
    let (key, name) = (ctx.arg(2), ctx.arg(3));
    if with_stream(ctx, |stream| stream.group(name).is_none()) == Some(true) {
        no_group(ctx, key, name);
        return None;
    }
    Some(())
}

fn create(ctx: &mut Ctx) {
    let Some(options) = options(ctx, true) else { return };
    let Ok(found) = stream_at(ctx) else { return };
    if !found && !options.mkstream {
        return ctx.error(NO_KEY);
    }
    if ctx.argc() > 8 {
        return help::unknown_subcommand(ctx);
    }
    let id = if ctx.arg(4) == b"$" {
        with_stream(ctx, |stream| stream.last_id()).unwrap_or(StreamId::MIN)
    } else {
        let Some(id) = ids::id_arg(ctx, 4) else { return };
        id
    };
    let (hash, key, name) = (ctx.hash(2), ctx.arg(2), ctx.arg(3));
    let Ok((stream, new)) = ctx.server.keyspace.write_or_insert(ctx.db, hash, key, Stream::new) else { return };
    if !stream.create_group(name, id, options.entries_read) {
        return ctx.error("BUSYGROUP Consumer Group name already exists");
    }
    ctx.out.ok();
    if new {
        ctx.notify(key, NEW);
        ctx.changed(2, Event('t', "xgroup-create"));
    } else {
        changed_beside(ctx, 2, "xgroup-create");
    }
    consumers_changed(ctx, 2);
}

fn setid(ctx: &mut Ctx) {
    let Some(options) = options(ctx, false) else { return };
    if group_is_there(ctx).is_none() {
        return;
    }
    if !matches!(ctx.argc(), 5 | 7) {
        return help::unknown_subcommand(ctx);
    }
    let id = if ctx.arg(4) == b"$" { with_stream(ctx, |stream| stream.last_id()) } else { ids::id_or_end_arg(ctx, 4) };
    let (Some(id), name) = (id, ctx.arg(3)) else { return };
    with_stream(ctx, |stream| {
        if let Some(group) = stream.group_mut(name) {
            group.set_last_id(id);
            group.set_entries_read(options.entries_read);
        }
    });
    ctx.out.ok();
    changed_beside(ctx, 2, "xgroup-setid");
}

fn destroy(ctx: &mut Ctx) {
    if stream_is_there(ctx).is_none() {
        return;
    }
    let (key, name) = (ctx.arg(2), ctx.arg(3));
    if with_stream(ctx, |stream| stream.destroy_group(name)) != Some(true) {
        return ctx.out.int(0);
    }
    ctx.out.int(1);
    changed_beside(ctx, 2, "xgroup-destroy");
    consumers_changed(ctx, 2);
    // Who waits for entries as one of its consumers waits in vain.
    ctx.server.keyspace.awaited.note(ctx.db, key);
}

fn createconsumer(ctx: &mut Ctx) {
    if group_is_there(ctx).is_none() {
        return;
    }
    let (name, consumer, now_ms) = (ctx.arg(3), ctx.arg(4), ctx.now_ms());
    let created = with_stream(ctx, |stream| stream.group_mut(name)?.create_consumer(consumer, now_ms)).flatten().is_some();
    if created {
        changed_beside(ctx, 2, "xgroup-createconsumer");
        consumers_changed(ctx, 2);
    }
    ctx.out.int(i64::from(created));
}

fn delconsumer(ctx: &mut Ctx) {
    if group_is_there(ctx).is_none() {
        return;
    }
    let (name, consumer) = (ctx.arg(3), ctx.arg(4));
    let removed = with_stream(ctx, |stream| stream.group_mut(name)?.remove_consumer(consumer)).flatten();
    if removed.is_some() {
        changed_beside(ctx, 2, "xgroup-delconsumer");
        consumers_changed(ctx, 2);
    }
    ctx.out.int(removed.unwrap_or(0) as i64);
}

fn help_text(ctx: &mut Ctx) {
    help::reply(
        ctx,
        &[
            "CREATE <key> <group> <id|$> [option]",
            "    Make a group that reads from behind <id> on, or from now on. Options:",
            "    * MKSTREAM",
            "      Make an empty stream where there is no key.",
            "    * ENTRIESREAD <entries-read>",
            "      Say how many entries the group has read (for replication).",
            "CREATECONSUMER <key> <group> <consumer>",
            "    Make a consumer of a group.",
            "DELCONSUMER <key> <group> <consumer>",
            "    Delete a consumer, and what it has pending.",
            "DESTROY <key> <group>",
            "    Delete a group, and what it has pending.",
            "SETID <key> <group> <id|$> [ENTRIESREAD <entries-read>]",
            "    Let a group go on behind <id>, or from now on.",
        ],
    );
}

fn container(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

const SUBCOMMANDS: &[Command] = &[
    command("create", create, -5, WRITE | DENYOOM)
        .since(Group::Stream, "5.0.0")
        .doc("Makes a group.", "O(1)")
        .args("key group id-selector:(id | new-id:$) [MKSTREAM] [ENTRIESREAD entries-read:integer]")
        .keys(&[KeySpec::one(2, k::RW | k::INSERT)])
        .history(&[("7.0.0", "`ENTRIESREAD`.")]),
    command("createconsumer", createconsumer, 5, WRITE | DENYOOM)
        .since(Group::Stream, "6.2.0")
        .doc("Makes a consumer of a group.", "O(1)")
        .args("key group consumer")
        .keys(&[KeySpec::one(2, k::RW | k::INSERT)]),
    command("delconsumer", delconsumer, 5, WRITE)
        .since(Group::Stream, "5.0.0")
        .doc("Deletes a consumer of a group, and what it has pending.", "O(N log M) for N entries that it has pending of M.")
        .args("key group consumer")
        .keys(&[KeySpec::one(2, k::RW | k::DELETE)]),
    command("destroy", destroy, 4, WRITE)
        .since(Group::Stream, "5.0.0")
        .doc("Deletes a group, and what it has pending.", "O(1); what was pending is freed in slices.")
        .args("key group")
        .keys(&[KeySpec::one(2, k::RW | k::DELETE)]),
    command("help", help_text, 2, LOADING | STALE).since(Group::Stream, "5.0.0").doc("Tells what the subcommands do.", "O(1)"),
    command("setid", setid, -5, WRITE)
        .since(Group::Stream, "5.0.0")
        .doc("Sets the ID behind which a group goes on reading.", "O(1)")
        .args("key group id-selector:(id | new-id:$) [ENTRIESREAD entriesread<entries-read>:integer]")
        .keys(&[KeySpec::one(2, k::RW | k::UPDATE)])
        .history(&[("7.0.0", "`ENTRIESREAD`.")]),
];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[command("xgroup", container, -2, 0)
    .since(Group::Stream, "5.0.0")
    .doc("The groups of a stream and their consumers.", "Depends on the subcommand.")
    .subcommands(SUBCOMMANDS)];
