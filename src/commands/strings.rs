//! Strings.

use super::{
    Ctx,
    command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
    context::{Event, errors},
};
use crate::data::{
    entry::{Entry, INLINE_MAX, NEVER, Value},
    number,
    object::Object,
};

/// Answers with a string value.
#[inline(always)]
pub fn reply_value(out: &mut crate::resp::output::Output, value: Value<'_>) -> bool {
    match value {
        Value::Str(s) => out.bulk(s),
        Value::Int(n) => out.bulk_int(n),
        Value::Object(Object::Bytes(b)) => out.bulk_shared(b),
    }
    true
}

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

/// Puts the string at argument `value` under the key at argument `key`, whatever was there, with this deadline. Does not say that it changed.
#[inline(always)]
pub fn put_string(ctx: &mut Ctx, key: usize, value: usize, deadline: i64) {
    let (hash, name, bytes) = (ctx.hash(key), ctx.arg(key), ctx.arg(value));
    let shared = if bytes.len() > INLINE_MAX { Some(Box::new(Object::Bytes(ctx.args.to_bytes(value)))) } else { None };
    let db = ctx.db;
    let keyspace = ctx.keyspace();
    if keyspace.db(db).volatile() > 0 || deadline != NEVER {
        // Rare enough to take the plain way: a deadline is part of the entry's layout.
        keyspace.set_deadline(db, hash, name, deadline);
    }
    let int = number::parse_i64(bytes);
    match (keyspace.write(db, hash, name), shared, int) {
        (Some(entry), Some(object), _) => entry.set_object(object),
        (Some(entry), None, Some(n)) => entry.set_int(n),
        (Some(entry), None, None) => entry.set_inline(bytes),
        (None, shared, int) => {
            let entry = match (shared, int) {
                (Some(object), _) => Entry::new_object(name, object, deadline),
                (None, Some(n)) => Entry::new_int(name, n, deadline),
                (None, None) => Entry::new_inline(name, bytes, deadline),
            };
            keyspace.insert(db, hash, entry);
        }
    }
}

fn set(ctx: &mut Ctx) {
    put_string(ctx, 1, 2, NEVER);
    ctx.changed(1, Event('$', "set"));
    ctx.out.ok();
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    command("get", get, 2, READONLY | FAST)
        .since(Group::String, "1.0.0")
        .doc("Returns the string at a key.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("set", set, -3, WRITE | DENYOOM)
        .since(Group::String, "1.0.0")
        .doc("Puts a string under a key, whatever was there.", "O(1)")
        .args("key value")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)]),
];
