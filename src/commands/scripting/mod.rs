//! EVAL and its kin. How a script is run is the engine's part ([`Outcome::Script`]); SCRIPT is [`admin`].

pub mod admin;

use super::{
    Ctx, Outcome,
    command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
    context::errors,
};
use crate::{
    data::number,
    resp::output::Output,
    scripting::{FunctionRef, Origin, ScriptFlags},
    state::{ConnId, Server},
};

/// The error for a script that is debugged and has no text.
pub const BY_HASH_DEBUGGED: &str = "ERR Please use EVAL instead of EVALSHA for debugging";

/// The last line of a session of the debugger.
pub const SESSION_END: &str = "<endsession>";

const NOSCRIPT_TEXT: &str = "NOSCRIPT No matching script. Please use EVAL.";

/// A script that is to be run, with what it is given.
pub struct ScriptCall {
    /// What is run.
    pub function: FunctionRef,
    /// It is a function of a library.
    pub is_function: bool,
    /// It may only read, whatever it says of itself.
    pub read_only: bool,
    /// What it says of itself.
    pub flags: ScriptFlags,
    /// Number of keys: they begin at argument [`FIRST_KEY`], and the other arguments follow them.
    pub keys: usize,
}

/// Argument index of a script's first key.
pub const FIRST_KEY: usize = 3;

/// Who is to be told of a number of keys that is none.
const BAD_NUMKEYS: &str = "ERR Bad number of keys provided";

/// The number of keys at argument 2, or the error, this one where it is no number, when it does not fit.
fn count_keys(ctx: &Ctx<'_>, not_a_number: &'static str) -> Result<usize, &'static str> {
    let most = ctx.argc() - FIRST_KEY;
    match number::parse_i64(ctx.arg(2)).map(usize::try_from) {
        None => Err(not_a_number),
        Some(Err(_)) => Err("ERR Number of keys can't be negative"),
        Some(Ok(keys)) if keys > most => Err("ERR Number of keys can't be greater than number of args"),
        Some(Ok(keys)) => Ok(keys),
    }
}

fn run(ctx: &mut Ctx<'_>, function: FunctionRef, keys: usize, read_only: bool) {
    let flags = ctx.server.scripting.flags(function);
    ctx.outcome = Outcome::Script(ScriptCall { function, is_function: false, read_only, flags, keys });
}

/// Answers with an error in the place of a script's result. A session of the debugger ends before it has begun.
#[cold]
fn fail(ctx: &mut Ctx<'_>, text: impl AsRef<[u8]>) {
    if ctx.client().debug.is_some() {
        end_undebugged(ctx.server, ctx.conn, ctx.out);
    }
    ctx.error(text);
}

/// Ends what would have become a session of the debugger, because its script cannot run: the reply goes to `out` behind this.
pub fn end_undebugged(server: &mut Server, conn: ConnId, out: &mut Output) {
    out.array(1);
    out.simple(SESSION_END);
    server.close(conn, true);
}

fn by_text(ctx: &mut Ctx<'_>, read_only: bool) {
    let keys = match count_keys(ctx, errors::NOT_INTEGER) {
        Ok(keys) => keys,
        Err(text) => return fail(ctx, text),
    };
    match ctx.server.scripting.load(ctx.arg(1), Origin::Eval) {
        Ok(function) => run(ctx, function, keys, read_only),
        Err(text) => fail(ctx, text),
    }
}

fn by_hash(ctx: &mut Ctx<'_>, read_only: bool) {
    // What cannot be a hash is not there, whatever else is wrong.
    if ctx.arg(1).len() != 40 {
        return ctx.error(NOSCRIPT_TEXT);
    }
    let keys = count_keys(ctx, errors::NOT_INTEGER);
    match (keys, ctx.server.scripting.find(ctx.arg(1))) {
        (Ok(keys), Some(function)) => run(ctx, function, keys, read_only),
        _ if ctx.client().debug.is_some() => ctx.error(BY_HASH_DEBUGGED),
        (Ok(_), None) => ctx.error(NOSCRIPT_TEXT),
        (Err(text), _) => ctx.error(text),
    }
}

