//! When two replies count as the same.

use crate::{common::Value, generate::Call};
use solod::data::float;

/// How much of a command's result is up to chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chance {
    /// Nothing.
    None,
    /// Which elements it answers with, but not how many.
    Chooses,
    /// Which elements it takes out.
    Takes,
    /// A time that passes.
    Time,
}

impl Chance {
    pub fn of(name: &str, args: &[Vec<u8>]) -> Self {
        match name {
            "spop" if args.len() < 4 => Self::Takes,
            "srandmember" | "hrandfield" | "zrandmember" => Self::Chooses,
            // A set that is not sorted has an order of its own in each server.
            "sort" | "sort_ro" if is_unsorted(args) && args.iter().any(|arg| arg == b"LIMIT") => Self::Chooses,
            "ttl" | "pttl" | "expiretime" | "pexpiretime" => Self::Time,
            _ => Self::None,
        }
    }
}

/// Whether it is a SORT by what is the same for all elements.
fn is_unsorted(args: &[Vec<u8>]) -> bool {
    let by = |pair: &[Vec<u8>]| pair[0].eq_ignore_ascii_case(b"BY") && !pair[1].contains(&b'*');
    args[0].starts_with(b"sort") && args.windows(2).any(by)
}

/// Whether it is a SORT that Redis makes with strcoll: what follows a NUL byte is not looked at, and leaves the order open.
pub fn is_collated(args: &[Vec<u8>]) -> bool {
    let has = |word: &[u8]| args.iter().any(|arg| arg.eq_ignore_ascii_case(word));
    args[0].starts_with(b"sort") && has(b"ALPHA") && !has(b"STORE")
}

/// Whether a reply may have scores in it.
fn has_scores(name: &str) -> bool {
    name.starts_with('z') || name.starts_with("bz")
}

/// Whether a reply's elements come in pairs that stay together.
fn in_pairs(name: &str) -> bool {
    matches!(name, "hgetall" | "hscan" | "zscan")
}

/// The reply with its elements in an order of their own.
fn sorted(value: &Value, pairs: bool) -> String {
    let lists = |items: &[Value]| {
        let mut texts: Vec<String> =
            items.chunks(if pairs { 2 } else { 1 }).map(|c| c.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")).collect();
        texts.sort();
        texts.join(", ")
    };
    match value {
        Value::Array(items) => format!("[{}]", lists(items)),
        Value::Set(items) => format!("~[{}]", lists(items)),
        Value::Map(entries) => {
            let mut texts: Vec<String> = entries.iter().map(|(k, v)| format!("{k} {v}")).collect();
            texts.sort();
            format!("{{{}}}", texts.join(", "))
        }
        other => other.to_string(),
    }
}

/// What is left of a reply when the elements are up to chance.
fn shape(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(", ")),
        Value::Bulk(_) => "string".to_owned(),
        Value::Double(_) => "double".to_owned(),
        other => other.to_string(),
    }
}

/// The reply with its numbers in as few digits as tell which they are.
fn with_fewest_digits(value: &Value) -> Value {
    match value {
        Value::Bulk(text) => Value::Bulk(fewest_digits(text).unwrap_or_else(|| text.clone())),
        Value::Array(items) => Value::Array(items.iter().map(with_fewest_digits).collect()),
        other => other.clone(),
    }
}

fn fewest_digits(text: &[u8]) -> Option<Vec<u8>> {
    let mut shortest = Vec::new();
    float::write(&mut shortest, float::parse(text)?);
    Some(shortest)
}

