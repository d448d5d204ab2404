//! The whole way there and back, and what a stranger can do on it.

use super::*;
use crate::data::{
    entry::{Entry, NEVER, NewString, Value as Held},
    object::Object,
};
use bytes::Bytes;
use proptest::prelude::*;

/// An event that borrows nothing.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Version(Family, u32),
    Aux(Vec<u8>, Vec<u8>),
    SelectDb(u64),
    Resize(u64, u64),
    Slot(u64, u64, u64),
    Key { key: Vec<u8>, value: Vec<u8>, deadline: i64, idle: Option<u64>, frequency: Option<u8> },
    Function(Vec<u8>),
    Module([u8; 9]),
    Part,
    Empty(Vec<u8>),
    End(Checksum),
}

fn said(event: RdbEvent<'_>) -> Said {
    match event {
        RdbEvent::Version { family, version } => Said::Version(family, version),
        RdbEvent::Aux { name, value } => Said::Aux(name.into(), value.into()),
        RdbEvent::SelectDb(db) => Said::SelectDb(db),
        RdbEvent::ResizeDb { keys, volatile } => Said::Resize(keys, volatile),
        RdbEvent::SlotInfo { slot, keys, volatile } => Said::Slot(slot, keys, volatile),
        RdbEvent::Key(Key { key, value, deadline, idle_seconds, frequency }) => {
            let value = match value {
                LoadedValue::Int(n) => n.to_string().into_bytes(),
                LoadedValue::Str(s) => s.to_vec(),
                LoadedValue::Bytes(b) => b.to_vec(),
                LoadedValue::Object(object) => format!("{object:?}", object = super::collection_tests::content(&object)).into_bytes(),
            };
            Said::Key { key: key.into(), value, deadline, idle: idle_seconds, frequency }
        }
        RdbEvent::Function(code) => Said::Function(code.into()),
        RdbEvent::ModuleAux(module) => Said::Module(module),
        RdbEvent::Part => Said::Part,
        RdbEvent::Empty(key) => Said::Empty(key.into()),
        RdbEvent::End(checksum) => Said::End(checksum),
    }
}

fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, options: DecodeOptions) -> (Vec<Said>, Result<(), RdbError>) {
    let (mut decoder, mut all) = (Decoder::new(options), Vec::new());
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next() {
                Ok(Some(event)) => all.push(said(event)),
                Ok(None) => break,
                Err(error) => return (all, Err(error)),
            }
        }
    }
    (all, decoder.finish())
}

fn decode(bytes: &[u8]) -> (Vec<Said>, Result<(), RdbError>) {
    decode_pieces([bytes], DecodeOptions::default())
}

/// A file of these records behind its head, with a checksum.
fn file(version: &str, records: &[&[u8]]) -> Vec<u8> {
    let mut bytes = [version.as_bytes(), &records.concat(), b"\xff"].concat();
    bytes.extend_from_slice(&crc::checksum(&bytes).to_le_bytes());
    bytes
}

fn key(key: &[u8], value: &[u8]) -> Said {
    Said::Key { key: key.into(), value: value.into(), deadline: NEVER, idle: None, frequency: None }
}

fn reason(bytes: &[u8]) -> (u64, Reason) {
    let error = decode(bytes).1.expect_err("it is refused");
    (error.offset, error.reason)
}

fn string_entry(key: &[u8], value: &[u8], deadline: i64) -> Entry {
    NewString::encode(value, || Bytes::copy_from_slice(value)).into_entry(key, deadline)
}

