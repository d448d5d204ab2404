//! DEBUG: subcommands for tests. `enable-debug-command` says who may use them.
//!
//! Subcommands of features that are not built are refused by name, so that a test that needs them fails at that line.

use super::{debug_digest, debug_object, debug_protocol, help, is_allowed, persistence, unknown_subcommand};
use crate::{
    commands::{
        Command, Ctx, Effect,
        command::{Group, command, flags::*},
        context::errors,
    },
    config::parse_memory,
    data::{
        entry::{Entry, INLINE_MAX, NEVER},
        glob,
        object::Object,
    },
    keyspace::Cause,
    resp::request::OwnedArgs,
    state::{Shutdown, Shutting, client_memory},
};
use std::{alloc::Layout, time::Duration};

fn debug(ctx: &mut Ctx) {
    if !is_allowed(ctx, ctx.server.config.enable_debug_command) {
        return;
    }
    let name = ctx.arg(1).to_ascii_lowercase();
    match (name.as_slice(), ctx.argc()) {
        (b"change-repl-id", 2) => change_repl_id(ctx),
        (b"client-eviction", 2) => client_eviction(ctx),
        (b"assert", 2) => panic!("DEBUG ASSERT: this does not hold, as asked"),
        (b"clusterlink", 5) => ctx.error("ERR Debug option only available for cluster mode enabled setup!"),
        (b"config-rewrite-force-all", 2) => config_rewrite_force_all(ctx),
        (b"digest", 2) => debug_digest::dataset(ctx),
        (b"digest-value", _) => debug_digest::values(ctx),
        (b"error", 3) => ctx.out.error(ctx.args.get(2)),
        (b"help", 2) => help(ctx, HELP),
        (b"htstats", 3 | 4) => debug_object::htstats(ctx),
        (b"htstats-key", 3 | 4) => debug_object::htstats_key(ctx),
        (b"leak", 3) => leak(ctx),
        // Libraries would be loaded on the script's own stack.
        (b"loadaof" | b"reload", _) if ctx.server.scripts.running.is_some() => {
            ctx.error("ERR This Redis command is not allowed from script");
        }
        (b"loadaof", 2) => persistence::load_aof(ctx),
        (b"crash-and-recover", _) => restart(ctx, false),
        (b"restart", _) => restart(ctx, true),
        (b"listpack", 3) => debug_object::listpack(ctx),
        (b"log", 3) => log(ctx),
        (b"mallctl", 3 | 4) => mallctl(ctx),
        (b"mallctl-str", 4) => mallctl_str(ctx),
        (b"object", 3) => debug_object::object(ctx),
        (b"oom", 2) => oom(),
        (b"panic", 2) => panic!("DEBUG PANIC: as asked"),
        (b"pause-cron", 3) => {
            ctx.server.cron_paused = is_on(ctx.arg(2));
            ctx.out.ok();
        }
        (b"populate", 3..=5) => populate(ctx),
        (b"protocol", 3) => debug_protocol::reply(ctx),
        (b"quicklist", 3 | 4) => debug_object::quicklist(ctx),
        (b"quicklist-packed-threshold", 3) => quicklist_packed_threshold(ctx),
        (b"reload", _) => persistence::reload(ctx),
        (b"replicate", 3..) => replicate(ctx),
        (b"replybuffer", 4) => replybuffer(ctx),
        (b"sdslen", 3) => debug_object::sdslen(ctx),
        (b"segfault", 2) => ctx.server.host.crash(),
        (b"set-active-expire", 3) => set_active_expire(ctx),
        (b"sleep", 3) => sleep(ctx),
        (b"stringmatch-len", 4) => {
            let matches = glob::matches(ctx.arg(2), ctx.arg(3), false);
            ctx.out.int(matches.into());
        }
        (b"stringmatch-test", 2) => stringmatch_test(ctx),
        (b"structsize", 2) => debug_object::structsize(ctx),
        (b"set-skip-checksum-validation", 3) => set_skip_checksum_validation(ctx),
        (b"set-disable-deny-scripts", 3) => {
            ctx.server.scripts.allows_more = is_on(ctx.arg(2));
            ctx.out.ok();
        }
        // They switch features that do not exist here: tables that resize as a whole, a cluster.
        (b"dict-resizing" | b"drop-cluster-packet-filter", 3) => {
            ctx.out.ok();
        }
        (b"aof-flush-sleep", 3) => aof_flush_sleep(ctx),
        (b"jmap", _) => not_supported(ctx),
        _ => unknown_subcommand(ctx),
    }
}

