//! BITFIELD: integers of any width, anywhere in a string.

use super::{BAD_OFFSET, bit_offset};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Effect, Event, NEW, errors, text},
    },
    data::{
        bits::field::{BitField, IntKind, Overflow},
        number, string,
    },
    keyspace::Upsert,
    resp::{output::Output, request::Args},
};

const BAD_TYPE: &str = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";

/// What is done with one integer.
enum FieldOperation {
    Get(BitField),
    Set(BitField, i64, Overflow),
    Add(BitField, i64, Overflow),
}

/// `i16`, `u8`. What follows a NUL byte is not looked at.
fn kind(text: &[u8]) -> Option<IntKind> {
    let (sign, digits) = text.split_first()?;
    let signed = match sign {
        b'i' => true,
        b'u' => false,
        _ => return None,
    };
    let digits = digits.split(|byte| *byte == 0).next().unwrap_or_default();
    let width = u32::try_from(number::parse_i64(digits)?).ok()?;
    // A number of 64 bits without a sign has no place in a reply.
    let width_max = if signed { 64 } else { 63 };
    (1..=width_max).contains(&width).then_some(IntKind { signed, width })
}

/// A bit's place, or behind a `#` how many integers of this kind are in front of it.
fn place(text: &[u8], kind: IntKind, limit: usize) -> Option<u64> {
    let Some(count) = text.strip_prefix(b"#") else { return bit_offset(text, limit) };
    let bit = number::parse_i64(count)?.checked_mul(i64::from(kind.width))?;
    let bit = u64::try_from(bit).ok()?;
    (bit >> 3 < limit as u64).then_some(bit)
}

/// Reads the operations that the arguments from the second on say. `limit` is `proto-max-bulk-len`.
fn operations(args: &Args<'_>, limit: usize) -> Result<Vec<FieldOperation>, &'static str> {
    let (mut all, mut overflow, mut i) = (Vec::new(), Overflow::Wrap, 2);
    while i < args.len() {
        let is = |word: &str, needs: usize| args.get(i).eq_ignore_ascii_case(word.as_bytes()) && i + needs < args.len();
        if is("overflow", 1) {
            overflow = overflow_named(args.get(i + 1)).ok_or("ERR Invalid OVERFLOW type specified")?;
            i += 2;
            continue;
        }
        let (gets, sets) = (is("get", 2), is("set", 3));
        if !gets && !sets && !is("incrby", 3) {
            return Err(errors::SYNTAX);
        }
        let kind = kind(args.get(i + 1)).ok_or(BAD_TYPE)?;
        let field = BitField { kind, at: place(args.get(i + 2), kind, limit).ok_or(BAD_OFFSET)? };
        if gets {
            all.push(FieldOperation::Get(field));
            i += 3;
            continue;
        }
        let value = number::parse_i64(args.get(i + 3)).ok_or(errors::NOT_INTEGER)?;
        all.push(if sets { FieldOperation::Set(field, value, overflow) } else { FieldOperation::Add(field, value, overflow) });
        i += 4;
    }
    Ok(all)
}

fn overflow_named(text: &[u8]) -> Option<Overflow> {
    let names = [("wrap", Overflow::Wrap), ("sat", Overflow::Saturate), ("fail", Overflow::Fail)];
    names.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes())).map(|(_, overflow)| overflow)
}

impl FieldOperation {
    /// The last bit that may be written.
    fn end(&self) -> Option<u64> {
        match self {
            Self::Get(_) => None,
            Self::Set(field, ..) | Self::Add(field, ..) => Some(field.end()),
        }
    }

    /// Does it on a string that is long enough, and answers. Says whether a field has another value than before; `None` when it was not written.
    fn run(&self, bytes: &mut [u8], out: &mut Output) -> Option<bool> {
        let (field, old, new, answers_new) = match *self {
            Self::Get(field) => {
                out.int(field.get(bytes));
                return None;
            }
            Self::Set(field, value, overflow) => (field, field.get(bytes), field.kind.fit(value, overflow), false),
            Self::Add(field, by, overflow) => {
                let old = field.get(bytes);
                (field, old, field.kind.add(old, by, overflow), true)
            }
        };
        let Some(new) = new else {
            out.null();
            return None;
        };
        out.int(if answers_new { new } else { old });
        field.set(bytes, new);
        Some(new != old)
    }
}

fn bitfield(ctx: &mut Ctx) {
    run(ctx, true);
}

fn bitfield_ro(ctx: &mut Ctx) {
    run(ctx, false);
}

fn run(ctx: &mut Ctx<'_>, may_write: bool) {
    let operations = match operations(&ctx.args, ctx.server.config.proto_max_bulk_len) {
        Ok(operations) => operations,
        Err(text) => return ctx.error(text),
    };
    match operations.iter().filter_map(FieldOperation::end).max() {
        None => read(ctx, &operations),
        Some(_) if !may_write => ctx.error("ERR BITFIELD_RO only supports the GET subcommand"),
        Some(end) => write(ctx, &operations, (end >> 3) as usize + 1),
    }
}

