//! OBJECT: how a value is kept.

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
    },
    config::MaxmemoryPolicy as Policy,
    data::entry::Value,
    keyspace::{idle_ms, lfu_value},
};

/// What OBJECT REFCOUNT says of an object that is never freed.
const SHARED: i64 = i32::MAX as i64;
/// Integers from 0 up to this one are such objects in Redis.
const SHARED_INTEGERS: i64 = 10_000;

fn encoding(ctx: &mut Ctx) {
    match ctx.look(2).map(|entry| entry.encoding()) {
        Some(name) => ctx.out.bulk(name.as_bytes()),
        None => ctx.out.null(),
    }
}

fn refcount(ctx: &mut Ctx) {
    // Nothing is shared here, but clients are told what Redis would tell them: it does not share where each key has to have marks of its own.
    let config = &ctx.server.config;
    let marks =
        !matches!(config.maxmemory_policy, Policy::VolatileRandom | Policy::VolatileTtl | Policy::AllkeysRandom | Policy::NoEviction);
    let shares = config.maxmemory == 0 || !marks;
    let shared = ctx.look(2).map(|entry| matches!(entry.value(), Value::Int(n) if shares && (0..SHARED_INTEGERS).contains(&n)));
    match shared {
        Some(true) => ctx.out.int(SHARED),
        Some(false) => ctx.out.int(1),
        None => ctx.out.null(),
    }
}

fn idletime(ctx: &mut Ctx) {
    let now_ms = ctx.now_ms();
    let Some(idle_ms) = ctx.look(2).map(|entry| idle_ms(entry, now_ms)) else { return ctx.out.null() };
    if ctx.server.keyspace.access.is_frequency() {
        return ctx.error(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at \
             runtime LRU and LFU data will take some time to adjust.",
        );
    }
    ctx.out.int(idle_ms / 1000);
}

fn freq(ctx: &mut Ctx) {
    let (now_ms, decay_minutes) = (ctx.now_ms(), ctx.server.keyspace.access.lfu_decay_minutes);
    let Some(freq) = ctx.look(2).map(|entry| lfu_value(entry, now_ms, decay_minutes)) else { return ctx.out.null() };
    if !ctx.server.keyspace.access.is_frequency() {
        return ctx.error(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between \
             policies at runtime LRU and LFU data will take some time to adjust.",
        );
    }
    ctx.out.int(i64::from(freq));
}

fn help(ctx: &mut Ctx) {
    ctx.out.help(&[
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Tell how the value at <key> is encoded.",
        "FREQ <key>",
        "    Tell how often <key> has been used lately, on a logarithmic scale from 0 to 255.",
        "IDLETIME <key>",
        "    Tell for how many seconds <key> has not been used.",
        "REFCOUNT <key>",
        "    Tell how many references to the value at <key> there are.",
        "HELP",
        "    Print this help.",
    ]);
}

fn no_subcommand(ctx: &mut Ctx) {
    ctx.wrong_arity();
}

const SUBCOMMANDS: &[Command] = &[
    command("encoding", encoding, 3, READONLY)
        .since(Group::Generic, "2.2.3")
        .doc("Tells how a value is encoded.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(2, k::RO)])
        .tips(&["nondeterministic_output"]),
    command("freq", freq, 3, READONLY)
        .since(Group::Generic, "4.0.0")
        .doc("Tells how often a key has been used, on a logarithmic scale.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(2, k::RO)])
        .tips(&["nondeterministic_output"]),
    command("help", help, 2, LOADING | STALE).since(Group::Generic, "6.2.0").doc("Tells what the subcommands do.", "O(1)"),
    command("idletime", idletime, 3, READONLY)
        .since(Group::Generic, "2.2.3")
        .doc("Tells for how long a key has not been used.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(2, k::RO)])
        .tips(&["nondeterministic_output"]),
    command("refcount", refcount, 3, READONLY)
        .since(Group::Generic, "2.2.3")
        .doc("Tells how many references to a value there are.", "O(1)")
        .args("key")
        .keys(&[KeySpec::one(2, k::RO)])
        .tips(&["nondeterministic_output"]),
];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[command("object", no_subcommand, -2, 0)
    .since(Group::Generic, "2.2.3")
    .doc("Tells how values are kept.", "Depends on the subcommand.")
    .categories_instead(0)
    .subcommands(SUBCOMMANDS)];
