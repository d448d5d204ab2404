//! GET, and the plain ways to put a string in its place. SET with its options is in [`expiring`](super::expiring).

use super::{put_string, reply_value};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW, errors},
    },
    data::{entry::NEVER, string},
    keyspace::Upsert,
    resp::request::OwnedArgs,
};

fn get(ctx: &mut Ctx) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    match ctx.server.keyspace.read(ctx.db, hash, key) {
        None => ctx.out.null(),
        Some(entry) => {
            if !reply_value(ctx.out, entry.value()) {
                ctx.error(errors::WRONG_TYPE);
            }
        }
    }
}

fn getset(ctx: &mut Ctx) {
    let (hash, key, value) = (ctx.hash(1), ctx.arg(1), super::new_string(ctx.args, 2));
    let found = match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(slot) => {
            if !reply_value(ctx.out, slot.entry().value()) {
                return ctx.error(errors::WRONG_TYPE);
            }
            slot.put(value, NEVER);
            true
        }
        Upsert::Vacant(slot) => {
            ctx.out.null();
            slot.put(key, value, NEVER);
            false
        }
    };
    ctx.server.keyspace.count_read(ctx.db, key, found);
    if !found {
        ctx.notify(key, NEW);
    }
    ctx.changed(1, Event('$', "set"));
    if ctx.is_logged() {
        let mut set = OwnedArgs::default();
        set.push(b"SET");
        ctx.keep_args(&mut set, 1..3);
        ctx.log_owned(set);
    }
}

fn getdel(ctx: &mut Ctx) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let found = match ctx.server.keyspace.occupied(ctx.db, hash, key) {
        None => {
            ctx.out.null();
            false
        }
        Some(slot) => {
            if !reply_value(ctx.out, slot.entry().value()) {
                return ctx.error(errors::WRONG_TYPE);
            }
            slot.remove();
            true
        }
    };
    ctx.server.keyspace.count_read(ctx.db, key, found);
    if found {
        ctx.changed(1, Event('g', "del"));
        ctx.log_instead(&[b"DEL", key]);
    }
}

fn setnx(ctx: &mut Ctx) {
    let (hash, key, args) = (ctx.hash(1), ctx.arg(1), ctx.args);
    match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(mut slot) => {
            slot.touch();
            return ctx.out.int(0);
        }
        Upsert::Vacant(slot) => slot.put(key, super::new_string(args, 2), NEVER),
    }
    ctx.notify(key, NEW);
    ctx.changed(1, Event('$', "set"));
    ctx.out.int(1);
}

fn strlen(ctx: &mut Ctx) {
    let len = match ctx.read(1) {
        None => Some(0),
        Some(entry) => string::len(entry.value()),
    };
    match len {
        Some(len) => ctx.out.len_int(len),
        None => ctx.error(errors::WRONG_TYPE),
    }
}

/// SET without options: the hot path.
#[inline(always)]
pub(super) fn set_plain(ctx: &mut Ctx) {
    if put_string(ctx, 1, ctx.hash(1), 2, NEVER) {
        ctx.notify(ctx.arg(1), NEW);
    }
    ctx.changed(1, Event('$', "set"));
    ctx.out.ok();
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("get", get, 2, READONLY | FAST)
        .since(Group::String, "1.0.0")
        .doc("Returns the string at a key.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("getset", getset, 3, WRITE | DENYOOM | FAST)
        .since(Group::String, "1.0.0")
        .doc("Puts a string under a key and returns the one that was there.", "O(1)")
        .args("key value")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)])
        .deprecated("6.2.0", "`SET` with `GET`"),
    command("getdel", getdel, 2, WRITE | FAST)
        .since(Group::String, "6.2.0")
        .doc("Returns the string at a key and deletes the key.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::DELETE)]),
    command("setnx", setnx, 3, WRITE | DENYOOM | FAST)
        .since(Group::String, "1.0.0")
        .doc("Puts a string under a key that is not there yet.", "O(1)")
        .args("key value")
        .keys(&[KeySpec::one(1, k::OW | k::INSERT)])
        .deprecated("2.6.12", "`SET` with `NX`"),
    command("strlen", strlen, 2, READONLY | FAST)
        .since(Group::String, "2.2.0")
        .doc("Returns how many bytes the string at a key has.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO)]),
];
