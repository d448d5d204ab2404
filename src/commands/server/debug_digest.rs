//! DEBUG DIGEST and DIGEST-VALUE: 20 bytes that are the same for the same data, whatever its order, and the same as a Redis has for it.
//!
//! Two operations on a digest, both with the SHA-1 of some bytes: [`Digest::add`] XORs it in, for what has no order;
//! [`Digest::mix`] replaces the result by its own SHA-1 besides, for what has. Numbers of databases and types go in as four bytes, big end first.

use crate::{
    commands::Ctx,
    data::{
        entry::{Entry, NEVER},
        float,
        list::List,
        listpack::Item,
        object::Object,
        pair::{Held, Value},
        stream::{Stream, StreamId},
    },
};
use sha1::{Digest as _, Sha1};
use std::fmt;

/// The number of the type string.
const STRING: u32 = 0;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Digest([u8; 20]);

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        let digest = Sha1::digest(bytes);
        self.0.iter_mut().zip(digest).for_each(|(own, other)| *own ^= other);
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    /// Adds a value and whether it has a deadline (not which: clocks differ).
    fn mix_value(&mut self, entry: &Entry) {
        match entry.value() {
            Value::Object(object) => self.mix_object(object),
            value => {
                self.mix(&STRING.to_be_bytes());
                self.mix_text(value);
            }
        }
        if entry.deadline() != NEVER {
            self.add(b"!!expire!!");
        }
    }

    fn mix_object(&mut self, object: &Object) {
        let kind: u32 = match object {
            Object::Bytes(_) => STRING,
            Object::List(_) => 1,
            Object::Set(_) => 2,
            Object::Zset(_) => 3,
            Object::Hash(_) => 4,
            Object::Stream(_) => 6,
        };
        self.mix(&kind.to_be_bytes());
        let mut digits = itoa::Buffer::new();
        match object {
            Object::Bytes(bytes) => self.mix(bytes),
            Object::List(list) => self.mix_list(list),
            Object::Set(set) => set.iter().for_each(|member| self.add(member.text(&mut digits))),
            Object::Zset(zset) => {
                let mut score_text = Vec::new();
                for (member, score) in zset.iter() {
                    let mut element = Self::default();
                    element.mix(member.text(&mut digits));
                    score_text.clear();
                    float::write(&mut score_text, score);
                    element.mix(&score_text);
                    self.add(&element.0);
                }
            }
            Object::Stream(stream) => self.mix_stream(stream),
            Object::Hash(hash) => {
                for field in hash.iter() {
                    let mut element = Self::default();
                    element.mix(field.name.text(&mut digits));
                    element.mix_text(field.value);
                    if field.deadline != NEVER {
                        element.add(b"!!hexpire!!");
                    }
                    self.add(&element.0);
                }
            }
        }
    }

    fn mix_list(&mut self, list: &List) {
        let mut digits = itoa::Buffer::new();
        list.for_each(|element| self.mix(element.item().text(&mut digits)));
    }

    /// Groups do not count.
    fn mix_stream(&mut self, stream: &Stream) {
        let mut digits = itoa::Buffer::new();
        for entry in stream.range(StreamId::MIN, StreamId::MAX) {
            let id = entry.id();
            self.mix(format!("{}.{}", id.ms, id.seq).as_bytes());
            for (name, value) in entry.fields() {
                self.mix(name.text(&mut digits));
                self.mix(value.text(&mut digits));
            }
        }
    }

    fn mix_text<O: Held>(&mut self, value: Value<'_, O>) {
        match value {
            Value::Int(n) => self.mix(Item::Int(n).text(&mut itoa::Buffer::new())),
            Value::Str(bytes) => self.mix(bytes),
            Value::Object(object) => self.mix(object.bytes().map_or(&[][..], |bytes| bytes)),
        }
    }

    /// Adds a database that is not empty.
    fn mix_database<'a>(&mut self, index: u32, entries: impl Iterator<Item = &'a Entry>) {
        self.mix(&index.to_be_bytes());
        for entry in entries {
            let mut digest = Self::default();
            digest.mix(entry.key());
            digest.mix_value(entry);
            self.add(&digest.0);
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// `DEBUG DIGEST`. Keys past their deadline count while they are there.
pub fn dataset(ctx: &mut Ctx) {
    let mut digest = Digest::default();
    for (index, db) in ctx.server.keyspace.iter().filter(|(_, db)| !db.is_empty()) {
        digest.mix_database(index as u32, db.dict().iter());
    }
    ctx.out.simple(&digest.to_string());
}

/// `DEBUG DIGEST-VALUE key ...`. A key that is not there has a digest of zeros.
pub fn values(ctx: &mut Ctx) {
    let keys = ctx.args.skip(2);
    ctx.out.array(keys.len());
    for key in keys.iter() {
        let dict = ctx.server.keyspace.db(ctx.db).dict();
        let mut digest = Digest::default();
        if let Some(entry) = dict.find(dict.hash(key), key) {
            digest.mix_value(entry);
        }
        ctx.out.simple(&digest.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::stream::NodeLimits;

    fn value(entry: &Entry) -> String {
        let mut digest = Digest::default();
        digest.mix_value(entry);
        digest.to_string()
    }

    #[test]
    fn a_string_has_one_digest_however_it_is_kept() {
        let int = value(&Entry::new_int(b"k", 12345, NEVER));
        assert_eq!(int, value(&Entry::new_inline(b"other", b"12345", NEVER)));
        assert_eq!(int, value(&Entry::new_object(b"k", Box::new(Object::from_bytes("12345".into())), NEVER)));
        assert_ne!(int, value(&Entry::new_int(b"k", 12345, 1)), "with a deadline");
        assert_eq!(value(&Entry::new_int(b"k", 1, 1)), value(&Entry::new_int(b"k", 1, 2)), "whichever it is");
    }

    #[test]
    fn a_stream_has_the_digest_that_redis_has_for_it() {
        let limits = NodeLimits { bytes: 4096, entries: 100 };
        let mut stream = Stream::new();
        stream.append(StreamId::new(5, 1), [&b"a"[..], b"1", b"b", b"x"].into_iter(), limits);
        stream.append(StreamId::new(5, 3), [&b"a"[..], b"2", b"b", b"y"].into_iter(), limits);
        stream.append(StreamId::new(7, 0), [&b"c"[..], b"z"].into_iter(), limits);
        stream.delete(StreamId::new(5, 3));
        let entry = |stream: &Stream| Entry::new_object(b"s", Box::new(Object::Stream(stream.clone())), NEVER);
        // As redis-server 7.0.15 gives it.
        assert_eq!(value(&entry(&stream)), "9fd742579fcc5b9f8d881ab76d24baa842a52fa6");
        stream.create_group(b"g", StreamId::MIN, None);
        assert_eq!(value(&entry(&stream)), "9fd742579fcc5b9f8d881ab76d24baa842a52fa6", "groups do not count");
    }

    #[test]
    fn digests_are_those_of_redis() {
        // As redis-server 7.0.15 gives them.
        assert_eq!(value(&Entry::new_inline(b"k", b"hello", NEVER)), "36b23a1456b2dce2c3ed252c456761301dba8060");
        let entries = [Entry::new_inline(b"a", b"1", NEVER), Entry::new_inline(b"b", b"x", 1)];
        for order in [[0, 1], [1, 0]] {
            let mut digest = Digest::default();
            digest.mix_database(3, order.iter().map(|i| &entries[*i]));
            assert_eq!(digest.to_string(), "d4b008a33757ecc160c29388de88369f1d4ed28e");
        }
    }
}
