//! Single bits.

use super::bit_arg;
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, NEW, errors, text},
    },
    data::{bits, entry::Value, number, string},
    keyspace::Upsert,
};

fn setbit(ctx: &mut Ctx) {
    let Some(bit) = bit_arg(ctx, 2) else { return };
    let on = match number::parse_i64(ctx.arg(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return ctx.error("ERR bit is not an integer or out of range"),
    };
    let (hash, key, len) = (ctx.hash(1), ctx.arg(1), (bit >> 3) as usize + 1);
    let (was, changes) = match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(mut slot) => {
            let entry = slot.entry_mut();
            let Some(old) = string::len(entry.value()) else { return ctx.error(errors::WRONG_TYPE) };
            // A long string that a reply shares is not copied for nothing.
            let stays =
                matches!(entry.value(), Value::Object(object) if len <= old && object.bytes().is_some_and(|b| bits::is_set(b, bit) == on));
            let was = if stays { Some(on) } else { string::edit(entry, len, |bytes| bits::set(bytes, bit, on)) };
            let was = was.unwrap_or(on);
            (was, was != on || len > old)
        }
        Upsert::Vacant(slot) => {
            string::edit(slot.insert(string::zeroed(key, len)), len, |bytes| bits::set(bytes, bit, on));
            ctx.notify(key, NEW);
            (false, true)
        }
    };
    if changes {
        ctx.changed(1, Event('$', "setbit"));
    }
    ctx.out.int(i64::from(was));
}

fn getbit(ctx: &mut Ctx) {
    let Some(bit) = bit_arg(ctx, 2) else { return };
    let Some(entry) = ctx.read(1) else { return ctx.out.int(0) };
    match text(entry.value()).map(|text| text.with(|bytes| bits::is_set(bytes, bit))) {
        Some(set) => ctx.out.int(i64::from(set)),
        None => ctx.error(errors::WRONG_TYPE),
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("setbit", setbit, 4, WRITE | DENYOOM)
        .since(Group::Bitmap, "2.2.0")
        .doc(
            "Sets or clears a bit of the string at a key and returns what it was; a missing key counts as empty, and a string that is too short gets zeros.",
            "O(1); what is appended has to be zeroed.",
        )
        .args("key offset:integer value:integer")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::UPDATE)]),
    command("getbit", getbit, 3, READONLY | FAST)
        .since(Group::Bitmap, "2.2.0")
        .doc("Returns a bit of the string at a key; there are zeros behind its end.", "O(1)")
        .args("key offset:integer")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
];