fn not_supported(ctx: &mut Ctx) {
    let name = String::from_utf8_lossy(ctx.arg(1)).to_uppercase();
    ctx.error(format!("ERR DEBUG {name} is not supported by this server"));
}

/// A switch as C's `atoi` reads it: what is not a number counts as 0.
fn is_on(word: &[u8]) -> bool {
    let word = word.trim_ascii_start();
    let digits = word.strip_prefix(b"-").or(word.strip_prefix(b"+")).unwrap_or(word);
    digits.iter().take_while(|b| b.is_ascii_digit()).any(|b| *b != b'0')
}

fn change_repl_id(ctx: &mut Ctx) {
    log::info!("Changing replication IDs after receiving DEBUG change-repl-id");
    ctx.server.replication.id = ctx.server.rng.hex();
    ctx.out.ok();
}

fn aof_flush_sleep(ctx: &mut Ctx) {
    let Some(us) = ctx.int_arg(2) else { return };
    ctx.server.aof.flush_sleep_us = us.max(0) as u64;
    ctx.out.ok();
}

fn config_rewrite_force_all(ctx: &mut Ctx) {
    let path = ctx.server.host.process().config_file.clone();
    match crate::commands::config::rewrite_file(ctx.server, &path, true) {
        Ok(()) => ctx.out.ok(),
        Err(_) => ctx.error("ERR CONFIG-REWRITE-FORCE-ALL failed"),
    }
}

/// Reads one of the allocator's controls (mallctl). None is changed: they are process-wide.
fn mallctl(ctx: &mut Ctx) {
    if ctx.argc() == 4 {
        return not_supported(ctx);
    }
    match str::from_utf8(ctx.arg(2)).ok().and_then(|name| ctx.server.host.allocator_control(name)) {
        Some(value) => ctx.out.int(value),
        None => ctx.error("ERR No such file or directory"),
    }
}

/// Triggers an action of the allocator, if it is harmless. String controls can be neither read nor set.
fn mallctl_str(ctx: &mut Ctx) {
    if ctx.arg(3) != b"VOID" {
        return not_supported(ctx);
    }
    match str::from_utf8(ctx.arg(2)).is_ok_and(|name| ctx.server.host.allocator_act(name)) {
        true => ctx.out.ok(),
        false => ctx.error("ERR No such file or directory"),
    }
}

fn client_eviction(ctx: &mut Ctx) {
    if ctx.server.config.maxmemory_clients.bytes(ctx.server.config.maxmemory) == 0 {
        return ctx.error("ERR maxmemory-clients is disabled.");
    }
    let mut text = String::new();
    for class in 0..client_memory::CLASSES {
        let (from, to) = client_memory::sizes_of(class);
        let noted = |conn| ctx.server.clients.get(conn).map_or(0, |client| client.noted_memory.bytes);
        let sizes = ctx.server.client_memory.of_class(class).map(noted);
        let (clients, bytes) = sizes.fold((0, 0), |(clients, sum): (usize, usize), bytes| (clients + 1, sum + bytes));
        let to = to.map_or_else(|| format!("+{:12}", ""), |to| format!(" - {:10}", to - 1));
        text.push_str(&format!("bucket {from:10}{to}: tot-mem: {bytes:10}, clients: {clients}\n"));
    }
    ctx.out.verbatim("txt", text.as_bytes());
}

/// Ends as whoever asks the allocator for more than there is.
fn oom() -> ! {
    const TOO_MUCH: usize = isize::MAX as usize / 2;
    log::error!("Out Of Memory allocating {TOO_MUCH} bytes!");
    std::alloc::handle_alloc_error(Layout::from_size_align(TOO_MUCH, 1).unwrap_or(Layout::new::<u64>()))
}

/// The process begins anew with the command line that it was started with: after a shutdown, or where it stands.
fn restart(ctx: &mut Ctx, gracefully: bool) {
    const FAILED: &str = "ERR failed to restart the server. Check server logs.";
    let mut delay_ms = 0;
    if ctx.argc() > 2 {
        let Some(asked) = ctx.int_arg(2) else { return };
        delay_ms = asked.max(0).unsigned_abs();
    }
    if gracefully {
        let path = ctx.server.host.process().config_file.clone();
        if !path.is_empty()
            && let Err(error) = crate::commands::config::rewrite_file(ctx.server, &path, false)
        {
            log::warn!("Can't restart: configuration rewrite process failed: {error}");
            return ctx.error(FAILED);
        }
        if ctx.server.shut_down(Shutdown { now: true, ..Shutdown::default() }) != Shutting::Down {
            log::warn!("Can't restart: error preparing for shutdown");
            return ctx.error(FAILED);
        }
    }
    let error = ctx.server.host.restart(Duration::from_millis(delay_ms));
    // After a shutdown there is no way back, and the exit is on its way.
    log::warn!("Can't restart: {error}");
    ctx.error(FAILED);
}

