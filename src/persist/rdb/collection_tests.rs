//! Collections there and back, in every form that servers have written, and the forms that none should.

use super::{
    payload::{Refused, Restoring, dump, restore},
    *,
};
use crate::data::{
    entry::{Entry, NEVER, Value as Held},
    hash::{self, FieldValue, OldDeadline},
    list::{self, End, List},
    listpack::{Item, Listpack},
    object::{Collection, Object},
    pieces::Element,
    set::Set,
    stream::StreamId,
    zset::Zset,
};
use bytes::Bytes;
use proptest::prelude::*;

/// What is in a collection: type, and an element a line; sorted where it has no order.
pub(super) fn content(object: &Object) -> (&'static str, Vec<Vec<u8>>) {
    let mut all: Vec<Vec<u8>> = Vec::new();
    match object {
        Object::Bytes(bytes) => all.push(bytes.to_vec()),
        Object::List(list) => list.for_each(|element| all.push(element.item().to_vec())),
        Object::Set(set) => all.extend(set.iter().map(Item::to_vec)),
        Object::Zset(zset) => all.extend(zset.iter().map(|(member, score)| [member.to_vec(), format!(" {score:?}").into_bytes()].concat())),
        Object::Stream(stream) => {
            let entries = stream.range(StreamId::MIN, StreamId::MAX);
            all.extend(entries.map(|entry| format!("{:?} {:?}", entry.id(), entry.fields().collect::<Vec<_>>()).into_bytes()));
        }
        Object::Hash(hash) => all.extend(hash.iter().map(|field| {
            let value = match field.value {
                FieldValue::Int(n) => n.to_string().into_bytes(),
                FieldValue::Str(bytes) => bytes.to_vec(),
                FieldValue::Object(bytes) => bytes.to_vec(),
            };
            [field.name.to_vec(), b"=".to_vec(), value, format!(" {}", field.deadline).into_bytes()].concat()
        })),
    }
    if !matches!(object, Object::List(_)) {
        all.sort();
    }
    (object.type_name(), all)
}

fn object(entry: &Entry) -> &Object {
    match entry.value() {
        Held::Object(object) => object,
        _ => panic!("not a collection"),
    }
}

fn entry(collection: impl Collection) -> Entry {
    Entry::new_object(b"key", Box::new(collection.into_object()), NEVER)
}

fn how(shapes: Shapes) -> Restoring {
    Restoring { verify: true, shapes }
}

fn shapes() -> Shapes {
    Shapes::default()
}

/// Shapes in which nothing is compact.
fn wide() -> Shapes {
    let mut shapes = shapes();
    shapes.list.size = 2;
    (shapes.set.intset_entries, shapes.set.listpack_entries) = (0, 0);
    shapes.hash.entries = 0;
    shapes.zset.entries = 0;
    shapes
}

fn list(items: &[Vec<u8>], limits: list::NodeLimits) -> List {
    let mut list = List::new_linked(limits);
    items.iter().for_each(|item| list.push_shared(End::Back, Bytes::copy_from_slice(item)));
    list.built(limits);
    list
}

fn set(items: &[Vec<u8>], shapes: &Shapes) -> Set {
    let mut set = Set::suited(&items[0], 1, &shapes.set);
    for item in items {
        set.add(item, &shapes.set);
    }
    set
}

fn zset(items: &[Vec<u8>], shapes: &Shapes) -> Zset {
    let mut zset = Zset::with_expected(1, 0, shapes.zset);
    for (i, item) in items.iter().enumerate() {
        let score = match i % 5 {
            0 => f64::INFINITY,
            1 => -1.5,
            _ => i as f64 * 1000.0,
        };
        zset.insert_new(item, score, shapes.zset);
    }
    zset
}

fn hash(items: &[Vec<u8>], deadlines: bool, shapes: &Shapes) -> hash::Hash {
    let mut hash = hash::Hash::new();
    for (i, item) in items.iter().enumerate() {
        let value = items[items.len() - 1 - i].clone();
        hash.set(item, &value, || Bytes::copy_from_slice(&value), OldDeadline::Drops, hash::ANY_TIME, &shapes.hash);
        if deadlines && i % 3 == 0 {
            hash.set_deadline(item, 1_700_000_000_000 + i as i64);
        }
    }
    hash
}

