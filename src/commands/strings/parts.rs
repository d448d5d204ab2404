//! Parts of strings: appending, overwriting, cutting out.

use super::new_string;
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW, errors, text},
    },
    data::{
        entry::{Entry, NEVER, Value},
        object::Object,
        string,
    },
    keyspace::Upsert,
    resp::output::SHARED_MIN,
};
use std::ops::Range;

/// Whether a string may have `at` + `more` bytes, when `limit` is `proto-max-bulk-len`.
fn fits(at: usize, more: usize, limit: usize) -> bool {
    at.checked_add(more).is_some_and(|len| len <= limit)
}

fn append(ctx: &mut Ctx) {
    let (hash, key, more) = (ctx.hash(1), ctx.arg(1), ctx.arg(2));
    let limit = ctx.server.config.proto_max_bulk_len;
    let len = match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(mut slot) => {
            let entry = slot.entry_mut();
            let Some(old) = string::len(entry.value()) else { return ctx.error(errors::WRONG_TYPE) };
            if !fits(old, more.len(), limit) {
                return ctx.error(errors::STRING_TOO_LONG);
            }
            string::splice(entry, old, more);
            old + more.len()
        }
        Upsert::Vacant(slot) => {
            slot.put(key, new_string(ctx.args, 2), NEVER);
            ctx.notify(key, NEW);
            more.len()
        }
    };
    ctx.changed(1, Event('$', "append"));
    ctx.out.len_int(len);
}

fn setrange(ctx: &mut Ctx) {
    let Some(offset) = ctx.int_arg(2) else { return };
    let Ok(offset) = usize::try_from(offset) else { return ctx.error("ERR offset is out of range") };
    let (hash, key, bytes) = (ctx.hash(1), ctx.arg(1), ctx.arg(3));
    let fits = fits(offset, bytes.len(), ctx.server.config.proto_max_bulk_len);
    let len = match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(mut slot) => {
            let entry = slot.entry_mut();
            let Some(old) = string::len(entry.value()) else { return ctx.error(errors::WRONG_TYPE) };
            if bytes.is_empty() {
                return ctx.out.len_int(old);
            }
            if !fits {
                return ctx.error(errors::STRING_TOO_LONG);
            }
            string::splice(entry, offset, bytes)
        }
        Upsert::Vacant(_) if bytes.is_empty() => return ctx.out.int(0),
        Upsert::Vacant(_) if !fits => return ctx.error(errors::STRING_TOO_LONG),
        Upsert::Vacant(slot) => {
            let len = string::splice(slot.insert(Entry::new_inline(key, b"", NEVER)), offset, bytes);
            ctx.notify(key, NEW);
            len
        }
    };
    ctx.changed(1, Event('$', "setrange"));
    ctx.out.len_int(len.unwrap_or(0));
}

/// The bytes from `start` to `end` (both inclusive, negative: from the end) of a string of `len` bytes.
fn range(start: i64, end: i64, len: usize) -> Range<usize> {
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let from_start = |at: i64| if at < 0 { at.saturating_add(len as i64).max(0) } else { at };
    let (start, end) = (from_start(start), from_start(end).min(len as i64 - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}

fn getrange(ctx: &mut Ctx) {
    let Some(start) = ctx.int_arg(2) else { return };
    let Some(end) = ctx.int_arg(3) else { return };
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let Some(entry) = ctx.server.keyspace.read(ctx.db, hash, key) else { return ctx.out.bulk(b"") };
    let Some(len) = string::len(entry.value()) else { return ctx.error(errors::WRONG_TYPE) };
    let range = range(start, end, len);
    match entry.value() {
        Value::Object(Object::Bytes(bytes)) if range.len() >= SHARED_MIN => ctx.out.bulk_shared(&bytes.slice(range)),
        value => {
            if let Some(text) = text(value) {
                text.with(|bytes| ctx.out.bulk(bytes.get(range).unwrap_or_default()));
            }
        }
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("append", append, 3, WRITE | DENYOOM | FAST)
        .since(Group::String, "2.0.0")
        .doc("Appends to the string at a key; a missing key counts as empty.", "O(1) on average: a string that grows has room to spare.")
        .args("key value")
        .keys(&[KeySpec::one(1, k::RW | k::INSERT)]),
    command("setrange", setrange, 4, WRITE | DENYOOM)
        .since(Group::String, "2.2.0")
        .doc(
            "Overwrites a part of the string at a key, from an offset on; a missing key counts as empty.",
            "O(M) for M bytes written; a string that is not long is copied besides.",
        )
        .args("key offset:integer value")
        .keys(&[KeySpec::one(1, k::RW | k::UPDATE)]),
    command("getrange", getrange, 4, READONLY)
        .since(Group::String, "2.4.0")
        .doc(
            "Returns a part of the string at a key.",
            "O(N) for N bytes returned; O(1) where those are many and sent from where they are stored.",
        )
        .args("key start:integer end:integer")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
    command("substr", getrange, 4, READONLY)
        .since(Group::String, "1.0.0")
        .doc(
            "Returns a part of the string at a key.",
            "O(N) for N bytes returned; O(1) where those are many and sent from where they are stored.",
        )
        .args("key start:integer end:integer")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .deprecated("2.0.0", "`GETRANGE`"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_counts_from_either_end_and_is_cut_to_the_string() {
        assert_eq!(range(0, -1, 11), 0..11);
        assert_eq!(range(-5, -1, 11), 6..11);
        assert_eq!(range(-5, -7, 11), 0..0);
        assert_eq!(range(5, 1, 11), 0..0);
        assert_eq!(range(-100, -50, 11), 0..1, "both ends are cut to the first byte");
        assert_eq!(range(100, 200, 11), 0..0);
        assert_eq!(range(i64::MIN, i64::MAX, 11), 0..11);
        assert_eq!(range(0, 0, 0), 0..0);
        assert_eq!(range(i64::MAX, -1, 11), 0..0);
    }
}