fn leak(ctx: &mut Ctx) {
    std::mem::forget(ctx.arg(2).to_vec());
    ctx.out.ok();
}

fn log(ctx: &mut Ctx) {
    log::warn!("DEBUG LOG: {}", String::from_utf8_lossy(ctx.arg(2)));
    ctx.out.ok();
}

/// Adds `prefix:0` to `prefix:(count - 1)` if they do not exist. Replicas and subscribers are not notified.
fn populate(ctx: &mut Ctx) {
    let Some(count) = ctx.count_arg(2, 0, errors::NOT_POSITIVE) else { return };
    let mut size = 0;
    if ctx.argc() == 5 {
        let Some(asked) = ctx.count_arg(4, 0, errors::NOT_POSITIVE) else { return };
        size = asked;
    }
    if size > ctx.server.config.proto_max_bulk_len {
        return ctx.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    }
    let prefix = if ctx.argc() > 3 { ctx.arg(3) } else { b"key" };
    let (db, keyspace) = (ctx.db, ctx.keyspace());
    let dirty = keyspace.dirty;
    for i in 0..count {
        let key = [prefix, b":", i.to_string().as_bytes()].concat();
        let hash = keyspace.hash(&key);
        if keyspace.peek(db, hash, &key).is_some() {
            continue;
        }
        let mut value = format!("value:{i}").into_bytes();
        if size != 0 {
            value.resize(size, 0);
        }
        let entry = if value.len() > INLINE_MAX {
            Entry::new_object(&key, Box::new(Object::from_bytes(value.into())), NEVER)
        } else {
            Entry::new_inline(&key, &value, NEVER)
        };
        keyspace.insert(db, hash, entry);
        keyspace.key_changed(db, &key, Cause::Command);
    }
    keyspace.dirty = dirty;
    ctx.out.ok();
}

/// The list's limits alone decide which elements get a node of their own, so there is nothing to set; an invalid size is still refused.
fn quicklist_packed_threshold(ctx: &mut Ctx) {
    const SIZE_MAX: u64 = (1 << 32) - (1 << 20);
    match parse_memory(ctx.arg(2)) {
        Some(size) if size <= SIZE_MAX => ctx.out.ok(),
        _ => ctx.error("ERR argument must be a memory value bigger than 1 and smaller than 4gb"),
    }
}

fn replicate(ctx: &mut Ctx) {
    let words: Vec<&[u8]> = ctx.args.skip(2).iter().collect();
    ctx.effect = Effect::Several(vec![OwnedArgs::new(&words)]);
    ctx.out.ok();
}

/// Output buffers come from a pool and are never resized, so the switches have no effect.
fn replybuffer(ctx: &mut Ctx) {
    if ctx.is_word(2, "resizing") {
        return ctx.out.ok();
    }
    if !ctx.is_word(2, "peak-reset-time") {
        return unknown_subcommand(ctx);
    }
    if ctx.is_word(3, "never") || ctx.is_word(3, "reset") || ctx.int_arg(3).is_some() {
        ctx.out.ok();
    }
}

fn set_skip_checksum_validation(ctx: &mut Ctx) {
    ctx.server.skip_checksums = is_on(ctx.arg(2));
    ctx.out.ok();
}

fn set_active_expire(ctx: &mut Ctx) {
    ctx.server.active_expire = is_on(ctx.arg(2));
    ctx.out.ok();
}

/// Seconds, with a fraction; negative numbers and what is not a number count as 0.
fn sleep(ctx: &mut Ctx) {
    let seconds: f64 = str::from_utf8(ctx.arg(2)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0.0);
    if let Ok(duration) = Duration::try_from_secs_f64(seconds) {
        ctx.server.host.sleep(duration);
        // What comes next in this turn comes that much later.
        ctx.server.unix_us = ctx.server.host.unix_us();
        ctx.server.keyspace.now_ms = ctx.server.unix_us / 1000;
    }
    ctx.out.ok();
}