fn one_of_each(items: &[Vec<u8>], shapes: &Shapes) -> Vec<Entry> {
    vec![
        entry(list(items, shapes.list)),
        entry(set(items, shapes)),
        entry(zset(items, shapes)),
        entry(hash(items, false, shapes)),
        entry(hash(items, true, shapes)),
    ]
}

fn items(len_max: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let item = prop_oneof![
        3 => any::<i16>().prop_map(|n| n.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        3 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => (any::<u8>(), 0..300usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    proptest::collection::vec(item, 1..len_max)
}

/// The entries of a stream, as a loader takes them, and whether it stopped in the middle of one.
fn decode(bytes: &[u8], chunk: usize, shapes: Shapes) -> Result<(Vec<Entry>, bool), RdbError> {
    let mut decoder = Decoder::new(DecodeOptions { verify: true, size: None, shapes });
    let (mut all, mut parts) = (Vec::new(), false);
    for piece in bytes.chunks(chunk) {
        decoder.feed(piece);
        while let Some(event) = decoder.next()? {
            match event {
                RdbEvent::Key(key) => all.push(key.into_entry()),
                RdbEvent::Part => parts = true,
                _ => (),
            }
        }
    }
    decoder.finish()?;
    Ok((all, parts))
}

proptest! {
    #[test]
    fn collections_come_back_as_they_were(items in items(60), chunk in 1..200usize, compression: bool, wide_before: bool, wide_after: bool) {
        let pick = |is_wide| if is_wide { wide() } else { shapes() };
        let entries = one_of_each(&items, &pick(wide_before));
        let mut encoder = Encoder::new(Settings { compression, ..Settings::default() });
        encoder.begin(VERSION_FIELD_DEADLINES, [("a", "b")]);
        entries.iter().for_each(|entry| encoder.entry(entry, 0));
        encoder.end();
        let (decoded, _) = decode(&encoder.take(), chunk, pick(wide_after)).expect("what was encoded");
        prop_assert_eq!(decoded.len(), entries.len());
        for (decoded, entry) in decoded.iter().zip(&entries) {
            prop_assert_eq!(content(object(decoded)), content(object(entry)));
            let restored = restore(&dump(entry, Settings { compression, ..Settings::default() }), b"to", NEVER, how(pick(wide_after))).expect("what was dumped");
            prop_assert_eq!(content(object(&restored)), content(object(entry)));
            prop_assert_eq!(object(&restored).encoding(), object(decoded).encoding());
        }
    }

    #[test]
    fn broken_collections_do_no_harm(items in items(12), at: prop::sample::Index, byte: u8, is_wide: bool) {
        let shapes = if is_wide { wide() } else { shapes() };
        for entry in one_of_each(&items, &shapes) {
            let mut body = dump(&entry, Settings { compression: false, ..Settings::default() });
            body.truncate(body.len() - 10);
            let at = at.index(body.len());
            body[at] = byte;
            if let Ok(restored) = restore(&signed(&body, 12), b"to", NEVER, how(shapes)) {
                content_if_any(&restored);
            }
        }
    }

    #[test]
    fn any_bytes_as_a_collection_do_no_harm(code in 0..30u8, bytes in proptest::collection::vec(any::<u8>(), 0..80), valkey: bool) {
        let body = [&[code][..], &bytes].concat();
        if let Ok(restored) = restore(&signed(&body, if valkey { 80 } else { 12 }), b"to", NEVER, how(shapes())) {
            content_if_any(&restored);
        }
    }
}

fn content_if_any(entry: &Entry) {
    if let Held::Object(object) = entry.value() {
        content(object);
    }
}

/// A payload with this body.
fn signed(body: &[u8], version: u16) -> Vec<u8> {
    let mut payload = [body, &version.to_le_bytes()].concat();
    payload.extend_from_slice(&crc::checksum(&payload).to_le_bytes());
    payload
}

fn restored(body: &[u8], version: u16) -> Result<(&'static str, String), Refused> {
    let entry = restore(&signed(body, version), b"to", NEVER, how(shapes()))?;
    let (_, elements) = content(object(&entry));
    let text: Vec<String> = elements.iter().map(|e| String::from_utf8_lossy(e).into_owned()).collect();
    Ok((object(&entry).encoding(), text.join(",")))
}

fn pack(items: &[&[u8]]) -> Vec<u8> {
    let mut pack = Listpack::new();
    items.iter().for_each(|item| pack.push(item));
    let bytes = pack.to_bytes();
    [&[bytes.len() as u8], &bytes[..]].concat()
}

#[test]
fn every_form_there_ever_was_is_read() {
    let ziplist = b"\x16\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x09zipped123\xff";
    let ziplist = [&[ziplist.len() as u8], &ziplist[..]].concat();
    let pairs = b"\x11\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\x01b\xff";
    let pairs = [&[pairs.len() as u8], &pairs[..]].concat();
    let scored = b"\x10\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\xf3\xff";
    let scored = [&[scored.len() as u8], &scored[..]].concat();
    let (one, two) = (pack(&[b"a"]), pack(&[b"a", b"7"]));
    let triple = pack(&[b"a", b"7", b"4000000000000"]);
    let moment = 4_000_000_000_000i64.to_le_bytes();
    let with = |parts: &[&[u8]]| parts.concat();
    let cases: &[(&str, Vec<u8>, u16, &str, &str)] = &[
        ("list", b"\x01\x02\x01b\xc0\x05".to_vec(), 6, "listpack", "b,5"),
        ("set", b"\x02\x02\x01b\xc0\x05".to_vec(), 6, "listpack", "5,b"),
        ("set of integers", b"\x02\x02\xc0\x06\xc0\x05".to_vec(), 6, "intset", "5,6"),
        ("scores in letters", b"\x03\x03\x01b\x041.25\x01c\xfe\x01d\x03-17".to_vec(), 6, "listpack", "b 1.25,c inf,d -17.0"),
        ("hash", b"\x04\x01\x01f\x01v".to_vec(), 6, "listpack", "f=v 9223372036854775807"),
        ("scores", b"\x05\x01\x01b\0\0\0\0\0\0\xf8\x3f".to_vec(), 8, "listpack", "b 1.5"),
        ("zipmap", b"\x09\x0b\x01\x03foo\x03\x00bar\xff".to_vec(), 2, "listpack", "foo=bar 9223372036854775807"),
        ("list as ziplist", with(&[b"\x0a", &ziplist]), 6, "listpack", "zipped123"),
        ("intset", b"\x0b\x0c\x02\0\0\0\x02\0\0\0\x05\0\x06\0".to_vec(), 6, "intset", "5,6"),
        ("sorted set as ziplist", with(&[b"\x0c", &scored]), 6, "listpack", "a 2.0"),
        ("hash as ziplist", with(&[b"\x0d", &pairs]), 6, "listpack", "a=b 9223372036854775807"),
        ("quicklist of ziplists", with(&[b"\x0e\x02", &ziplist, &ziplist]), 9, "quicklist", "zipped123,zipped123"),
        ("hash as listpack", with(&[b"\x10", &two]), 10, "listpack", "a=7 9223372036854775807"),
        ("sorted set as listpack", with(&[b"\x11", &two]), 10, "listpack", "a 7.0"),
        ("quicklist", with(&[b"\x12\x02\x02", &one, b"\x01\x03xyz"]), 10, "listpack", "a,xyz"),
        ("set as listpack", with(&[b"\x14", &two]), 11, "listpack", "7,a"),
        (
            "hash with deadlines, early",
            with(&[b"\x16\x02\x00\x01f\x01v\x81\0\0\x03\xa3\x52\x94\x40\0\x01g\x01w"]),
            12,
            "listpackex",
            "f=v 9223372036854775807,g=w 4000000000000",
        ),
        ("packed hash with deadlines, early", with(&[b"\x17", &triple]), 12, "listpackex", "a=7 4000000000000"),
        (
            "hash with deadlines",
            with(&[b"\x18", &moment, b"\x02\x00\x01f\x01v\x06\x01g\x01w"]),
            12,
            "listpackex",
            "f=v 9223372036854775807,g=w 4000000000005",
        ),
        ("packed hash with deadlines", with(&[b"\x19", &moment, &triple]), 12, "listpackex", "a=7 4000000000000"),
        (
            "Valkey's hash with deadlines",
            with(&[b"\x16\x02\x01f\x01v", &[0xff; 8], b"\x01g\x01w", &moment]),
            80,
            "listpackex",
            "f=v 9223372036854775807,g=w 4000000000000",
        ),
    ];
    for (name, body, version, encoding, elements) in cases {
        let ok = restored(body, *version);
        assert_eq!(ok, Ok((*encoding, (*elements).to_owned())), "{name}");
        for len in 0..body.len() {
            assert_eq!(restored(&body[..len], *version), Err(Refused::Value), "{name}, {len} bytes");
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let twice = pack(&[b"a", b"1", b"a", b"2"]);
    let cases: &[(&str, Vec<u8>)] = &[
        ("no list", b"\x01\x00".to_vec()),
        ("no set", b"\x02\x00".to_vec()),
        ("no member", b"\x05\x00".to_vec()),
        ("no field", b"\x04\x00".to_vec()),
        ("no node", b"\x12\x00".to_vec()),
        ("nodes without elements", [&b"\x12\x01\x02"[..], &pack(&[])].concat()),
        ("an unknown kind of node", [&b"\x12\x01\x03"[..], &pack(&[b"a"])].concat()),
        ("a node of nothing", b"\x12\x01\x01\x00".to_vec()),
        ("an intset of none", b"\x0b\x08\x02\0\0\0\0\0\0\0".to_vec()),
        ("an intset out of order", b"\x0b\x0c\x02\0\0\0\x02\0\0\0\x06\0\x05\0".to_vec()),
        ("a member twice", b"\x02\x02\x01a\x01a".to_vec()),
        ("an integer twice", b"\x02\x02\xc0\x05\xc1\x05\x00".to_vec()),
        ("a field twice", b"\x04\x02\x01a\x01b\x01a\x01c".to_vec()),
        ("a scored member twice", b"\x05\x02\x01a\0\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\xf0\x3f".to_vec()),
        ("no number as a score", b"\x05\x01\x01a\0\0\0\0\0\0\xf8\x7f".to_vec()),
        ("no number as a score, in letters", b"\x03\x01\x01a\xfd".to_vec()),
        ("a packed member twice", [&b"\x14"[..], &pack(&[b"a", b"b", b"a"])].concat()),
        ("a packed field twice", [&b"\x10"[..], &twice].concat()),
        ("a packed scored member twice", [&b"\x11"[..], &twice].concat()),
        ("a field without a value", [&b"\x10"[..], &pack(&[b"a", b"b", b"c"])].concat()),
        ("a member without a score", [&b"\x11"[..], &pack(&[b"a"])].concat()),
        ("a score in letters", [&b"\x11"[..], &pack(&[b"a", b"b"])].concat()),
        ("a deadline that is none", [&b"\x19\0\0\0\0\0\0\0\0"[..], &pack(&[b"a", b"b", b"c"])].concat()),
        ("a packed deadline after all time", [&b"\x19\0\0\0\0\0\0\0\0"[..], &pack(&[b"a", b"b", b"281474976710656"])].concat()),
        ("a deadline before all time", [&b"\x19"[..], &[0xff; 8], &pack(&[b"a", b"b", b"1"])].concat()),
        ("a deadline after all time", b"\x18\0\0\0\0\0\0\0\0\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a\x01b".to_vec()),
        ("a zipmap of none", b"\x09\x02\x00\xff".to_vec()),
        ("more than there is", b"\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a".to_vec()),
        ("a type of the others", b"\x1a\x01a".to_vec()),
    ];
    for (name, body) in cases {
        assert_eq!(restored(body, 12), Err(Refused::Value), "{name}");
    }
    assert_eq!(restored(b"\x18\0\0\0\0\0\0\0\0\x01\x01\x01a\x01b", 80), Err(Refused::Value), "Redis's form as Valkey's");
}

#[test]
fn a_huge_set_is_decoded_in_parts_and_nothing_is_believed_before_it_is_there() {
    let mut body = b"REDIS0010\x02\x01k\x80\x00\x01\x00\x00".to_vec();
    (0..0x10000u32).for_each(|n| body.extend_from_slice(&[&[4][..], &n.to_be_bytes()].concat()));
    body.push(0xff);
    body.extend_from_slice(&crc::checksum(&body).to_le_bytes());
    let (entries, parts) = decode(&body, usize::MAX, shapes()).expect("a good file");
    assert!(parts, "others have their turn meanwhile");
    assert_eq!(content(object(&entries[0])).1.len(), 0x10000);
    let mut decoder = Decoder::new(DecodeOptions::default());
    decoder.feed(b"REDIS0010\x04\x01k\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x01f");
    assert!(matches!(decoder.next(), Ok(Some(RdbEvent::Version { .. }))));
    assert!(matches!(decoder.next(), Ok(None)), "it waits");
}

#[test]
fn a_key_with_nothing_in_it_is_no_key() {
    let mut body = b"REDIS0010\xfc\x10\x27\0\0\0\0\0\0\x02\x01k\x00\x00\x01s\x01v\xff".to_vec();
    body.extend_from_slice(&crc::checksum(&body).to_le_bytes());
    let mut decoder = Decoder::new(DecodeOptions::default());
    decoder.feed(&body);
    assert!(matches!(decoder.next(), Ok(Some(RdbEvent::Version { .. }))));
    assert!(matches!(decoder.next(), Ok(Some(RdbEvent::Empty(b"k")))));
    let Ok(Some(RdbEvent::Key(key))) = decoder.next() else { panic!("the next key is there") };
    assert_eq!((key.key, key.deadline), (&b"s"[..], NEVER), "without the deadline of the one that is not");
}

#[test]
fn what_older_servers_can_read_is_written_where_it_holds_the_data() {
    let items: Vec<Vec<u8>> = vec![b"a".to_vec(), b"b".to_vec()];
    let codes = |shapes: &Shapes| -> Vec<(u8, u16)> {
        one_of_each(&items, shapes).iter().map(|entry| type_and_version(&dump(entry, Settings::default()))).collect()
    };
    assert_eq!(codes(&shapes()), [(18, 10), (2, 10), (17, 10), (16, 10), (25, 12)]);
    assert_eq!(codes(&wide()), [(18, 10), (2, 10), (5, 10), (4, 10), (24, 12)]);
    let ints = entry(set(&[b"1".to_vec(), b"2".to_vec()], &shapes()));
    assert_eq!(dump(&ints, Settings::default())[0], 11);
    let mut persisted = hash(&items, true, &shapes());
    persisted.set_deadline(b"a", NEVER);
    assert_eq!(dump(&entry(persisted), Settings::default())[0], 4, "no deadline is left");
}

/// What a payload says of itself.
fn type_and_version(payload: &[u8]) -> (u8, u16) {
    (payload[0], u16::from_le_bytes([payload[payload.len() - 10], payload[payload.len() - 9]]))
}

#[test]
fn fields_lose_their_deadlines_where_the_version_may_not_hold_them() {
    let items: Vec<Vec<u8>> = vec![b"a".to_vec(), b"b".to_vec(), b"3".to_vec()];
    for (version_max, version, kept) in [(10, 10, false), (11, 10, false), (12, 12, true)] {
        let settings = Settings { version_max, ..Settings::default() };
        for shapes in [shapes(), wide()] {
            let expected = content(object(&entry(hash(&items, kept, &shapes))));
            let before = entry(hash(&items, true, &shapes));
            let payload = dump(&before, settings);
            assert_eq!(type_and_version(&payload).1, version);
            let restored = restore(&payload, b"key", NEVER, how(shapes)).expect("what was dumped");
            assert_eq!(content(object(&restored)), expected);

            let mut encoder = Encoder::new(settings);
            encoder.begin(VERSION_FIELD_DEADLINES, [("a", "b")]);
            encoder.entry(&before, 0);
            let Held::Object(Object::Hash(fields)) = before.value() else { panic!("a hash") };
            if let Some(table) = fields.table() {
                let head = encoder.head(&before, 0);
                encoder.open(head);
                table.iter().for_each(|field| encoder.element(Element::Field(field)));
                encoder.close();
            }
            encoder.end();
            let file = encoder.take();
            assert!(file.starts_with(format!("REDIS{version_max:04}").as_bytes()));
            let (entries, _) = decode(&file, file.len(), shapes).expect("what was encoded");
            assert!(!entries.is_empty() && entries.iter().all(|entry| content(object(entry)) == expected));
        }
    }
}
