//! DEBUG's looks inside: how values, tables and structures are kept.

use crate::{
    commands::{
        Ctx,
        context::{self, errors},
    },
    data::{
        entry::{Entry, HEADER_BYTES, Value},
        lzf,
        number::parse_i64,
        object::Object,
    },
    keyspace::{Db, idle_ms},
    state::Client,
};

/// The key at argument 2 as it lies there, past its deadline or not; answers with an error when there is none.
fn find<'a>(ctx: &'a mut Ctx) -> Option<&'a Entry> {
    let key = ctx.arg(2);
    let dict = ctx.server.keyspace.db(ctx.db).dict();
    let hash = dict.hash(key);
    if dict.find(hash, key).is_none() {
        ctx.error(errors::NO_SUCH_KEY);
        return None;
    }
    ctx.server.keyspace.db(ctx.db).dict().find(hash, key)
}

/// `DEBUG OBJECT key`.
pub fn object(ctx: &mut Ctx) {
    let (now_ms, compresses) = (ctx.now_ms(), ctx.server.config.rdbcompression);
    let Some(entry) = find(ctx) else { return };
    let length = context::text(entry.value()).map_or(0, |text| text.with(|bytes| serialized_len(bytes, compresses)));
    let text = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{length} lru:{} lru_seconds_idle:{}",
        entry.key().as_ptr(),
        entry.encoding(),
        entry.access(),
        idle_ms(entry, now_ms) / 1000
    );
    ctx.out.simple(&text);
}

/// Bytes that a string takes in an RDB file.
fn serialized_len(bytes: &[u8], compresses: bool) -> usize {
    /// No integer that is written as one is longer than this; no shorter string is worth compressing.
    const INTEGER_MAX: usize = 11;
    const COMPRESSED_MIN: usize = 21;
    if bytes.len() <= INTEGER_MAX
        && let Some(n) = parse_i64(bytes)
        && let Ok(n) = i32::try_from(n)
    {
        return match (i8::try_from(n), i16::try_from(n)) {
            (Ok(_), _) => 2,
            (_, Ok(_)) => 3,
            _ => 5,
        };
    }
    let header = |len: usize| match len {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..=0xffff_ffff => 5,
        _ => 9,
    };
    if compresses && bytes.len() >= COMPRESSED_MIN {
        let mut compressor = lzf::Compressor::default();
        if let Some(compressed) = compressor.compress(bytes) {
            return 1 + header(compressed.len()) + header(bytes.len()) + compressed.len();
        }
    }
    header(bytes.len()) + bytes.len()
}

/// `DEBUG SDSLEN key`. Key and short string lie in one piece of memory, which counts for both.
pub fn sdslen(ctx: &mut Ctx) {
    let Some(entry) = find(ctx) else { return };
    let (value_len, value_allocated) = match entry.value() {
        Value::Int(_) => return ctx.error("ERR Not an sds encoded string."),
        Value::Str(s) => (s.len(), entry.allocated()),
        Value::Object(Object::Bytes(bytes)) => (bytes.len(), bytes.len()),
        Value::Object(_) => return ctx.error("ERR Not an sds encoded string."),
    };
    let text = format!(
        "key_sds_len:{}, key_sds_avail:0, key_zmalloc: {}, val_sds_len:{value_len}, val_sds_avail:0, val_zmalloc: {value_allocated}",
        entry.key().len(),
        entry.allocated()
    );
    ctx.out.simple(&text);
}

/// `DEBUG LISTPACK key` and its like: an error, since no value is kept like that.
pub fn not_encoded_as(ctx: &mut Ctx, encoding: &str) {
    if find(ctx).is_some() {
        ctx.error(format!("ERR Not a {encoding} encoded object."));
    }
}

/// `DEBUG HTSTATS db [full]`.
pub fn htstats(ctx: &mut Ctx) {
    let Some(index) = ctx.int_arg(2) else { return };
    let full = ctx.is_word(3, "full");
    let index = usize::try_from(index).ok().filter(|index| *index < ctx.server.keyspace.databases());
    let Some(index) = index else { return ctx.error("ERR Out of range database") };
    let text = table_stats(ctx.server.keyspace.db(index), full);
    ctx.out.verbatim("txt", text.as_bytes());
}

fn table_stats(db: &Db, full: bool) -> String {
    /// Slots of a bucket.
    const SLOTS: usize = 7;
    const HEAD: &str = "Hash table 0 stats (main hash table):\n";
    const EMPTY: &str = "No stats available for empty dictionaries\n";
    let (segments, buckets) = db.dict().shape();
    let mut text = format!("[Dictionary HT]\n{HEAD}");
    if db.is_empty() {
        text.push_str(EMPTY);
    } else {
        text.push_str(&format!(" table size: {}\n number of elements: {}\n", buckets * SLOTS, db.len()));
        if full {
            text.push_str(&format!(
                " segments: {segments}\n buckets: {buckets}\n elements a bucket: {:.02}\n table bytes: {}\n",
                db.len() as f64 / buckets.max(1) as f64,
                db.dict().table_bytes()
            ));
        }
    }
    // Deadlines lie in the entries of the one table.
    text.push_str(&format!("[Expires HT]\n{HEAD}"));
    match db.volatile() {
        0 => text.push_str(EMPTY),
        volatile => text.push_str(&format!(" table size: {}\n number of elements: {volatile}\n", buckets * SLOTS)),
    }
    text
}

/// `DEBUG HTSTATS-KEY key [full]`: an error, since no value is a table.
pub fn htstats_key(ctx: &mut Ctx) {
    if find(ctx).is_some() {
        ctx.error("ERR The value stored at the specified key is not represented using an hash table");
    }
}

/// `DEBUG STRUCTSIZE`.
pub fn structsize(ctx: &mut Ctx) {
    let sizes = [
        ("bits", usize::BITS as usize),
        ("entry", size_of::<Entry>()),
        ("entryheader", HEADER_BYTES),
        ("object", size_of::<Object>()),
        ("client", size_of::<Client>()),
    ];
    let text: String = sizes.iter().map(|(name, bytes)| format!("{name}:{bytes} ")).collect();
    ctx.out.bulk(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialized_lengths_are_those_of_an_rdb_file() {
        let cases: [(&[u8], usize); 8] = [
            (b"1", 2),
            (b"-129", 3),
            (b"2147483647", 5),
            (b"2147483648", 11),
            (b"", 1),
            (b"hello", 6),
            (&[b'x'; 20], 21),
            (&[b'x'; 100], 9),
        ];
        for (bytes, len) in cases {
            assert_eq!(serialized_len(bytes, true), len, "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(serialized_len(&[b'x'; 100], false), 102);
    }
}
