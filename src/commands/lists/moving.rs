//! LMOVE and RPOPLPUSH: an element from one list to another, or around in the same one.

use super::{end_arg, limits, popped, pushed};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::NEW,
    },
    data::{
        list::{End, List, ListElement},
        listpack::Item,
    },
    keyspace::WrongType,
};
use bytes::Bytes;

/// An element on its way.
enum Moved {
    Int(i64),
    Bytes(Bytes),
}

/// Moves an element from the list at argument 1 to the one at argument 2 and answers with it; `None`: there is no list to take it from.
pub(super) fn move_element(ctx: &mut Ctx<'_>, from: End, to: End) -> Result<Option<()>, WrongType> {
    let (limits, db) = (limits(ctx), ctx.db);
    let ((hash, key), (to_hash, to_key)) = ((ctx.hash(1), ctx.arg(1)), (ctx.hash(2), ctx.arg(2)));
    let keyspace = &mut ctx.server.keyspace;
    if keyspace.write_as::<List>(db, hash, key)?.is_none() {
        return Ok(None);
    }
    keyspace.write_as::<List>(db, to_hash, to_key)?;
    let Some(source) = keyspace.write_as::<List>(db, hash, key)? else { return Ok(None) };
    // Redis does not count the digits of an integer from a quicklist when it looks whether the other list has to grow.
    let is_counted = source.compact().is_some();
    let moved = source.pop(from, |element| match element {
        ListElement::Item(Item::Int(n)) => Moved::Int(n),
        element => Moved::Bytes(element.to_bytes()),
    });
    let Some(moved) = moved else { return Ok(None) };
    let (target, new) = keyspace.write_or_insert(db, to_hash, to_key, List::new)?;
    match &moved {
        Moved::Int(n) => {
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(*n).as_bytes();
            target.before_growth(if is_counted { digits.len() } else { 0 }, 1, limits);
            target.push(to, digits);
            ctx.out.bulk(digits);
        }
        Moved::Bytes(bytes) => {
            target.before_growth(bytes.len(), 1, limits);
            target.push_shared(to, bytes.clone());
            ctx.out.bulk_shared(bytes);
        }
    }
    let mut emptied = false;
    if let Some(source) = keyspace.write_as::<List>(db, hash, key)? {
        emptied = source.is_empty();
        if !emptied {
            source.after_shrinking(limits);
        }
    }
    if new {
        ctx.notify(to_key, NEW);
    }
    // It counts as one change, of which both keys' watchers learn.
    ctx.changed(2, pushed(to));
    ctx.changed_too(db, key, popped(from));
    if emptied {
        ctx.remove_emptied(1);
    }
    Ok(Some(()))
}

fn move_or_null(ctx: &mut Ctx<'_>, from: End, to: End) {
    match move_element(ctx, from, to) {
        Ok(Some(())) => (),
        Ok(None) => ctx.out.null(),
        Err(_) => ctx.wrong_type(),
    }
}

fn lmove(ctx: &mut Ctx) {
    let Some(from) = end_arg(ctx, 3) else { return };
    let Some(to) = end_arg(ctx, 4) else { return };
    move_or_null(ctx, from, to);
}

fn rpoplpush(ctx: &mut Ctx) {
    move_or_null(ctx, End::Back, End::Front);
}

/// What the commands that move an element do with their keys.
pub(super) const KEYS: &[KeySpec] = &[KeySpec::one(1, k::RW | k::ACCESS | k::DELETE), KeySpec::one(2, k::RW | k::INSERT)];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("lmove", lmove, 5, WRITE | DENYOOM)
        .since(Group::List, "6.2.0")
        .doc("Moves an element from an end of one list to an end of another, and returns it.", "O(1)")
        .args("source destination wherefrom:(LEFT|RIGHT) whereto:(LEFT|RIGHT)")
        .keys(KEYS),
    command("rpoplpush", rpoplpush, 3, WRITE | DENYOOM)
        .since(Group::List, "1.2.0")
        .doc("Moves the last element of a list to the front of another, and returns it.", "O(1)")
        .args("source destination")
        .keys(KEYS)
        .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments"),
];
