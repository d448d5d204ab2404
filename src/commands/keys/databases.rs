//! Whole databases: their size, their end, their exchange.

use crate::{
    commands::{
        Ctx, Effect,
        command::{Command, Group, categories, command, flags::*},
        context::errors,
    },
    data::number,
};

/// Argument `i` as the index of a database. Answers with an error when it is none: with `not_a_number` when it is not even a number.
pub fn index_arg(ctx: &mut Ctx<'_>, i: usize, not_a_number: Option<&str>) -> Option<usize> {
    let index = int_arg(ctx, i, not_a_number)?;
    let index = usize::try_from(index).ok().filter(|index| *index < ctx.keyspace().databases());
    if index.is_none() {
        ctx.error(OUTSIDE);
    }
    index
}

const OUTSIDE: &str = "ERR DB index is out of range";

/// Argument `i` as an integer of 32 bits.
fn int_arg(ctx: &mut Ctx<'_>, i: usize, error: Option<&str>) -> Option<i32> {
    let value = number::parse_i64(ctx.arg(i));
    let int = value.and_then(|value| i32::try_from(value).ok());
    if int.is_none() {
        match (error, value) {
            (Some(text), _) => ctx.error(text),
            (None, None) => ctx.error(errors::NOT_INTEGER),
            (None, Some(_)) => ctx.error(format!("ERR value is out of range, value must between {} and {}", i32::MIN, i32::MAX)),
        }
    }
    int
}

fn dbsize(ctx: &mut Ctx) {
    let len = ctx.server.keyspace.db(ctx.db).len();
    ctx.out.len_int(len);
}

fn swapdb(ctx: &mut Ctx) {
    // Both have to be numbers before either is looked at more closely.
    let Some(_) = int_arg(ctx, 1, Some("ERR invalid first DB index")) else { return };
    let Some(_) = int_arg(ctx, 2, Some("ERR invalid second DB index")) else { return };
    let Some(a) = index_arg(ctx, 1, None) else { return };
    let Some(b) = index_arg(ctx, 2, None) else { return };
    let keyspace = ctx.keyspace();
    keyspace.swap(a, b);
    keyspace.dirty += 1;
    ctx.out.ok();
}

/// Empties databases. SYNC and ASYNC are the same here: the tables are out of reach at once, and are freed in slices of the poll loop.
fn flush(ctx: &mut Ctx<'_>, databases: std::ops::Range<usize>) {
    if ctx.argc() > 2 || ctx.argc() == 2 && !ctx.is_word(1, "sync") && !ctx.is_word(1, "async") {
        return ctx.error(errors::SYNTAX);
    }
    let keyspace = ctx.keyspace();
    for db in databases {
        keyspace.dirty += keyspace.flush(db) as u64;
    }
    // Even of an empty database: a replica may have keys that we have not.
    ctx.effect = Effect::Always;
    ctx.out.ok();
}

fn flushdb(ctx: &mut Ctx) {
    let db = ctx.db;
    flush(ctx, db..db + 1);
}

fn flushall(ctx: &mut Ctx) {
    let databases = ctx.keyspace().databases();
    let errors = ctx.server.stats.errors;
    flush(ctx, 0..databases);
    if ctx.server.stats.errors == errors && !ctx.server.keyspace.is_rehearsing() {
        ctx.server.reset_saves();
    }
}

const FLUSH_ARGS: &str = "[flush-type:(ASYNC | SYNC)]";
const FLUSH_COST: &str = "O(1); the N keys are then freed in slices of the poll loop, O(N) in all.";
const FLUSH_HISTORY: &[(&str, &str)] = &[("4.0.0", "`ASYNC`."), ("6.2.0", "`SYNC`.")];
const FLUSH_TIPS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("dbsize", dbsize, 1, READONLY | FAST)
        .since(Group::Server, "1.0.0")
        .doc("Returns how many keys the database has.", "O(1)")
        .categories(categories::KEYSPACE)
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"]),
    command("swapdb", swapdb, 3, WRITE | FAST)
        .since(Group::Server, "4.0.0")
        .doc("Exchanges two databases, for all clients at once.", "O(N) for the N keys of both that are watched.")
        .args("index1:integer index2:integer")
        .categories(categories::KEYSPACE | categories::DANGEROUS),
    command("flushdb", flushdb, -1, WRITE)
        .since(Group::Server, "1.0.0")
        .doc("Deletes every key of the database.", FLUSH_COST)
        .args(FLUSH_ARGS)
        .categories(categories::KEYSPACE | categories::DANGEROUS)
        .tips(FLUSH_TIPS)
        .history(FLUSH_HISTORY),
    command("flushall", flushall, -1, WRITE)
        .since(Group::Server, "1.0.0")
        .doc("Deletes every key of every database.", FLUSH_COST)
        .args(FLUSH_ARGS)
        .categories(categories::KEYSPACE | categories::DANGEROUS)
        .tips(FLUSH_TIPS)
        .history(FLUSH_HISTORY),
];