#[test]
fn every_kind_of_record_is_understood() {
    let records: &[&[u8]] = &[
        b"\xfa\x09redis-ver\x057.2.5",
        b"\xfa\xc0\x07\xc1\x00\x01",
        b"\xf5\x04code",
        b"\xf7\x81\x04\x10\x41\x04\x10\x41\x04\x00\x02\x01\x01\x05\x02\x06\x03\x00\x00\x80\x3f\x04\x00\x00\x00\x00\x00\x00\xf0\x3f\x05\x03abc\x00",
        b"\xfe\x03",
        b"\xfb\x05\x01",
        b"\xf4\x40\x64\x05\x01",
        b"\xfc\x10\x27\x00\x00\x00\x00\x00\x00\x00\x01a\x02aa",
        b"\xfd\x0a\x00\x00\x00\xf8\x05\x00\x01b\xc0\xff",
        b"\xf9\xff\x00\xc1\x39\x30\xc2\x40\xe2\x01\x00",
        b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x00\x01c\xc3\x09\x36\x01aa\xe0)\x00\x01aa",
        b"\x00\x00\x00",
    ];
    let with = |deadline, idle, frequency, said| match said {
        Said::Key { key, value, .. } => Said::Key { key, value, deadline, idle, frequency },
        other => other,
    };
    let expected = [
        Said::Version(Family::Redis, 10),
        Said::Aux(b"redis-ver".into(), b"7.2.5".into()),
        Said::Aux(b"7".into(), b"256".into()),
        Said::Function(b"code".into()),
        Said::Module(*b"BBBBBBBBB"),
        Said::SelectDb(3),
        Said::Resize(5, 1),
        Said::Slot(100, 5, 1),
        with(10_000, None, None, key(b"a", b"aa")),
        with(10_000, Some(5), None, key(b"b", b"-1")),
        with(NEVER, None, Some(255), key(b"12345", b"123456")),
        key(b"c", &[b'a'; 54]),
        key(b"", b""),
        Said::End(Checksum::Verified),
    ];
    assert_eq!(decode(&file("REDIS0010", records)), (expected.to_vec(), Ok(())));
}

#[test]
fn versions_of_both_families_are_known_by_their_signature() {
    for (signature, known) in [
        ("REDIS0001", true),
        ("REDIS0009", true),
        ("REDIS0012", true),
        ("REDIS0014", false),
        ("REDIS0000", false),
        ("REDIS0080", false),
        ("VALKEY080", true),
        ("VALKEY011", false),
        ("VALKEY081", false),
        ("REDIS00x1", false),
        ("VALKEYxyz", false),
        ("garbage  ", false),
    ] {
        assert_eq!(decode(&file(signature, &[b"\x00\x01k\x01v"])).1.is_ok(), known, "{signature}");
    }
    assert_eq!(reason(b"REDIS0099"), (0, Reason::Version { family: Family::Redis, version: 99 }));
    assert_eq!(reason(b"RX"), (0, Reason::Signature), "garbage is recognised at its first byte");
}

#[test]
fn old_files_have_no_checksum() {
    let (events, end) = decode(b"REDIS0004\x00\x01k\x01v\xff");
    assert_eq!((events.last(), end), (Some(&Said::End(Checksum::Absent)), Ok(())));
    let unsummed = [&b"REDIS0009\xff"[..], &[0; 8]].concat();
    assert_eq!(decode(&unsummed).0.last(), Some(&Said::End(Checksum::Absent)));
}

#[test]
fn a_wrong_checksum_is_refused_where_it_stands_unless_nobody_asks() {
    let mut bytes = file("REDIS0010", &[b"\x00\x01k\x01v"]);
    bytes[13] ^= 1;
    assert!(matches!(reason(&bytes), (15, Reason::Checksum { .. })));
    let (events, end) = decode_pieces([&bytes[..]], DecodeOptions { verify: false, ..DecodeOptions::default() });
    assert_eq!((events.last(), end), (Some(&Said::End(Checksum::Ignored)), Ok(())));
}

#[test]
fn what_we_do_not_have_is_refused_by_name() {
    let stream = reason(&file("REDIS0013", &[b"\x1a\x04mine\x00"]));
    assert_eq!(stream, (15, Reason::Unsupported { name: "stream (version 4)", code: 26, key: (*b"mine").into() }));
    assert_eq!(
        RdbError { offset: 15, reason: stream.1 }.to_string(),
        "at byte 15: the value of key 'mine' is of a type that is not supported: stream (version 4) (type 26)"
    );
    assert_eq!(reason(&file("REDIS0010", &[b"\x08"])), (9, Reason::Opcode(8)));
    assert_eq!(reason(&file("REDIS0010", &[b"\x64"])), (9, Reason::Opcode(100)));
    assert!(matches!(reason(&file("REDIS0010", &[b"\xf6\x00"])), (9, Reason::Foreign(_))));
    assert!(matches!(reason(&file("VALKEY080", &[b"\xf3\x00"])), (9, Reason::Foreign(what)) if what.contains("slots")));
    assert!(matches!(reason(&file("REDIS0013", &[b"\xf3\x00"])), (9, Reason::Foreign(what)) if what.contains("metadata")));
    // Not an item, and not the kind of item that a module's data begins with.
    assert_eq!(reason(&file("REDIS0010", &[b"\xf7\x00\x02\x01\x09"])).1, Reason::Module(*b"AAAAAAAAA"));
    assert_eq!(reason(&file("REDIS0010", &[b"\xf7\x00\x01\x01\x00"])).1, Reason::Module(*b"AAAAAAAAA"));
}