/// Whether two replies are the same but for how 7.0 writes a double: with 17 digits, where 7.2 and solod write as few as tell which it is.
pub fn same_but_for_digits(ours: &Value, theirs: &Value) -> bool {
    let same = |ours: &[u8], theirs: &[u8]| ours == theirs || fewest_digits(theirs).is_some_and(|shortest| ours == shortest);
    match (ours, theirs) {
        (Value::Bulk(ours), Value::Bulk(theirs)) => same(ours, theirs),
        (Value::Double(ours), Value::Double(theirs)) => same(ours.as_bytes(), theirs.as_bytes()),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same_but_for_digits(ours, theirs))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// Whether two replies are the same but for how a distance is rounded to four places: 7.0 has all of its digits rounded, 7.2 and solod ten thousand
/// times the double.
fn same_but_for_rounding(ours: &Value, theirs: &Value) -> bool {
    let places = |text: &[u8]| text.iter().rev().position(|byte| *byte == b'.');
    match (ours, theirs) {
        (Value::Bulk(ours), Value::Bulk(theirs)) if places(ours) == Some(4) && places(theirs) == Some(4) => {
            float::parse(ours).zip(float::parse(theirs)).is_some_and(|(ours, theirs)| (ours - theirs).abs() < 0.00015)
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same_but_for_rounding(ours, theirs))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// What is told of a stream, without what depends on the clock, what 7.0 does not have, and how many nodes its tree has.
pub fn timeless(value: &Value) -> Value {
    const PASSING: &[&[u8]] = &[b"seen-time", b"active-time", b"idle", b"inactive", b"radix-tree-nodes"];
    let passes = |value: &Value| matches!(value, Value::Bulk(name) if PASSING.contains(&&name[..]));
    match value {
        // A pending entry, with and without its consumer.
        Value::Array(items) => match &items[..] {
            [id @ Value::Bulk(_), consumer @ Value::Bulk(_), Value::Int(_), deliveries @ Value::Int(_)] => {
                Value::Array(vec![id.clone(), consumer.clone(), deliveries.clone()])
            }
            [id @ Value::Bulk(_), Value::Int(_), deliveries @ Value::Int(_)] => Value::Array(vec![id.clone(), deliveries.clone()]),
            items => {
                let mut kept = Vec::new();
                let mut items = items.iter();
                while let Some(item) = items.next() {
                    if passes(item) {
                        items.next();
                    } else {
                        kept.push(timeless(item));
                    }
                }
                Value::Array(kept)
            }
        },
        Value::Map(pairs) => Value::Map(pairs.iter().filter(|(key, _)| !passes(key)).map(|(k, v)| (k.clone(), timeless(v))).collect()),
        other => other.clone(),
    }
}

/// Whether two errors are the same but for how 7.0 words it.
fn is_worded_otherwise(ours: &Value, theirs: &Value) -> bool {
    let is = |value: &Value, beginning: &str| matches!(value, Value::Error(text) if text.starts_with(beginning));
    is(ours, "ERR Unbalanced") && is(theirs, "ERR Unbalanced")
}

pub fn same(call: &Call, chance: Chance, ours: &Value, theirs: &Value) -> bool {
    if ours == theirs || is_worded_otherwise(ours, theirs) {
        return true;
    }
    if matches!(call.name.as_str(), "xpending" | "xinfo stream" | "xinfo consumers") {
        return timeless(ours) == timeless(theirs);
    }
    if has_scores(&call.name) && same_but_for_digits(ours, theirs) {
        return true;
    }
    if call.name.starts_with("geo") && same_but_for_rounding(ours, theirs) {
        return true;
    }
    match (chance, ours, theirs) {
        // What GET finds depends on the element.
        (Chance::Chooses, Value::Array(a), Value::Array(b)) if call.name.starts_with("sort") => return a.len() == b.len(),
        (Chance::Chooses, _, _) => return shape(ours) == shape(theirs),
        (Chance::Time, Value::Int(a), Value::Int(b)) => return a.signum() == b.signum() && (a - b).abs() <= 2000,
        _ => (),
    }
    if call.name.ends_with("scan") {
        let (Value::Array(a), Value::Array(b)) = (ours, theirs) else { return false };
        let done = Value::Bulk(b"0".to_vec());
        if a.first() != Some(&done) || b.first() != Some(&done) {
            // A mistake has taken the large COUNT away: each goes by its own order.
            return true;
        }
        let pairs = in_pairs(&call.name);
        let shorter = |value: &Value| if has_scores(&call.name) { with_fewest_digits(value) } else { value.clone() };
        let (a, b) = (a.iter().map(shorter).collect::<Vec<_>>(), b.iter().map(shorter).collect::<Vec<_>>());
        return a.len() == 2 && b.len() == 2 && a[0] == b[0] && sorted(&a[1], pairs) == sorted(&b[1], pairs);
    }
    (call.unordered || is_unsorted(&call.args)) && sorted(ours, in_pairs(&call.name)) == sorted(theirs, in_pairs(&call.name))
}

/// Whether two encodings are the same but for what the versions differ in: the reference, 7.0, has no small listpack lists and no listpack sets.
pub fn same_encoding(kind: &Value, size: &Value, ours: &Value, theirs: &Value) -> bool {
    let is = |value: &Value, text: &str| matches!(value, Value::Bulk(b) if b == text.as_bytes());
    let of = |text: &str| matches!(kind, Value::Simple(s) if s == text);
    ours == theirs
        // SORT has made it one, for good.
        || of("zset") && is(ours, "listpack") && is(theirs, "skiplist") && matches!(size, Value::Int(0..=41))
        || of("list") && is(ours, "listpack") && is(theirs, "quicklist")
        || of("set") && is(ours, "listpack") && is(theirs, "hashtable") && matches!(size, Value::Int(0..=128))
}
