//! DEBUG subcommands that show how values, tables and structures are stored.

use crate::{
    commands::{Ctx, context::errors},
    data::{
        dict::{Dict, Slot},
        entry::{Entry, HEADER_BYTES, Value},
        list::NodeView,
        object::Object,
    },
    keyspace::{Db, as_redis_keeps_it, idle_ms},
    persist::rdb::payload,
    state::Client,
};

/// The entry of the key at argument 2, expired or not; replies with an error if it does not exist.
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
    let frequency = ctx.server.keyspace.access.is_frequency();
    let Some(entry) = find(ctx) else { return };
    let mut text = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        entry.key().as_ptr(),
        entry.encoding(),
        payload::value_len(entry, compresses),
        as_redis_keeps_it(entry, frequency, now_ms),
        idle_ms(entry, now_ms) / 1000
    );
    if let Some(Object::List(list)) = object_of(entry)
        && let Some(limits) = list.node_limits()
    {
        let nodes = list.node_count();
        text.push_str(&format!(
            " ql_nodes:{nodes} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:{} ql_uncompressed_size:{}",
            list.len() as f64 / nodes.max(1) as f64,
            limits.size,
            i32::from(limits.depth != 0),
            list.node_bytes()
        ));
    }
    ctx.out.simple(&text);
}

fn object_of(entry: &Entry) -> Option<&Object> {
    if let Value::Object(object) = entry.value() { Some(object) } else { None }
}

/// `DEBUG LISTPACK key`: what is in it goes to the log, where Redis has its standard output.
pub fn listpack(ctx: &mut Ctx) {
    let Some(entry) = find(ctx) else { return };
    let pack = object_of(entry).and_then(|object| match object {
        Object::List(list) => list.compact(),
        Object::Set(set) => set.compact(),
        Object::Zset(zset) => zset.compact(),
        Object::Hash(hash) => hash.pairs().or(hash.triples()),
        Object::Bytes(_) | Object::Stream(_) => None,
    });
    match pack {
        Some(pack) => {
            log::info!("listpack of {} bytes, {} elements: {pack:?}", pack.byte_len(), pack.len());
            ctx.out.simple("Listpack structure printed on stdout");
        }
        None => ctx.error("ERR Not a listpack encoded object."),
    }
}

/// `DEBUG QUICKLIST key [0|1]`: the same for the nodes of a list, with what is in them if asked for.
pub fn quicklist(ctx: &mut Ctx) {
    let full = ctx.argc() > 3 && ctx.arg(3) != b"0";
    let Some(entry) = find(ctx) else { return };
    let list = match object_of(entry) {
        Some(Object::List(list)) if list.compact().is_none() => list,
        _ => return ctx.error("ERR Not a quicklist encoded object."),
    };
    log::info!("quicklist of {} elements in {} nodes, {:?}", list.len(), list.node_count(), list.node_limits());
    for (i, node) in (0..list.node_count()).filter_map(|i| Some((i, list.node(i)?))) {
        match node {
            NodeView::Packed(pack) if full => log::info!("node {i}: {} bytes: {pack:?}", pack.byte_len()),
            NodeView::Packed(pack) => log::info!("node {i}: {} bytes, {} elements", pack.byte_len(), pack.len()),
            NodeView::Plain(bytes) => log::info!("node {i}: one element of {} bytes", bytes.len()),
            NodeView::Squeezed { lzf, len, .. } => log::info!("node {i}: {len} bytes, compressed to {}", lzf.len()),
        }
    }
    ctx.out.simple("Quicklist structure printed on stdout");
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

/// `DEBUG HTSTATS db [full]`.
pub fn htstats(ctx: &mut Ctx) {
    let Some(index) = ctx.int_arg(2) else { return };
    let full = ctx.is_word(3, "full");
    let index = usize::try_from(index).ok().filter(|index| *index < ctx.server.keyspace.databases());
    let Some(index) = index else { return ctx.error("ERR Out of range database") };
    let text = table_stats(ctx.server.keyspace.db(index), full);
    ctx.out.verbatim("txt", text.as_bytes());
}

/// Slots of a bucket.
const SLOTS: usize = 7;

fn table_stats(db: &Db, full: bool) -> String {
    let mut text = format!("[Dictionary HT]\n{}", dict_stats(db.dict(), full));
    // Deadlines lie in the entries of the one table.
    text.push_str(&format!("[Expires HT]\n{STATS_HEAD}"));
    match db.volatile() {
        0 => text.push_str(STATS_EMPTY),
        volatile => {
            let size = db.dict().shape().1 * SLOTS;
            text.push_str(&format!(" table size: {size}\n number of elements: {volatile}\n"));
        }
    }
    text
}

const STATS_HEAD: &str = "Hash table 0 stats (main hash table):\n";
const STATS_EMPTY: &str = "No stats available for empty dictionaries\n";

fn dict_stats<T: Slot>(dict: &Dict<T>, full: bool) -> String {
    if dict.is_empty() {
        return format!("{STATS_HEAD}{STATS_EMPTY}");
    }
    let ((segments, buckets), elements) = (dict.shape(), dict.len());
    let mut text = format!("{STATS_HEAD} table size: {}\n number of elements: {elements}\n", buckets * SLOTS);
    if full {
        // An element has a slot for itself: there are no chains.
        text.push_str(&format!(
            " different slots: {elements}\n max chain length: 1\n segments: {segments}\n buckets: {buckets}\n \
             elements a bucket: {:.02}\n table bytes: {}\n",
            elements as f64 / buckets.max(1) as f64,
            dict.table_bytes()
        ));
    }
    text
}

/// `DEBUG HTSTATS-KEY key [full]`.
pub fn htstats_key(ctx: &mut Ctx) {
    let full = ctx.is_word(3, "full");
    let Some(entry) = find(ctx) else { return };
    let text = object_of(entry).and_then(|object| match object {
        Object::Set(set) => set.members().map(|table| dict_stats(table, full)),
        Object::Zset(zset) => zset.members().map(|table| dict_stats(table, full)),
        Object::Hash(hash) => hash.table().map(|table| dict_stats(table, full)),
        Object::Bytes(_) | Object::List(_) | Object::Stream(_) => None,
    });
    match text {
        Some(text) => ctx.out.verbatim("txt", text.as_bytes()),
        None => ctx.error("ERR The value stored at the specified key is not represented using an hash table"),
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
