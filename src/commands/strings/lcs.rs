//! LCS: the longest common subsequence of two strings.

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{errors, text},
    },
    data::{entry::Entry, lcs, string},
    resp::output::Output,
};

#[derive(Default)]
struct LcsOptions {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: i64,
}

fn parse(ctx: &mut Ctx<'_>) -> Option<LcsOptions> {
    let mut options = LcsOptions::default();
    let mut i = 3;
    while i < ctx.argc() {
        if ctx.is_word(i, "idx") {
            options.idx = true;
        } else if ctx.is_word(i, "len") {
            options.len = true;
        } else if ctx.is_word(i, "withmatchlen") {
            options.with_match_len = true;
        } else if ctx.is_word(i, "minmatchlen") && i + 1 < ctx.argc() {
            i += 1;
            options.min_match_len = ctx.int_arg(i)?;
        } else {
            ctx.error(errors::SYNTAX);
            return None;
        }
        i += 1;
    }
    if options.len && options.idx {
        ctx.error("ERR If you want both the length and indexes, please just use IDX.");
        return None;
    }
    Some(options)
}

fn with_text<R>(entry: Option<&Entry>, f: impl FnOnce(&[u8]) -> R) -> R {
    match entry.and_then(|e| text(e.value())) {
        Some(text) => text.with(f),
        None => f(b""),
    }
}

fn reply(out: &mut Output, options: &LcsOptions, limit: u64, a: &[u8], b: &[u8]) -> Result<(), lcs::Error> {
    if options.len {
        out.len_int(lcs::length(a, b, limit)?);
        return Ok(());
    }
    let found = lcs::find(a, b, limit)?;
    if !options.idx {
        out.bulk(&found.sequence);
        return Ok(());
    }
    let long_enough = |m: &&lcs::Match| m.a.len() as i64 >= options.min_match_len;
    out.map(2);
    out.bulk(b"matches");
    out.array(found.matches.iter().filter(long_enough).count());
    for m in found.matches.iter().filter(long_enough) {
        out.array(2 + usize::from(options.with_match_len));
        for range in [&m.a, &m.b] {
            out.array(2);
            out.len_int(range.start);
            out.len_int(range.end - 1);
        }
        if options.with_match_len {
            out.len_int(m.a.len());
        }
    }
    out.bulk(b"len");
    out.len_int(found.sequence.len());
    Ok(())
}

fn lcs(ctx: &mut Ctx) {
    let keys = [1, 2].map(|i| (ctx.hash(i), ctx.arg(i)));
    let mut there = [false; 2];
    for (i, there) in there.iter_mut().enumerate() {
        match ctx.read(i + 1).map(|entry| string::len(entry.value())) {
            None => (),
            Some(Some(_)) => *there = true,
            Some(None) => return ctx.error("ERR The specified keys must contain string values"),
        }
    }
    let Some(options) = parse(ctx) else { return };
    let limit = ctx.server.config.proto_max_bulk_len as u64;
    // The look-ups above were one after the other; now both values are needed at once.
    let dict = ctx.server.keyspace.db(ctx.db).dict();
    let entry = |i: usize| if there[i] { dict.find(keys[i].0, keys[i].1) } else { None };
    let done = with_text(entry(0), |a| with_text(entry(1), |b| reply(ctx.out, &options, limit, a, b)));
    if let Err(error) = done {
        ctx.error(format!("ERR {error}"));
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[command("lcs", lcs, -3, READONLY)
    .since(Group::String, "7.0.0")
    .doc("Finds the longest sequence of bytes that two strings have in common.", "O(N*M/64) for strings of N and M bytes.")
    .args("key1:key key2:key [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]")
    .keys(&[KeySpec::range(1, 1, 1, k::RO | k::ACCESS)])];
