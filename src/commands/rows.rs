//! What the parts of a row say of the same thing must be the same.

use super::{
    TABLE,
    command::{Command, flags, key_flags as k},
    introspection::syntax::{self, Argument, ArgumentKind},
    key_extraction,
};
use crate::resp::request::OwnedArgs;

/// Rows that take more than they say, as in Redis: what only servers send, and what nobody is to rely on. And GEOSEARCH, which a polygon tells where
/// to search, and any other area does not.
const ARGUMENTS_DIFFER: &[&str] = &["quit", "debug", "kill", "psync", "replconf", "geosearch", "geosearchstore"];
/// Rows whose keys are channels.
const KEYS_DIFFER: &[&str] = &["ssubscribe", "sunsubscribe", "spublish"];
/// Rows that change no more of a key than what it remembers of itself, or leave that to the commands that they call.
const READS_ALL_THE_SAME: &[&str] = &["pfcount", "eval", "evalsha", "fcall"];

/// Arguments that there are at least, and whether there may be more.
fn least(arguments: &[Argument]) -> (usize, bool) {
    arguments.iter().map(one).fold((0, false), |sum, one| (sum.0 + one.0, sum.1 || one.1))
}

fn one(argument: &Argument) -> (usize, bool) {
    let (inner, open) = match argument.kind {
        ArgumentKind::PureToken => (0, false),
        ArgumentKind::Block => least(&argument.arguments),
        ArgumentKind::OneOf => {
            let all: Vec<_> = argument.arguments.iter().map(one).collect();
            let min = all.iter().map(|one| one.0).min().unwrap_or(0);
            (min, all.iter().any(|one| one.1 || one.0 != min))
        }
        _ => (1, false),
    };
    let whole = inner + usize::from(argument.token.is_some());
    if argument.optional { (0, true) } else { (whole, open || argument.multiple) }
}

fn has_key(arguments: &[Argument]) -> bool {
    arguments.iter().any(|argument| argument.kind == ArgumentKind::Key || has_key(&argument.arguments))
}

/// What contradicts itself in a row; `words` are those of its name.
fn contradictions(row: &Command, words: usize) -> Vec<String> {
    let mut found = Vec::new();
    let arguments = syntax::parse(row.args, row.keys.len()).expect("another test reads all notations");
    let (min, open) = least(&arguments);
    let arity = (words + min) as i32 * if open { -1 } else { 1 };
    if row.arity != arity && row.subcommands.is_empty() && !ARGUMENTS_DIFFER.contains(&row.name) {
        found.push(format!("its arity is {}, and its arguments ({}) make {arity}", row.arity, row.args));
    }
    if has_key(&arguments) != (!row.keys.is_empty() || row.key_finder.is_some()) && !KEYS_DIFFER.contains(&row.name) {
        found.push("it has key arguments and no key specification, or the other way round".to_owned());
    }
    let varies = row.keys.iter().any(|spec| spec.flags & k::VARIABLE != 0);
    if varies != row.key_access.is_some() || varies && row.only_key == 0 {
        found.push("what is done with its key depends on its arguments, and nothing says how".to_owned());
    }
    let changes_keys = row.keys.iter().any(|spec| spec.flags & (k::RW | k::OW | k::RM) != 0);
    if changes_keys && row.flags & flags::WRITE == 0 && !READS_ALL_THE_SAME.contains(&row.name) {
        found.push("it changes keys, and is not a write".to_owned());
    }
    if row.flags & flags::WRITE != 0 && row.flags & flags::READONLY != 0 {
        found.push("it is a write, and only reads".to_owned());
    }
    // More than any command needs to have a key, and where there is a count of keys, it is one.
    let args = OwnedArgs::new(&[&b"1"[..]; 8]);
    let first = key_extraction::by_specs(row.keys, &args.args()).and_then(|keys| keys.first().map(|key| key.0));
    if row.first_key().is_some_and(|at| first.is_some_and(|first| at != first)) {
        found.push(format!("look-ahead takes argument {:?} for its first key, which is {first:?}", row.first_key()));
    }
    found
}

#[test]
fn no_row_contradicts_itself() {
    let mut all = Vec::new();
    for row in TABLE.iter().copied().flatten() {
        all.extend(contradictions(row, 1).into_iter().map(|what| format!("{}: {what}", row.name)));
        for sub in row.subcommands {
            all.extend(contradictions(sub, 2).into_iter().map(|what| format!("{} {}: {what}", row.name, sub.name)));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}