fn read(ctx: &mut Ctx<'_>, operations: &[FieldOperation]) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let text = match ctx.server.keyspace.read(ctx.db, hash, key).map(|entry| text(entry.value())) {
        Some(None) => return ctx.error(errors::WRONG_TYPE),
        Some(Some(text)) => text.into_bytes(),
        None => Default::default(),
    };
    ctx.out.array(operations.len());
    for operation in operations {
        if let FieldOperation::Get(field) = operation {
            ctx.out.int(field.get(&text));
        }
    }
}

/// Runs operations of which some write, on a string that has at least `len` bytes then.
fn write(ctx: &mut Ctx<'_>, operations: &[FieldOperation], len: usize) {
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let (entry, grows, is_new) = match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(slot) => {
            let entry = slot.into_entry_mut();
            let Some(old) = string::len(entry.value()) else { return ctx.error(errors::WRONG_TYPE) };
            (entry, len > old, false)
        }
        Upsert::Vacant(slot) => (slot.insert(string::zeroed(key, len)), true, true),
    };
    ctx.out.array(operations.len());
    let out = &mut *ctx.out;
    let changes = string::edit(entry, len, |bytes| {
        // Where the string has grown every write counts.
        operations.iter().filter(|operation| operation.run(bytes, out).is_some_and(|changed| changed || grows)).count()
    });
    if is_new {
        ctx.notify(key, NEW);
    }
    match changes {
        Some(changes @ 1..) => {
            ctx.changed(1, Event('$', "setbit"));
            ctx.server.keyspace.dirty += changes as u64 - 1;
        }
        // It counts for nothing that the string has grown for writes that then failed, but it has.
        _ if grows => ctx.effect = Effect::Always,
        _ => (),
    }
}

/// What is done with the key depends on what the operations are.
fn key_access(args: &Args<'_>) -> u32 {
    let mut i = 2;
    let reads = loop {
        let is = |word: &str, needs: usize| args.get(i).eq_ignore_ascii_case(word.as_bytes()) && i + needs < args.len();
        match () {
            () if i >= args.len() => break true,
            () if is("get", 2) => i += 3,
            () if is("overflow", 1) => i += 2,
            // What cannot be read counts as a write.
            () => break false,
        }
    };
    if reads { k::RO | k::ACCESS } else { k::RW | k::ACCESS | k::UPDATE }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("bitfield", bitfield, -2, WRITE | DENYOOM)
        .since(Group::Bitmap, "3.2.0")
        .doc("Reads, sets and adds to integers of any width in the string at a key.", "O(1) for each of them.")
        .args(
            "key [operation:(GET get-block:(encoding offset:integer) | write:([OVERFLOW overflow-block:(WRAP|SAT|FAIL)] \
             write-operation:(SET set-block:(encoding offset:integer value:integer) \
             | INCRBY incrby-block:(encoding offset:integer increment:integer))))...]",
        )
        .keys(&[
            KeySpec::one(1, k::RW | k::UPDATE | k::ACCESS | k::VARIABLE).noted("It reads the string, or changes it, as its arguments say.")
        ])
        .key_access(key_access),
    command("bitfield_ro", bitfield_ro, -2, READONLY | FAST)
        .since(Group::Bitmap, "6.0.0")
        .doc("Reads integers of any width in the string at a key.", "O(1) for each of them.")
        .args("key [GET get-block:(encoding offset:integer)]...")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_a_sign_and_a_width() {
        assert_eq!(kind(b"i64"), Some(IntKind { signed: true, width: 64 }));
        assert_eq!(kind(b"u63"), Some(IntKind { signed: false, width: 63 }));
        assert_eq!(kind(b"u8\0x"), Some(IntKind { signed: false, width: 8 }));
        for wrong in ["", "i", "u", "u64", "i65", "u0", "i-1", "I8", "8", "u08", "u8 ", "u9223372036854775807", "\0u8"] {
            assert_eq!(kind(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_place_is_a_bit_or_counted_in_integers() {
        let (u5, limit) = (IntKind { signed: false, width: 5 }, 1000);
        assert_eq!((place(b"7", u5, limit), place(b"#7", u5, limit), place(b"#0", u5, limit)), (Some(7), Some(35), Some(0)));
        assert_eq!((place(b"7999", u5, limit), place(b"8000", u5, limit)), (Some(7999), None));
        assert_eq!((place(b"#1599", u5, limit), place(b"#1600", u5, limit)), (Some(7995), None));
        for wrong in ["", "#", "-1", "#-1", "##1", "x", "#9223372036854775807", "#3689348814741910324"] {
            assert_eq!(place(wrong.as_bytes(), u5, limit), None, "{wrong}");
        }
    }
}
