//! All that a server holds in one number: two servers with the same data have the same.

use solod::{
    commands::context::text,
    data::{
        entry::{Entry, Value},
        listpack::Item,
        object::Object,
        pair,
    },
    keyspace::Keyspace,
    state::Server,
};

/// A number for all that a server holds.
pub fn digest_of(server: &Server) -> u64 {
    digest(&server.keyspace).wrapping_add(library_digest(server))
}

/// A number for a server's libraries; 0 for none.
pub fn library_digest(server: &Server) -> u64 {
    server.functions.codes().into_iter().fold(0, |sum: u64, code| sum.wrapping_add(mix(6, code)))
}

/// A number for what a keyspace holds, in whatever order.
pub fn digest(keyspace: &Keyspace) -> u64 {
    let mut sum = 0u64;
    for (i, db) in keyspace.iter() {
        sum = db.dict().iter().fold(sum, |sum, entry| sum.wrapping_add(entry_digest(i, entry)));
    }
    sum
}

/// What an entry adds to that. Elements of a collection are added in whatever order they come, but for a list's.
pub fn entry_digest(db: usize, entry: &Entry) -> u64 {
    let start = mix(mix(db as u64, entry.key()), &entry.deadline().to_le_bytes());
    let value = match entry.value() {
        Value::Object(Object::List(list)) => {
            let mut sum = 1;
            list.for_each(|element| sum = mix_item(sum, element.item()));
            sum
        }
        Value::Object(Object::Hash(hash)) => {
            hash.iter().fold(2, |sum: u64, field| sum.wrapping_add(mix_value(mix_item(2, field.name), field.value)))
        }
        Value::Object(Object::Set(set)) => set.iter().fold(3, |sum: u64, member| sum.wrapping_add(mix_item(3, member))),
        Value::Object(Object::Zset(zset)) => {
            let element = |member: Item<'_>, score: f64| mix(mix_item(4, member), &score.to_le_bytes());
            zset.iter().fold(4, |sum: u64, (member, score)| sum.wrapping_add(element(member, score)))
        }
        value => mix_value(5, value),
    };
    mix(start, &value.to_le_bytes())
}

fn mix_item(sum: u64, item: Item<'_>) -> u64 {
    mix(sum, item.text(&mut itoa::Buffer::new()))
}

fn mix_value<O: pair::Held>(sum: u64, value: pair::Value<'_, O>) -> u64 {
    text(value).map_or(sum, |text| text.with(|bytes| mix(sum, bytes)))
}

/// A number for some bytes behind others.
fn mix(sum: u64, bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let step = |sum: u64, word: &[u8; 8]| {
        let mixed = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(ODD);
        mixed ^ mixed >> 29
    };
    let sum = words.iter().chain([&last]).fold(sum.wrapping_add(bytes.len() as u64).wrapping_mul(ODD), step);
    sum.rotate_left(31)
}
