//! Values under other keys: RENAME, COPY, and MOVE into another database.

use super::databases::index_arg;
use crate::commands::{
    Ctx,
    command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
    context::{Event, NEW, errors},
};

const SAME: &str = "ERR source and destination objects are the same";

/// Moves the value; `None` with an error when there is none, `Some(false)` when `only_new` and the new key is there.
fn rename_key(ctx: &mut Ctx<'_>, only_new: bool) -> Option<bool> {
    let ((hash, key), (new_hash, new_key), db) = ((ctx.hash(1), ctx.arg(1)), (ctx.hash(2), ctx.arg(2)), ctx.db);
    let keyspace = &mut ctx.server.keyspace;
    if keyspace.write(db, hash, key).is_none() {
        ctx.error(errors::NO_SUCH_KEY);
        return None;
    }
    if key == new_key {
        return Some(!only_new);
    }
    if only_new && keyspace.write(db, new_hash, new_key).is_some() {
        return Some(false);
    }
    let entry = keyspace.remove(db, hash, key)?;
    keyspace.remove(db, new_hash, new_key);
    keyspace.adopt(db, new_hash, entry.rename(new_key));
    ctx.notify(new_key, NEW);
    ctx.changed_too(db, key, Event('g', "rename_from"));
    ctx.changed(2, Event('g', "rename_to"));
    Some(true)
}

fn rename(ctx: &mut Ctx) {
    if rename_key(ctx, false).is_some() {
        ctx.out.ok();
    }
}

fn renamenx(ctx: &mut Ctx) {
    if let Some(renamed) = rename_key(ctx, true) {
        ctx.out.int(i64::from(renamed));
    }
}

fn copy(ctx: &mut Ctx) {
    let (mut db, mut replace) = (ctx.db, false);
    let mut i = 3;
    while i < ctx.argc() {
        if ctx.is_word(i, "replace") {
            replace = true;
        } else if ctx.is_word(i, "db") && i + 1 < ctx.argc() {
            i += 1;
            let Some(index) = index_arg(ctx, i, None) else { return };
            db = index;
        } else {
            return ctx.error(errors::SYNTAX);
        }
        i += 1;
    }
    let (new_hash, new_key) = (ctx.hash(2), ctx.arg(2));
    if db == ctx.db && ctx.arg(1) == new_key {
        return ctx.error(SAME);
    }
    let Some(copy) = ctx.read(1).map(|entry| entry.copy_as(new_key)) else { return ctx.out.int(0) };
    let keyspace = &mut ctx.server.keyspace;
    if keyspace.write(db, new_hash, new_key).is_some() {
        if !replace {
            return ctx.out.int(0);
        }
        keyspace.remove(db, new_hash, new_key);
    }
    keyspace.insert(db, new_hash, copy);
    ctx.notify_in(db, new_key, NEW);
    ctx.changed_in(db, new_key, Event('g', "copy_to"));
    ctx.out.int(1);
}

fn move_(ctx: &mut Ctx) {
    let Some(db) = index_arg(ctx, 2, None) else { return };
    let (here, hash, key) = (ctx.db, ctx.hash(1), ctx.arg(1));
    if db == here {
        return ctx.error(SAME);
    }
    let keyspace = &mut ctx.server.keyspace;
    if keyspace.write(here, hash, key).is_none() || keyspace.write(db, hash, key).is_some() {
        return ctx.out.int(0);
    }
    let Some(entry) = keyspace.remove(here, hash, key) else { return ctx.out.int(0) };
    keyspace.adopt(db, hash, entry);
    ctx.notify_in(db, key, NEW);
    ctx.changed_too(here, key, Event('g', "move_from"));
    ctx.changed_in(db, key, Event('g', "move_to"));
    ctx.out.int(1);
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("rename", rename, 3, WRITE)
        .since(Group::Generic, "1.0.0")
        .doc("Moves a value to another key, whatever was there.", "O(1)")
        .args("key newkey")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::DELETE), KeySpec::one(2, k::OW | k::UPDATE)]),
    command("renamenx", renamenx, 3, WRITE | FAST)
        .since(Group::Generic, "1.0.0")
        .doc("Moves a value to another key that is not there yet.", "O(1)")
        .args("key newkey")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::DELETE), KeySpec::one(2, k::OW | k::INSERT)])
        .history(&[("3.2.0", "No error when both keys are the same.")]),
    command("copy", copy, -3, WRITE | DENYOOM)
        .since(Group::Generic, "6.2.0")
        .doc("Copies a value to another key.", "O(N) for the N elements of a collection, O(1) for a string.")
        .args("source destination [DB destination-db:integer] [REPLACE]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS), KeySpec::one(2, k::OW | k::UPDATE)]),
    command("move", move_, 3, WRITE | FAST)
        .since(Group::Generic, "1.0.0")
        .doc("Moves a key to another database.", "O(1)")
        .args("key db:integer")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)]),
];
