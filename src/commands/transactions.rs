//! Transactions: MULTI, EXEC, DISCARD, WATCH and UNWATCH. What is queued meanwhile, and how it is run, is the engine's part.

use super::{
    Ctx, Outcome,
    command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
};
use crate::state::{Multi, client::WatchedKey};

fn multi(ctx: &mut Ctx) {
    if ctx.client().multi.is_some() {
        return ctx.error("ERR MULTI calls can not be nested");
    }
    ctx.client_mut().multi = Some(Box::<Multi>::default());
    ctx.out.ok();
}

fn exec(ctx: &mut Ctx) {
    if ctx.client().multi.is_none() {
        return ctx.error("ERR EXEC without MULTI");
    }
    // Whether it may run at all is looked at where it is run.
    ctx.outcome = Outcome::Exec;
}

fn discard(ctx: &mut Ctx) {
    if ctx.client().multi.is_none() {
        return ctx.error("ERR DISCARD without MULTI");
    }
    ctx.server.discard_transaction(ctx.conn);
    ctx.out.ok();
}

fn watch(ctx: &mut Ctx) {
    if ctx.client().multi.is_some() {
        return ctx.error("ERR WATCH inside MULTI is not allowed");
    }
    // What has been touched already cannot be executed, whatever else happens.
    if !ctx.client().watch.get() {
        (1..ctx.argc()).for_each(|i| watch_key(ctx, i));
    }
    ctx.out.ok();
}

fn watch_key(ctx: &mut Ctx, i: usize) {
    let (db, hash, key) = (ctx.db, ctx.hash(i), ctx.arg(i));
    // A key past its deadline is deleted here if it may be, so that its going is not taken for a change later.
    ctx.server.keyspace.locate(db, hash, key);
    let found = ctx.server.keyspace.db(db).dict().find(hash, key);
    let live = found.is_some_and(|entry| !ctx.server.keyspace.is_past(entry.deadline()));
    let watch = ctx.client().watch.clone();
    if ctx.server.keyspace.watch(db, key, live, &watch) {
        ctx.client_mut().watch_key(WatchedKey { db, key: key.into(), live });
    }
}

fn unwatch(ctx: &mut Ctx) {
    ctx.server.unwatch_all(ctx.conn);
    ctx.out.ok();
}

const ALWAYS: u64 = NOSCRIPT | LOADING | STALE;

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    command("multi", multi, 1, ALWAYS | FAST | ALLOW_BUSY | NOT_QUEUED)
        .since(Group::Transactions, "1.2.0")
        .doc("Begins a transaction: the commands behind it are queued.", "O(1)"),
    command("exec", exec, 1, ALWAYS | SKIP_SLOWLOG | NOT_QUEUED)
        .since(Group::Transactions, "1.2.0")
        .doc("Runs the queued commands as one step.", "Depends on the queued commands"),
    command("discard", discard, 1, ALWAYS | FAST | ALLOW_BUSY | NOT_QUEUED)
        .since(Group::Transactions, "2.0.0")
        .doc("Gives up the transaction.", "O(N) where N is the number of queued commands"),
    command("watch", watch, -2, ALWAYS | FAST | ALLOW_BUSY | NOT_QUEUED)
        .since(Group::Transactions, "2.2.0")
        .doc("Makes the next EXEC do nothing if one of these keys has changed by then.", "O(N) where N is the number of keys")
        .args("key...")
        .keys(&[KeySpec::range(1, -1, 1, k::RO)]),
    command("unwatch", unwatch, 1, ALWAYS | FAST | ALLOW_BUSY).since(Group::Transactions, "2.2.0").doc("Forgets the watched keys.", "O(1)"),
];