#[test]
fn a_stream_that_breaks_off_is_refused_at_its_end() {
    let bytes = file("REDIS0010", &[b"\xfa\x01a\x01b\xfe\x00\xfb\x02\x00\x00\x01k\x01v\x00\x01l\xc3\x09\x36\x01aa\xe0)\x00\x01aa"]);
    for n in 0..bytes.len() {
        assert_eq!(decode(&bytes[..n]).1, Err(RdbError { offset: n as u64, reason: Reason::Truncated }));
    }
    assert_eq!(decode(&bytes).1, Ok(()));
}

#[test]
fn what_follows_the_end_is_left_alone() {
    let bytes = [&file("REDIS0010", &[])[..], b"*1\r\n$4\r\nPING\r\n"].concat();
    let mut decoder = Decoder::new(DecodeOptions::default());
    decoder.feed(&bytes[..20]);
    while let Ok(Some(_)) = decoder.next() {}
    decoder.feed(&bytes[20..]);
    assert!(matches!(decoder.next(), Ok(None)));
    assert!(decoder.is_done());
    assert_eq!((decoder.rest(), decoder.offset()), (&b"*1\r\n$4\r\nPING\r\n"[..], 18));
}

#[test]
fn announced_lengths_are_held_against_the_size_and_cost_nothing() {
    let announced = b"REDIS0010\x00\x01k\x81\x7f\xff\xff\xff\xff\xff\xff\xff";
    let (_, end) = decode_pieces([&announced[..]], DecodeOptions { size: Some(1000), ..DecodeOptions::default() });
    let left = 1000 - announced.len() as u64;
    assert_eq!(end.map_err(|e| (e.offset, e.reason)), Err((12, Reason::TooLong { announced: 0x7fff_ffff_ffff_ffff, left })));
    // Without a size it is waited for, and memory is taken for what comes.
    let (_, end) = decode_pieces([&announced[..], &[0; 100_000]], DecodeOptions::default());
    assert_eq!(end.map_err(|e| e.reason), Err(Reason::Truncated));
    // So many bytes cannot come of three.
    assert_eq!(reason(b"REDIS0010\x00\x01k\xc3\x03\x80\x10\x00\x00\x00").1, Reason::Compression);
}

#[test]
fn long_values_are_collected_whole() {
    let value: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    let packed: Vec<u8> = std::iter::repeat_n(b"\xe0\xff\x00".as_slice(), 10_000).collect::<Vec<_>>().concat();
    let packed = [b"\x00a".as_slice(), &packed].concat();
    let unpacked = 1 + 264 * 10_000;
    let mut bytes = b"REDIS0010\x00\x01k\x80".to_vec();
    bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&value);
    bytes.extend_from_slice(b"\x00\x01l\xc3\x80");
    bytes.extend_from_slice(&(packed.len() as u32).to_be_bytes());
    bytes.push(0x80);
    bytes.extend_from_slice(&(unpacked as u32).to_be_bytes());
    bytes.extend_from_slice(&packed);
    bytes.extend_from_slice(b"\xff");
    bytes.extend_from_slice(&crc::checksum(&bytes).to_le_bytes());
    let expected = [Said::Version(Family::Redis, 10), key(b"k", &value), key(b"l", &vec![b'a'; unpacked]), Said::End(Checksum::Verified)];
    for piece in [bytes.len(), 65_536, 4093] {
        for size in [None, Some(bytes.len() as u64)] {
            let (events, end) = decode_pieces(bytes.chunks(piece), DecodeOptions { size, ..DecodeOptions::default() });
            assert!(events == expected, "in pieces of {piece}");
            assert_eq!(end, Ok(()));
        }
    }
}

