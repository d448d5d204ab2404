//! HyperLogLogs: estimates of how many different elements there have been.

use super::{
    Ctx,
    command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
    context::{Event, NEW, errors, text},
};
use crate::{
    data::{
        entry::{Entry, INLINE_MAX, NEVER, Value},
        hll::{self, Corrupted, Draft, Encoding},
        object::Object,
        string,
        wide::registers::REGISTERS,
    },
    keyspace::{Cause, Upsert},
    resp::request::Args,
};
use bytes::Bytes;

const CORRUPTED: &str = "INVALIDOBJ Corrupted HLL object detected";
const NO_HLL: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";

/// The bytes of a HyperLogLog and how they are laid out, or the error.
fn parts(value: Value<'_>) -> Result<(&[u8], Encoding), &'static str> {
    let bytes = match value {
        Value::Str(bytes) => bytes,
        Value::Int(_) => return Err(NO_HLL),
        Value::Object(object) => object.bytes().ok_or(errors::WRONG_TYPE)?,
    };
    hll::encoding(bytes).map(|encoding| (bytes, encoding)).ok_or(NO_HLL)
}

/// A new key that holds one. It is what Redis calls `raw`.
fn new_entry(key: &[u8], bytes: &[u8]) -> Entry {
    if bytes.len() > INLINE_MAX {
        return Entry::new_object(key, Box::new(Object::from_bytes(Bytes::copy_from_slice(bytes))), NEVER);
    }
    let mut entry = Entry::new_inline(key, bytes, NEVER);
    entry.set_raw();
    entry
}

/// What adding elements has come to.
struct Added {
    /// How many of them have raised a register.
    raised: u64,
    /// None could be added any more.
    corrupted: bool,
}

/// Adds the elements that the arguments from the second on are.
fn add_all(args: &Args<'_>, mut add: impl FnMut(&[u8]) -> Result<bool, Corrupted>) -> Added {
    let mut raised = 0u64;
    for i in 2..args.len() {
        match add(args.get(i)) {
            Ok(rises) => raised += u64::from(rises),
            Err(Corrupted) => return Added { raised, corrupted: true },
        }
    }
    Added { raised, corrupted: false }
}

fn add_to(entry: &mut Entry, args: &Args<'_>, max_bytes: usize) -> Result<Added, &'static str> {
    let (bytes, encoding) = parts(entry.value())?;
    if encoding == Encoding::Dense {
        let added = string::edit(entry, 0, |bytes| {
            let added = add_all(args, |text| {
                let (index, rank) = hll::element(text);
                Ok(hll::dense::raise(bytes, index, rank))
            });
            if added.raised > 0 {
                hll::invalidate(bytes);
            }
            added
        });
        return added.ok_or(errors::WRONG_TYPE);
    }
    let mut draft = Draft::new(bytes);
    let added = add_all(args, |text| draft.add(text, max_bytes));
    match draft.finish() {
        Some(mut changed) => {
            // Of a broken one that was only written anew the estimate still holds.
            if added.raised > 0 {
                hll::invalidate(&mut changed);
            }
            string::replace(entry, &changed);
        }
        None => entry.set_raw(),
    }
    Ok(added)
}

fn pfadd(ctx: &mut Ctx) {
    let (hash, key, args, max_bytes) = (ctx.hash(1), ctx.arg(1), ctx.args, ctx.server.config.hll_sparse_max_bytes);
    let added = match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(slot) => match add_to(slot.into_entry_mut(), &args, max_bytes) {
            Ok(added) => added,
            Err(text) => return ctx.error(text),
        },
        Upsert::Vacant(slot) => {
            let new = hll::empty();
            let mut draft = Draft::new(&new);
            let mut added = add_all(&args, |text| draft.add(text, max_bytes));
            let mut bytes = draft.finish().unwrap_or(new);
            hll::invalidate(&mut bytes);
            slot.insert(new_entry(key, &bytes));
            ctx.notify(key, NEW);
            // That there is a key is a change, too.
            added.raised += 1;
            added
        }
    };
    if added.raised > 0 {
        ctx.changed(1, Event('$', "pfadd"));
        ctx.server.keyspace.dirty += added.raised - 1;
    }
    if added.corrupted {
        log_value(ctx);
        return ctx.error(CORRUPTED);
    }
    ctx.out.int(i64::from(added.raised > 0));
}

/// Elements were added to a broken one until one could not be: replicas get what it has become, rather than a command that fails there, too.
#[cold]
fn log_value(ctx: &mut Ctx<'_>) {
    let key = ctx.arg(1);
    if ctx.is_logged()
        && let Some(value) = ctx.peek(1).and_then(|entry| text(entry.value())).map(|text| text.into_bytes().into_owned())
    {
        ctx.log_instead(&[b"SET", key, &value, b"KEEPTTL"]);
    }
}

fn pfcount(ctx: &mut Ctx) {
    if ctx.argc() > 2 {
        let mut registers = [0; REGISTERS];
        return match merge_all(ctx, &mut registers) {
            Ok(_) => ctx.out.int(hll::count_merged(&registers) as i64),
            Err(text) => ctx.error(text),
        };
    }
    let Some(entry) = ctx.read(1) else { return ctx.out.int(0) };
    let known = parts(entry.value()).and_then(|(bytes, encoding)| match hll::cached(bytes) {
        Some(count) => Ok((count, true)),
        None => Ok((hll::count(bytes, encoding).map_err(|Corrupted| CORRUPTED)?, false)),
    });
    match known {
        Err(text) => ctx.error(text),
        Ok((count, true)) => {
            entry.set_raw();
            ctx.out.int(count as i64);
        }
        Ok((count, false)) => {
            keep_count(ctx, count);
            ctx.out.int(count as i64);
        }
    }
}

/// Keeps the estimate for the next PFCOUNT. The string changes by it, so replicas and WATCH are told, but no event says so.
fn keep_count(ctx: &mut Ctx<'_>, count: u64) {
    let key = ctx.arg(1);
    if let Some(entry) = ctx.write(1) {
        string::edit(entry, 0, |bytes| hll::set_cached(bytes, count));
    }
    ctx.server.keyspace.key_changed(ctx.db, key, Cause::Command);
}

/// Merges what all keys hold from the first on; one that is missing is empty. Says whether one of them is dense.
fn merge_all(ctx: &mut Ctx<'_>, registers: &mut hll::Registers) -> Result<bool, &'static str> {
    let mut any_dense = false;
    for i in 1..ctx.argc() {
        let Some(entry) = ctx.read(i) else { continue };
        let (bytes, encoding) = parts(entry.value())?;
        any_dense |= encoding == Encoding::Dense;
        hll::merge(registers, bytes, encoding).map_err(|Corrupted| CORRUPTED)?;
    }
    Ok(any_dense)
}

fn pfmerge(ctx: &mut Ctx) {
    let mut registers = [0; REGISTERS];
    let any_dense = match merge_all(ctx, &mut registers) {
        Ok(any_dense) => any_dense,
        Err(text) => return ctx.error(text),
    };
    let (hash, key, max_bytes) = (ctx.hash(1), ctx.arg(1), ctx.server.config.hll_sparse_max_bytes);
    let merged = |old: &[u8]| -> Result<Vec<u8>, Corrupted> {
        let mut bytes = if any_dense { hll::dense_from(old, &registers) } else { old.to_vec() };
        if !any_dense {
            hll::raise_all(&mut bytes, &registers, max_bytes)?;
        }
        hll::invalidate(&mut bytes);
        Ok(bytes)
    };
    let done = match ctx.server.keyspace.upsert(ctx.db, hash, key) {
        Upsert::Occupied(slot) => {
            let entry = slot.into_entry_mut();
            let merged = parts(entry.value()).and_then(|(old, _)| merged(old).map_err(|Corrupted| CORRUPTED));
            merged.map(|bytes| string::replace(entry, &bytes))
        }
        Upsert::Vacant(slot) => {
            let merged = merged(&hll::empty()).map_err(|Corrupted| CORRUPTED).map(|bytes| {
                slot.insert(new_entry(key, &bytes));
            });
            ctx.notify(key, NEW);
            merged
        }
    };
    if let Err(text) = done {
        return ctx.error(text);
    }
    ctx.changed(1, Event('$', "pfadd"));
    ctx.out.ok();
}

fn pfdebug(ctx: &mut Ctx) {
    let word = ctx.arg(1);
    let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
    let found = match ctx.write(2) {
        None => return ctx.error("ERR The specified key does not exist"),
        Some(entry) => {
            let checked = parts(entry.value()).map(|(bytes, encoding)| (bytes.to_vec(), encoding));
            if checked.is_ok() {
                entry.set_raw();
            }
            checked
        }
    };
    let (bytes, encoding) = match found {
        Ok(found) => found,
        Err(text) => return ctx.error(text),
    };
    match encoding {
        _ if is(b"getreg") => {
            if encoding == Encoding::Sparse && !become_dense(ctx, &bytes) {
                return;
            }
            let mut registers = [0; REGISTERS];
            match hll::merge(&mut registers, &bytes, encoding) {
                Ok(()) => {
                    ctx.out.array(REGISTERS);
                    registers.iter().for_each(|register| ctx.out.int(i64::from(*register)));
                }
                Err(Corrupted) => ctx.error(CORRUPTED),
            }
        }
        Encoding::Dense if is(b"decode") => ctx.error("ERR HLL encoding is not sparse"),
        Encoding::Sparse if is(b"decode") => match hll::sparse::decode(&bytes) {
            Ok(text) => ctx.out.bulk(text.as_bytes()),
            Err(Corrupted) => ctx.error(CORRUPTED),
        },
        Encoding::Dense if is(b"encoding") => ctx.out.simple("dense"),
        Encoding::Sparse if is(b"encoding") => ctx.out.simple("sparse"),
        Encoding::Dense if is(b"todense") => ctx.out.int(0),
        Encoding::Sparse if is(b"todense") => {
            if become_dense(ctx, &bytes) {
                ctx.out.int(1);
            }
        }
        _ => {
            let mut text = b"ERR Unknown PFDEBUG subcommand '".to_vec();
            text.extend_from_slice(word);
            text.push(b'\'');
            ctx.error(text);
        }
    }
}

/// Makes the sparse HyperLogLog at the second argument dense. Replicas have to do so, too, but nobody else is told. `false`, and an error is answered,
/// when it cannot be done.
fn become_dense(ctx: &mut Ctx<'_>, bytes: &[u8]) -> bool {
    let Ok(dense) = hll::to_dense(bytes) else {
        ctx.error(CORRUPTED);
        return false;
    };
    if let Some(entry) = ctx.write(2) {
        string::replace(entry, &dense);
    }
    ctx.server.keyspace.dirty += 1;
    true
}

fn pfselftest(ctx: &mut Ctx) {
    let max_bytes = ctx.server.config.hll_sparse_max_bytes;
    match hll::self_test::run(&mut ctx.server.rng, max_bytes) {
        Ok(()) => ctx.out.ok(),
        Err(text) => ctx.error(format!("ERR TESTFAILED {text}")),
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("pfadd", pfadd, -2, WRITE | DENYOOM | FAST)
        .since(Group::HyperLogLog, "2.8.9")
        .doc(
            "Adds elements to the HyperLogLog at a key, which is made if it is missing; says whether the estimate may have changed.",
            "O(1) for each element; a sparse one is looked through, which is `hll-sparse-max-bytes` long at most.",
        )
        .args("key [element...]")
        .keys(&[KeySpec::one(1, k::RW | k::INSERT)]),
    command("pfcount", pfcount, -2, READONLY | MAY_REPLICATE)
        .since(Group::HyperLogLog, "2.8.9")
        .doc(
            "Estimates how many different elements have been added to the HyperLogLogs at one or more keys.",
            "O(1) for one key, whose last estimate is kept. O(N) for N keys, with a far greater constant.",
        )
        .args("key...")
        .keys(&[KeySpec::range(1, -1, 1, k::RW | k::ACCESS)
            .noted("RW because the estimate is kept in the string, and replicas are told of it.")]),
    command("pfmerge", pfmerge, -2, WRITE | DENYOOM)
        .since(Group::HyperLogLog, "2.8.9")
        .doc("Merges HyperLogLogs into that at the first key, which is made if it is missing.", "O(N) for N keys, with a great constant.")
        .args("destkey [sourcekey...]")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::INSERT), KeySpec::range(2, -1, 1, k::RO | k::ACCESS)]),
    command("pfdebug", pfdebug, 3, WRITE | DENYOOM | ADMIN)
        .since(Group::HyperLogLog, "2.8.9")
        .doc("Shows how a HyperLogLog is laid out, or makes it dense.", "O(1)")
        .args("subcommand key")
        .keys(&[KeySpec::one(2, k::RW | k::ACCESS)])
        .internal(),
    command("pfselftest", pfselftest, 1, ADMIN)
        .since(Group::HyperLogLog, "2.8.9")
        .doc("Tests HyperLogLogs with a million random elements, while nobody is served.", "O(1), some tens of milliseconds.")
        .internal(),
];