/// Matches random patterns against random texts: it must come to an end.
fn stringmatch_test(ctx: &mut Ctx) {
    const ROUNDS: usize = 100_000;
    const ALPHABET: &[u8] = b"ab*?[]\\^-\0\xff";
    let mut random = |len_max: u64| -> Vec<u8> {
        let len = ctx.server.rng.below(len_max + 1);
        (0..len).map(|_| ALPHABET[ctx.server.rng.below(ALPHABET.len() as u64) as usize]).collect()
    };
    for _ in 0..ROUNDS {
        let (pattern, text) = (random(32), random(32));
        std::hint::black_box(glob::matches(&pattern, &text, false));
    }
    ctx.out.simple("Apparently Redis did not crash: test passed");
}

const HELP: &[&str] = &[
    "AOF-FLUSH-SLEEP <microseconds>",
    "    Have the disk sleep before each write to the append-only file.",
    "CHANGE-REPL-ID",
    "    Give the history of writes a new name, so that replicas cannot go on with it.",
    "CLIENT-EVICTION",
    "    Show the clients that maxmemory-clients would evict, by size.",
    "CLUSTERLINK KILL <to|from|all> <node-id>",
    "    Cut the links with a node.",
    "ASSERT",
    "    End the process as if something did not hold that must.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    Rewrite the configuration file with all settings in it, those as by default too.",
    "CRASH-AND-RECOVER [<milliseconds>]",
    "    Begin the process anew as it stands, after so long: what is only in memory is lost.",
    "DIGEST",
    "    Show 40 hexadecimal digits that stand for all the data.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Show 40 hexadecimal digits that stand for each of these values.",
    "ERROR <string>",
    "    Answer with this error.",
    "HTSTATS <dbid> [full]",
    "    Tell of the table of a database.",
    "HTSTATS-KEY <key> [full]",
    "    Tell of the table that a value is kept in.",
    "LEAK <string>",
    "    Take memory for this string and never return it.",
    "LISTPACK <key>",
    "    Tell of the listpack that a value is kept in.",
    "LOADAOF",
    "    Load the data from the append-only files, after what has been logged is in them.",
    "LOG <message>",
    "    Write this to the log.",
    "MALLCTL <name>",
    "    Show a number that the allocator is set to.",
    "MALLCTL-STR <name> VOID",
    "    Have the allocator do something that takes no value: thread.tcache.flush.",
    "OBJECT <key>",
    "    Tell how a value is kept.",
    "PANIC",
    "    End the process as if something impossible had happened.",
    "PAUSE-CRON <0|1>",
    "    Hold up what the server does by itself now and then (1), or go on with it (0).",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Add <count> strings at <prefix>:<number> (key:<number> when not said), of <size> bytes",
    "    or as long as their text, value:<number>. Replicas are not told.",
    "PROTOCOL <type>",
    "    Answer with an example of a type of the protocol: string, integer, double,",
    "    bignum, null, array, set, map, attrib, push, verbatim, true, false.",
    "QUICKLIST <key> [<0|1>]",
    "    Tell of the quicklist that a value is kept in.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Say from which size on an element gets a node of its own. Without effect here.",
    "REPLICATE <string> [<string> ...]",
    "    Send this command to replicas without running it.",
    "REPLYBUFFER <PEAK-RESET-TIME <NEVER|RESET|ms> | RESIZING <0|1>>",
    "    Say how reply buffers are resized. Without effect here.",
    "RESTART [<milliseconds>]",
    "    Shut down, save the settings, and begin the process anew after so long.",
    "SDSLEN <key>",
    "    Tell how long a key and its string are, and what memory they take.",
    "SEGFAULT",
    "    End the process as by an access to memory that is not ours.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Reclaim keys past their deadline only when they are looked for (0), or at once (1).",
    "SLEEP <seconds>",
    "    Do nothing at all for so long. The number may have a fraction.",
    "STRINGMATCH-LEN <pattern> <string>",
    "    Tell whether the pattern matches.",
    "STRINGMATCH-TEST",
    "    Match random patterns for a while.",
    "STRUCTSIZE",
    "    Show how many bytes some structures of ours take.",
];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("debug", debug, -2, ADMIN | NOSCRIPT | LOADING | STALE)
    .since(Group::Server, "1.0.0")
    .doc("Holds levers and probes for tests.", "Depends on subcommand.")
    .internal()];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_read_as_c_reads_it() {
        for on in ["1", "10", "-1", " 1x", "+7"] {
            assert!(is_on(on.as_bytes()), "{on}");
        }
        for off in ["0", "00", "", "x1", "-0", "off"] {
            assert!(!is_on(off.as_bytes()), "{off}");
        }
    }
}