#[test]
fn a_long_value_leaves_in_pieces_of_its_own_buffer() {
    let value = Bytes::from(vec![7u8; 5_000_000]);
    let long = Entry::new_object(b"long", Box::new(Object::from_bytes(value.clone())), NEVER);
    let mut encoder = Encoder::new(Settings::default());
    encoder.begin(VERSION_WRITTEN, [("a", "b")]);
    encoder.entry(&long, 0);
    encoder.entry(&string_entry(b"short", b"v", NEVER), 0);
    encoder.end();
    let (mut all, mut polls) = (Vec::new(), 1);
    while encoder.poll(100_000) != Progress::Done {
        polls += 1;
        while let Some(piece) = encoder.pop() {
            if piece.len() > 1000 {
                assert!(value.as_ptr_range().contains(&piece.as_ptr()), "no copy");
            }
            all.push(piece);
        }
    }
    assert_eq!(polls, 51);
    all.extend(std::iter::from_fn(|| encoder.pop()));
    assert_eq!(encoder.ready_bytes(), 0);
    let (events, end) = decode_pieces(all.iter().map(|piece| &piece[..]), DecodeOptions::default());
    assert_eq!(end, Ok(()));
    assert!(events[2..] == [key(b"long", &value), key(b"short", b"v"), Said::End(Checksum::Verified)]);
}

#[test]
fn marks_of_access_are_written_for_the_policies_that_need_them() {
    let now_ms = 1_700_000_000_000;
    let encoded = |marks, access: u32| {
        let mut entry = string_entry(b"k", b"v", NEVER);
        entry.set_access(access);
        let mut encoder = Encoder::new(Settings { marks, ..Settings::default() });
        encoder.entry(&entry, now_ms);
        encoder.take()
    };
    let seconds = (now_ms / 1000) as u32 & 0xff_ffff;
    // A quarter of a second is a tick of a frequency's clock.
    let ticks = (now_ms / 250 - 3 * 240) as u32 & 0x1_ffff;
    assert_eq!(encoded(AccessMarks::None, seconds << 1), b"\x00\x01k\x01v");
    assert_eq!(encoded(AccessMarks::Idle, (seconds - 100) << 1), b"\xf8\x40\x64\x00\x01k\x01v");
    assert_eq!(encoded(AccessMarks::Frequency { decay_minutes: 1 }, ticks << 8 | 10), b"\xf9\x07\x00\x01k\x01v");
}

#[test]
fn a_file_tells_about_itself_as_redis_does() {
    let replication = Some(ReplicationPosition { stream_db: 3, id: "0123456789012345678901234567890123456789", offset: 99 });
    let info = SaveInfo { unix_seconds: 1_700_000_000, used_memory: 1_000_000, replication, aof_base: true, libraries: &[] };
    let fields: Vec<_> = info.aux().iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        fields[1..].join(" "),
        "redis-bits=64 ctime=1700000000 used-mem=1000000 repl-stream-db=3 repl-id=0123456789012345678901234567890123456789 \
         repl-offset=99 aof-base=1"
    );
    let mut encoder = Encoder::new(Settings { checksum: false, ..Settings::default() });
    encoder.begin(VERSION_WRITTEN, info.aux());
    encoder.end();
    let bytes = encoder.take();
    assert!(bytes.starts_with(b"REDIS0010\xfa\x09redis-ver\x057.2.5\xfa\x0aredis-bits\xc0\x40\xfa"));
    let (events, end) = decode(&bytes);
    assert_eq!((events.len(), events.last(), end), (10, Some(&Said::End(Checksum::Absent)), Ok(())));
}

fn strings() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        (-70_000..70_000i64).prop_map(|n| n.to_string().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..70),
        proptest::collection::vec(0..3u8, 20..400),
        (proptest::collection::vec(any::<u8>(), 1..300), 1..1000usize).prop_map(|(piece, n)| piece.repeat(n)),
    ]
}

fn entries() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>, i64)>> {
    let deadline = prop_oneof![Just(NEVER), any::<i64>().prop_filter("stands for none", |n| *n != -1)];
    proptest::collection::vec((strings(), strings(), deadline), 0..12)
}

