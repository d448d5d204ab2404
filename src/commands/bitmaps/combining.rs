//! BITOP: strings combined bit by bit.

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW, errors, text},
    },
    data::{
        bits::combine::{BitOperation, combine},
        entry::{Entry, INLINE_MAX, NEVER, NewString},
        object::Object,
        string,
    },
    keyspace::Upsert,
};
use bytes::BytesMut;
use std::{borrow::Cow, mem};

/// The argument that says where the result goes, and the first that says what is combined.
const TARGET: usize = 2;
const SOURCES: usize = 3;

fn bitop(ctx: &mut Ctx) {
    let Some((operation, name)) = BitOperation::named(ctx.arg(1)) else { return ctx.error(errors::SYNTAX) };
    match (operation, ctx.argc() - SOURCES) {
        (BitOperation::Not, 2..) => return ctx.error("ERR BITOP NOT must be called with a single source key."),
        (BitOperation::Diff | BitOperation::Diff1 | BitOperation::AndOr, 1) => {
            return ctx.error(format!("ERR BITOP {name} must be called with at least two source keys."));
        }
        _ => (),
    }
    let mut len = 0;
    for i in SOURCES..ctx.argc() {
        match ctx.read(i).map(|entry| string::len(entry.value())) {
            None => (),
            Some(None) => return ctx.error(errors::WRONG_TYPE),
            Some(Some(bytes)) => len = bytes.max(len),
        }
    }
    if len > 0 {
        let mut result = buffer(ctx, len);
        combine_all(ctx, operation, &mut result);
        store(ctx, result);
    } else {
        let (hash, key) = (ctx.hash(TARGET), ctx.arg(TARGET));
        if ctx.server.keyspace.remove(ctx.db, hash, key).is_some() {
            ctx.changed(TARGET, Event('g', "del"));
        }
    }
    ctx.out.len_int(len);
}

/// An empty buffer with room for the result: that of the value that it replaces, if nobody needs it any more.
fn buffer(ctx: &mut Ctx<'_>, len: usize) -> BytesMut {
    if len > INLINE_MAX
        && (SOURCES..ctx.argc()).all(|i| ctx.arg(i) != ctx.arg(TARGET))
        && let Some(mut old) = take_buffer(ctx, len)
    {
        old.clear();
        return old;
    }
    BytesMut::with_capacity(len)
}

/// The buffer of the long string at the target key, if no reply shares it and it fits. What is left at the key is an empty string.
fn take_buffer(ctx: &mut Ctx<'_>, len: usize) -> Option<BytesMut> {
    let (hash, key) = (ctx.hash(TARGET), ctx.arg(TARGET));
    let mut slot = ctx.server.keyspace.occupied(ctx.db, hash, key)?;
    let value = slot.entry_mut().object_mut()?.bytes_mut()?;
    let buffer = mem::take(value).try_into_mut();
    // Of one that is far too large most would be wasted.
    match buffer {
        Ok(own) if (len..=len + len / 4).contains(&own.capacity()) => Some(own),
        Ok(own) => {
            *value = own.freeze();
            None
        }
        Err(shared) => {
            *value = shared;
            None
        }
    }
}

/// Combines the sources, which have been read.
fn combine_all(ctx: &Ctx<'_>, operation: BitOperation, result: &mut BytesMut) {
    let keyspace = &ctx.server.keyspace;
    let source = |i: usize| match keyspace.seen(ctx.db, ctx.hash(i), ctx.arg(i)).and_then(|entry| text(entry.value())) {
        None => Cow::Borrowed(&[][..]),
        Some(text) => text.into_bytes(),
    };
    let sources: Vec<Cow<'_, [u8]>> = (SOURCES..ctx.argc()).map(source).collect();
    let slices: Vec<&[u8]> = sources.iter().map(|source| &**source).collect();
    combine(operation, &slices, result);
}

/// Puts the result under the target key, whatever was there. It is what Redis calls `raw`.
fn store(ctx: &mut Ctx<'_>, result: BytesMut) {
    let (hash, key) = (ctx.hash(TARGET), ctx.arg(TARGET));
    if result.len() > INLINE_MAX {
        put(ctx, NewString::Object(Box::new(Object::from_bytes(result.freeze()))));
    } else {
        put(ctx, NewString::Inline(&result));
        ctx.server.keyspace.write(ctx.db, hash, key).into_iter().for_each(Entry::set_raw);
    }
    ctx.changed(TARGET, Event('$', "set"));
}

fn put(ctx: &mut Ctx<'_>, value: NewString<'_>) {
    let (hash, key) = (ctx.hash(TARGET), ctx.arg(TARGET));
    match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(slot) => slot.put(value, NEVER),
        Upsert::Vacant(slot) => {
            slot.put(key, value, NEVER);
            ctx.notify(key, NEW);
        }
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[command("bitop", bitop, -4, WRITE | DENYOOM)
    .since(Group::Bitmap, "2.6.0")
    .doc(
        "Combines strings bit by bit and puts the result under a key; a missing key counts as empty, and shorter strings as filled up with zeros.",
        "O(N) for N bytes in all.",
    )
    .args("operation:(AND|OR|XOR|NOT|DIFF|DIFF1|ANDOR|ONE) destkey key...")
    .keys(&[KeySpec::one(2, k::OW | k::UPDATE), KeySpec::range(3, -1, 1, k::RO | k::ACCESS)])
    .history(&[("8.2.0", "Added `DIFF`, `DIFF1`, `ANDOR` and `ONE`.")])];
