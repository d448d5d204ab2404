//! Walks through a database: KEYS, SCAN, and a key by chance.

use crate::{
    commands::{
        Ctx,
        command::{Command, Group, categories, command, flags::*},
        context::errors,
    },
    data::{dict::Cursor, glob},
    resp::output::Output,
};

/// What SCAN's COUNT is when it is not given.
const COUNT: i64 = 10;
/// Buckets that a SCAN looks at for each key it was asked for, so that a walk through an emptied table comes back in time.
const BUCKETS_PER_KEY: usize = 10;

fn keys(ctx: &mut Ctx) {
    let pattern = ctx.arg(1);
    let all = glob::is_literal_all(pattern);
    let keyspace = &ctx.server.keyspace;
    let (mut found, mut count) = (Output::default(), 0);
    for entry in keyspace.db(ctx.db).dict().iter() {
        let key = entry.key();
        if (all || glob::matches(pattern, key, false)) && keyspace.is_live(entry) {
            found.bulk(key);
            count += 1;
        }
    }
    ctx.out.array(count);
    ctx.out.append(found);
}

/// A cursor as C's `strtoul` reads one: an empty one is 0, a negative one wraps.
fn parse_cursor(text: &[u8]) -> Option<u64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() && !text.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for digit in digits {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(if negative { value.wrapping_neg() } else { value })
}

fn scan(ctx: &mut Ctx) {
    let Some(cursor) = parse_cursor(ctx.arg(1)) else { return ctx.error("ERR invalid cursor") };
    let (mut count, mut pattern, mut type_name) = (COUNT, None, None);
    let mut i = 2;
    while i < ctx.argc() {
        let has_value = i + 1 < ctx.argc();
        if ctx.is_word(i, "count") && has_value {
            let Some(n) = ctx.int_arg(i + 1) else { return };
            if n < 1 {
                return ctx.error(errors::SYNTAX);
            }
            count = n;
        } else if ctx.is_word(i, "match") && has_value {
            pattern = Some(ctx.arg(i + 1)).filter(|p| !glob::is_literal_all(p));
        } else if ctx.is_word(i, "type") && has_value {
            type_name = Some(ctx.arg(i + 1));
        } else {
            return ctx.error(errors::SYNTAX);
        }
        i += 2;
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let (mut found, mut found_len) = (Output::default(), 0);
    let mut due: Vec<Box<[u8]>> = Vec::new();
    let keyspace = &ctx.server.keyspace;
    let next = keyspace.db(ctx.db).dict().scan(Cursor(cursor), count, count.saturating_mul(BUCKETS_PER_KEY), |entry| {
        let key = entry.key();
        if pattern.is_some_and(|p| !glob::matches(p, key, false)) {
            return;
        }
        if !keyspace.is_live(entry) {
            due.push(key.into());
        } else if type_name.is_none_or(|t| entry.type_name().as_bytes().eq_ignore_ascii_case(t)) {
            found.bulk(key);
            found_len += 1;
        }
    });
    for key in due {
        // The look-up deletes it, where that is ours to do.
        let keyspace = ctx.keyspace();
        let hash = keyspace.hash(&key);
        ctx.server.keyspace.locate(ctx.db, hash, &key);
    }
    ctx.out.array(2);
    ctx.out.bulk(itoa::Buffer::new().format(next.0).as_bytes());
    ctx.out.array(found_len);
    ctx.out.append(found);
}

fn randomkey(ctx: &mut Ctx) {
    match ctx.server.keyspace.random_key(ctx.db, &mut ctx.server.rng) {
        Some(key) => ctx.out.bulk(&key),
        None => ctx.out.null(),
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("keys", keys, 2, READONLY)
        .since(Group::Generic, "1.0.0")
        .doc("Returns all keys that match a pattern.", "O(N) for the N keys of the database.")
        .args("pattern:pattern")
        .categories(categories::DANGEROUS)
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"]),
    command("scan", scan, -2, READONLY | TOUCHES_ARBITRARY_KEYS)
        .since(Group::Generic, "2.8.0")
        .doc("Walks through the keys of the database, some at a time.", "O(1) for each call, O(N) for the whole walk through N keys.")
        .args("cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type:string]")
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
        .history(&[("6.0.0", "`TYPE`.")]),
    command("randomkey", randomkey, 1, READONLY | TOUCHES_ARBITRARY_KEYS)
        .since(Group::Generic, "1.0.0")
        .doc("Returns a key by chance.", "O(1)")
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_strtoul_reads_it() {
        for (text, value) in [("0", 0), ("", 0), ("007", 7), ("+5", 5), ("-1", u64::MAX), ("18446744073709551615", u64::MAX)] {
            assert_eq!(parse_cursor(text.as_bytes()), Some(value), "{text:?}");
        }
        for text in [" 0", "0 ", "x", "1x", "-", "+", "--1", "18446744073709551616", "0x10"] {
            assert_eq!(parse_cursor(text.as_bytes()), None, "{text:?}");
        }
    }
}