fn encode(entries: &[(Vec<u8>, Vec<u8>, i64)], settings: Settings) -> Vec<u8> {
    let mut encoder = Encoder::new(settings);
    encoder.begin(VERSION_WRITTEN, [("redis-ver", "7.2.5")]);
    encoder.select_db(7);
    encoder.resize_db(entries.len(), 300_000);
    for (key, value, deadline) in entries {
        let entry = string_entry(key, value, *deadline);
        assert!(matches!(entry.value(), Held::Int(_) | Held::Str(_) | Held::Object(Object::Bytes(_))));
        encoder.entry(&entry, 0);
        encoder.poll(5);
    }
    encoder.end();
    encoder.take()
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_however_it_is_split(
        entries in entries(), compression: bool, checksum: bool,
        splits in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes = encode(&entries, Settings { compression, checksum, ..Settings::default() });
        let mut expected = vec![
            Said::Version(Family::Redis, 10),
            Said::Aux(b"redis-ver".into(), b"7.2.5".into()),
            Said::SelectDb(7),
            Said::Resize(entries.len() as u64, 300_000),
        ];
        expected.extend(entries.into_iter().map(|(key, value, deadline)| {
            Said::Key { key, value, deadline, idle: None, frequency: None }
        }));
        expected.push(Said::End(if checksum { Checksum::Verified } else { Checksum::Absent }));
        let mut splits: Vec<_> = splits.iter().map(|at| at.index(bytes.len())).chain([0, bytes.len()]).collect();
        splits.sort_unstable();
        let pieces = splits.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        let (events, end) = decode_pieces(pieces, DecodeOptions { size: Some(bytes.len() as u64), ..DecodeOptions::default() });
        prop_assert_eq!(end, Ok(()));
        prop_assert!(events == expected);
    }

    #[test]
    fn broken_bytes_are_refused_alike_however_they_are_split(
        entries in entries(), flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), piece in 1..5000usize,
    ) {
        let mut bytes = encode(&entries, Settings::default());
        for (at, byte) in &flips {
            *at.get_mut(&mut bytes[..]) = *byte;
        }
        let size = Some(bytes.len() as u64);
        let whole = decode_pieces([&bytes[..]], DecodeOptions { size, ..DecodeOptions::default() });
        let cut = decode_pieces(bytes.chunks(piece), DecodeOptions { size, ..DecodeOptions::default() });
        prop_assert!(whole.0 == cut.0);
        prop_assert_eq!(whole.1, cut.1);
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), signed: bool) {
        let bytes = if signed { [b"REDIS0010".as_slice(), &bytes].concat() } else { bytes };
        let whole = decode(&bytes);
        let cut = decode_pieces(bytes.chunks(1), DecodeOptions::default());
        prop_assert_eq!(whole, cut);
    }
}

/// `cargo test --release --lib persist::rdb::tests::speed -- --ignored --nocapture` prints nanoseconds a key.
#[test]
#[ignore = "it measures"]
fn speed() {
    use crate::{data::key_hash::Seed, keyspace::Keyspace};
    use std::time::Instant;
    const KEYS: u32 = 1_000_000;
    let each = |began: Instant| began.elapsed().as_nanos() / u128::from(KEYS);
    let mut rng = crate::data::rng::Rng::new(1);
    for (what, compression, letters) in
        [("plain", false, 16), ("in hexadecimal, compression on", true, 16), ("of two letters, compressed", true, 2)]
    {
        let values: Vec<_> = (0..KEYS)
            .map(|i| {
                let value: Vec<u8> = (0..100).map(|_| b'a' + (rng.unit() * f64::from(letters)) as u8).collect();
                string_entry(format!("key:{i:012}").as_bytes(), &value, NEVER)
            })
            .collect();
        let mut encoder = Encoder::new(Settings { compression, ..Settings::default() });
        let began = Instant::now();
        encoder.begin(VERSION_WRITTEN, [("a", "b")]);
        for entry in &values {
            encoder.entry(entry, 0);
        }
        encoder.end();
        let encoded = each(began);
        encoder.poll(usize::MAX);
        let summed = each(began) - encoded;
        let bytes = encoder.take();
        drop(values);
        let began = Instant::now();
        let mut decoder = Decoder::new(DecodeOptions { size: Some(bytes.len() as u64), ..DecodeOptions::default() });
        let mut keys = 0;
        for piece in bytes.chunks(64 * 1024) {
            decoder.feed(piece);
            while let Some(event) = decoder.next().expect("valid") {
                keys += u32::from(matches!(event, RdbEvent::Key(_)));
            }
        }
        let decoded = each(began);
        assert_eq!(keys, KEYS);
        let mut keyspace = Keyspace::new(1, Seed::new(1));
        let began = Instant::now();
        let mut decoder = Decoder::new(DecodeOptions { size: Some(bytes.len() as u64), ..DecodeOptions::default() });
        for piece in bytes.chunks(64 * 1024) {
            decoder.feed(piece);
            while let Some(event) = decoder.next().expect("valid") {
                if let RdbEvent::Key(key) = event {
                    let hash = keyspace.hash(key.key);
                    let mut entry = key.into_entry();
                    keyspace.access.restored(&mut entry, None, None, 0);
                    keyspace.adopt(0, hash, entry);
                }
            }
        }
        println!("{what}: encoding {encoded} ns, sum {summed} ns, decoding with its sum {decoded} ns, loading {} ns", each(began));
    }
}