fn eval(ctx: &mut Ctx) {
    by_text(ctx, false);
}

fn eval_ro(ctx: &mut Ctx) {
    by_text(ctx, true);
}

fn evalsha(ctx: &mut Ctx) {
    by_hash(ctx, false);
}

fn evalsha_ro(ctx: &mut Ctx) {
    by_hash(ctx, true);
}

fn fcall_any(ctx: &mut Ctx<'_>, read_only: bool) {
    let Some((function, flags)) = ctx.server.functions.find(ctx.arg(1)).map(|function| (function.function, function.flags)) else {
        return ctx.error("ERR Function not found");
    };
    let keys = match count_keys(ctx, BAD_NUMKEYS) {
        Ok(keys) => keys,
        Err(text) => return ctx.error(text),
    };
    ctx.outcome = Outcome::Script(ScriptCall { function, is_function: true, read_only, flags, keys });
}

fn fcall(ctx: &mut Ctx) {
    fcall_any(ctx, false);
}

fn fcall_ro(ctx: &mut Ctx) {
    fcall_any(ctx, true);
}

/// A script may suspend its client, so all that runs one is said to park.
const RUNS: u64 = NOSCRIPT | SKIP_MONITOR | NO_MANDATORY_KEYS | STALE | PARKS;
const MAY_WRITE: u64 = RUNS | MAY_REPLICATE;
const READS: u64 = RUNS | READONLY;

const KEYS_WRITTEN: &[KeySpec] = &[KeySpec::counted(2, k::RW | k::ACCESS | k::UPDATE)
    .noted("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")];
const KEYS_READ: &[KeySpec] =
    &[KeySpec::counted(2, k::RO | k::ACCESS).noted("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")];
// Redis says so of the others only.
const KEYS_WRITTEN_UNSAID: &[KeySpec] = &[KeySpec::counted(2, k::RW | k::ACCESS | k::UPDATE)];
const KEYS_READ_UNSAID: &[KeySpec] = &[KeySpec::counted(2, k::RO | k::ACCESS)];

const COST: &str = "Depends on the script that is executed.";
const FUNCTION_COST: &str = "Depends on the function that is executed.";

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    command("eval", eval, -3, MAY_WRITE)
        .since(Group::Scripting, "2.6.0")
        .doc("Runs a Lua script.", COST)
        .args("script numkeys:integer [key]... [arg]...")
        .keys(KEYS_WRITTEN),
    command("evalsha", evalsha, -3, MAY_WRITE)
        .since(Group::Scripting, "2.6.0")
        .doc("Runs a Lua script that the server knows, by the SHA1 of its text.", COST)
        .args("sha1 numkeys:integer [key]... [arg]...")
        .keys(KEYS_WRITTEN_UNSAID),
    command("eval_ro", eval_ro, -3, READS)
        .since(Group::Scripting, "7.0.0")
        .doc("Runs a Lua script that may only read.", COST)
        .args("script numkeys:integer [key]... [arg]...")
        .keys(KEYS_READ),
    command("evalsha_ro", evalsha_ro, -3, READS)
        .since(Group::Scripting, "7.0.0")
        .doc("Runs a Lua script that the server knows and that may only read, by the SHA1 of its text.", COST)
        .args("sha1 numkeys:integer [key]... [arg]...")
        .keys(KEYS_READ_UNSAID),
    command("fcall", fcall, -3, MAY_WRITE)
        .since(Group::Scripting, "7.0.0")
        .doc("Calls a function of a library.", FUNCTION_COST)
        .args("function numkeys:integer [key]... [arg]...")
        .keys(KEYS_WRITTEN),
    command("fcall_ro", fcall_ro, -3, READS)
        .since(Group::Scripting, "7.0.0")
        .doc("Calls a function of a library that may only read.", FUNCTION_COST)
        .args("function numkeys:integer [key]... [arg]...")
        .keys(KEYS_READ),
];
