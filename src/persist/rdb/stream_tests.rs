//! Streams there and back, whole and in parts, and the forms that none should be in.

use super::{
    payload::{Refused, Restoring, dump, restore, signed},
    *,
};
use crate::data::{
    entry::{Entry, NEVER, Value as Held},
    listpack::Listpack,
    object::{Collection, Object},
    pieces::{self, Element},
    stream::{NodeLimits, Pending, Stream, StreamId, StreamPart},
};
use proptest::prelude::*;

const HOW: fn() -> Restoring = || Restoring { verify: true, shapes: Shapes::default() };

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId { ms, seq }
}

fn stream_of(entry: &Entry) -> &Stream {
    match entry.value() {
        Held::Object(Object::Stream(stream)) => stream,
        _ => panic!("not a stream"),
    }
}

fn entry(stream: Stream) -> Entry {
    Entry::new_object(b"key", Box::new(stream.into_object()), NEVER)
}

/// All that is in a stream, a line each. Below version 11 consumers were active when they were seen.
fn text(stream: &Stream, version: u32) -> Vec<String> {
    let mut lines: Vec<String> = stream
        .range(StreamId::MIN, StreamId::MAX)
        .map(|entry| format!("{:?} {:?}", entry.id(), entry.fields().map(|(a, b)| (a.to_vec(), b.to_vec())).collect::<Vec<_>>()))
        .collect();
    stream.parts(&mut |part| {
        lines.push(match part {
            StreamPart::Node(id, pack) => format!("node {id:?} of {} elements", pack.len()),
            StreamPart::Facts(stream) => format!(
                "{} entries of {} from {:?}, last {:?}, deleted {:?}, {} groups",
                stream.len(),
                stream.entries_added(),
                stream.first_id(),
                stream.last_id(),
                stream.max_deleted_id(),
                stream.groups_len()
            ),
            StreamPart::Group(name, group) => {
                format!("group {name:?} at {:?}, read {:?}, {} pending", group.last_id(), group.entries_read(), group.pending_len())
            }
            StreamPart::Pending(id, Pending { delivered_ms, deliveries, .. }) => format!("pending {id:?} {delivered_ms} {deliveries}"),
            StreamPart::Consumers(count) => format!("{count} consumers"),
            StreamPart::Consumer(consumer) => {
                let active = if version < VERSION_ACTIVE_TIMES { Some(consumer.seen_ms()) } else { consumer.active_ms() };
                format!("consumer {:?} seen {} active {active:?}, {} pending", consumer.name(), consumer.seen_ms(), consumer.pending_len())
            }
            StreamPart::Owned(id, _) => format!("owned {id:?}"),
        });
    });
    lines
}

#[derive(Clone, Debug)]
enum Op {
    /// Entries, with so many pairs, the fields of which have this name.
    Add(u8, u8, u8),
    /// An entry by its number.
    Delete(u16),
    Group(u8, u16),
    Consumer(u8, u8, i64),
    /// So many entries from this one on become pending for a consumer.
    Deliver(u8, u8, u16, u8),
    Ack(u8, u16),
    See(u8, u8, i64, bool),
    Read(u8, Option<u32>),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..30u8, 1..4u8, 0..3u8).prop_map(|(n, pairs, name)| Op::Add(n, pairs, name)),
        3 => any::<u16>().prop_map(Op::Delete),
        2 => (0..4u8, any::<u16>()).prop_map(|(g, at)| Op::Group(g, at)),
        3 => (0..4u8, 0..4u8, 0..3i64).prop_map(|(g, c, ms)| Op::Consumer(g, c, ms)),
        4 => (0..4u8, 0..4u8, any::<u16>(), 1..200u8).prop_map(|(g, c, at, n)| Op::Deliver(g, c, at, n)),
        2 => (0..4u8, any::<u16>()).prop_map(|(g, at)| Op::Ack(g, at)),
        2 => (0..4u8, 0..4u8, 0..3i64, any::<bool>()).prop_map(|(g, c, ms, active)| Op::See(g, c, ms, active)),
        1 => (0..4u8, any::<Option<u32>>()).prop_map(|(g, read)| Op::Read(g, read)),
    ]
}

fn name(n: u8) -> Vec<u8> {
    match n {
        0 => b"7".to_vec(),
        1 => Vec::new(),
        n => vec![n; 40],
    }
}

/// An ID for number `n`: the sequence wraps now and then, so that counted from a node's it goes back.
fn nth(n: u64) -> StreamId {
    if n % 7 == 6 { id(1000 + n, u64::MAX) } else { id(1000 + n, n % 3) }
}

fn stream(ops: &[Op], limits: NodeLimits) -> Stream {
    let mut stream = Stream::new();
    let mut added = 0u64;
    for op in ops {
        match *op {
            Op::Add(count, pairs, field) => {
                for _ in 0..count {
                    added += 1;
                    let texts: Vec<Vec<u8>> = (0..pairs)
                        .flat_map(|i| [format!("f{}", field + i).into_bytes(), format!("{}", added * u64::from(i)).into_bytes()])
                        .collect();
                    stream.append(nth(added), texts.iter().map(Vec::as_slice), limits);
                }
            }
            Op::Delete(at) => {
                stream.delete(nth(u64::from(at) % (added + 1)));
            }
            Op::Group(group, at) => {
                stream.create_group(&name(group), nth(u64::from(at)), Some(u64::from(at)));
            }
            Op::Consumer(group, consumer, ms) => {
                if let Some(group) = stream.group_mut(&name(group)) {
                    group.create_consumer(&name(consumer), ms);
                }
            }
            Op::Deliver(group, consumer, at, count) => {
                if let Some(group) = stream.group_mut(&name(group))
                    && let Some(consumer) = group.consumer(&name(consumer))
                {
                    for n in u64::from(at)..u64::from(at) + u64::from(count) {
                        group.set_pending(nth(n), Pending { consumer, delivered_ms: n as i64, deliveries: n % 5 });
                    }
                }
            }
            Op::Ack(group, at) => {
                if let Some(group) = stream.group_mut(&name(group)) {
                    group.ack(nth(u64::from(at)));
                }
            }
            Op::See(group, consumer, ms, active) => {
                if let Some(group) = stream.group_mut(&name(group))
                    && let Some(consumer) = group.consumer(&name(consumer))
                {
                    if active { group.was_active(consumer, ms) } else { group.saw(consumer, ms) }
                }
            }
            Op::Read(group, read) => {
                if let Some(group) = stream.group_mut(&name(group)) {
                    group.set_entries_read(read.map(u64::from));
                }
            }
        }
    }
    stream
}

/// The only stream of a file, fed in chunks.
fn loaded(file: &[u8], chunk: usize) -> Entry {
    let mut decoder = Decoder::new(DecodeOptions::default());
    let mut found = None;
    for piece in file.chunks(chunk) {
        decoder.feed(piece);
        while let Some(event) = decoder.next().expect("what was encoded") {
            if let RdbEvent::Key(key) = event {
                found = Some(key.into_entry());
            }
        }
    }
    decoder.finish().expect("it is whole");
    found.expect("there is one")
}

proptest! {
    #[test]
    fn streams_come_back_as_they_were(
        ops in proptest::collection::vec(op(), 0..60),
        (entries, chunk) in (1..40usize, 1..300usize),
        version in prop_oneof![Just(VERSION_WRITTEN), Just(VERSION_ACTIVE_TIMES), Just(u32::MAX)],
        compression: bool,
    ) {
        let settings = Settings { compression, version_max: version, ..Settings::default() };
        let before = entry(stream(&ops, NodeLimits { bytes: 400, entries }));
        let expected = text(stream_of(&before), version);

        let payload = dump(&before, settings);
        let is_later = version >= VERSION_ACTIVE_TIMES && stream_of(&before).has_apart();
        prop_assert_eq!((payload[0], payload[payload.len() - 10]), if is_later { (21, 11) } else { (19, 10) });
        let restored = restore(&payload, b"key", NEVER, HOW()).expect("what was dumped");
        prop_assert_eq!(&text(stream_of(&restored), version), &expected);

        // Whole, and as a walk hands it over.
        let mut encoder = Encoder::new(settings);
        encoder.begin(VERSION_FIELD_DEADLINES, [("a", "b")]);
        encoder.entry(&before, 0);
        encoder.end();
        let whole = encoder.take();
        prop_assert_eq!(&text(stream_of(&loaded(&whole, chunk)), version), &expected);
        let mut encoder = Encoder::new(settings);
        encoder.begin(VERSION_FIELD_DEADLINES, [("a", "b")]);
        let head = encoder.head(&before, 0);
        encoder.open(head);
        let Held::Object(object) = before.value() else { panic!("a stream") };
        let mut shared = pieces::shared(object).expect("its parts can be shared");
        let mut elements = |element: Element<'_>| encoder.element(element);
        while shared.step(&mut elements) {}
        encoder.close();
        encoder.end();
        prop_assert_eq!(encoder.take(), whole);
    }

    #[test]
    fn broken_streams_do_no_harm(
        ops in proptest::collection::vec(op(), 1..30),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let settings = Settings { compression: false, ..Settings::default() };
        let payload = dump(&entry(stream(&ops, NodeLimits { bytes: 400, entries: 10 })), settings);
        let mut body = payload[..payload.len() - 10].to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(entry) = restore(&signed(&body), b"key", NEVER, HOW())
            && let Held::Object(Object::Stream(accepted)) = entry.value()
        {
            // All of it can be looked at, and it comes back.
            text(accepted, 11);
            let again = dump(&entry, settings);
            let restored = restore(&again, b"key", NEVER, HOW()).expect("what was dumped");
            prop_assert_eq!(dump(&restored, settings), again);
        }
    }
}

/// A listpack of these, with words for numbers as numbers.
fn pack(elements: &str) -> Vec<u8> {
    let mut pack = Listpack::new();
    elements.split_whitespace().for_each(|element| pack.push(element.as_bytes()));
    pack.to_bytes()
}

/// A body: numbers are lengths, `#n` an ID of 16 bytes, `@n` a moment, `[...]` a listpack, and what is left is a string.
fn body(code: u8, text: &str) -> Vec<u8> {
    let mut out = vec![code];
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (elements, behind) = inside.split_once(']').expect("a listpack ends");
            let bytes = pack(elements);
            out.extend_from_slice(&[0x40 | (bytes.len() >> 8) as u8, bytes.len() as u8]);
            out.extend_from_slice(&bytes);
            rest = behind.trim_start();
            continue;
        }
        let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = behind.trim_start();
        match word.as_bytes() {
            [b'#', digits @ ..] => {
                let n: u64 = String::from_utf8_lossy(digits).parse().expect("a number");
                out.extend_from_slice(&u128::from(n).to_be_bytes());
            }
            [b'=', ..] => {
                let n: u64 = word[1..].parse().expect("a number");
                out.push(16);
                out.extend_from_slice(&u128::from(n).to_be_bytes());
            }
            [b'@', ..] => out.extend_from_slice(&word[1..].parse::<i64>().expect("a number").to_le_bytes()),
            [b'0'..=b'9', ..] => {
                out.push(0x81);
                out.extend_from_slice(&word.parse::<u64>().expect("a number").to_be_bytes());
            }
            text => {
                out.push(text.len() as u8);
                out.extend_from_slice(text);
            }
        }
    }
    out
}

fn taken(code: u8, text: &str) -> Result<Entry, Refused> {
    restore(&signed(&body(code, text)), b"key", NEVER, HOW())
}

/// A node `=1` with two entries, 0-1 and 0-3, and one that is deleted between them; fields `a` and `b`.
const NODE: &str = "=1 [2 1 2 a b 0  2 0 0 x y 5  3 0 1 x y 5  0 0 2 1 c z 6]";
/// Two entries, the last of three 0-3.
const FACTS: &str = "2 0 3 0 1 0 2 3";

#[test]
fn what_a_file_says_of_a_stream_is_what_it_is() {
    let text_of = |code, body: &str| text(stream_of(&taken(code, body).unwrap_or_else(|_| panic!("{body}"))), 11);
    let lines = text_of(21, &format!("1 {NODE} {FACTS} 1 g 0 1 1 2 #1 @5 1 #3 @6 2 2 c @9 @-1 1 #3 d @7 @7 1 #1"));
    assert_eq!(
        lines.join("\n"),
        "StreamId { ms: 0, seq: 1 } [([97], [120]), ([98], [121])]\n\
         StreamId { ms: 0, seq: 3 } [([99], [122])]\n\
         node StreamId { ms: 0, seq: 1 } of 25 elements\n\
         2 entries of 3 from StreamId { ms: 0, seq: 1 }, last StreamId { ms: 0, seq: 3 }, deleted StreamId { ms: 0, seq: 2 }, 1 groups\n\
         group [103] at StreamId { ms: 0, seq: 1 }, read Some(1), 2 pending\n\
         pending StreamId { ms: 0, seq: 1 } 5 1\n\
         pending StreamId { ms: 0, seq: 3 } 6 2\n\
         2 consumers\n\
         consumer [99] seen 9 active None, 1 pending\n\
         owned StreamId { ms: 0, seq: 3 }\n\
         consumer [100] seen 7 active Some(7), 1 pending\n\
         owned StreamId { ms: 0, seq: 1 }"
    );
    // What older forms do not say is made up for as Redis does.
    let lines = text_of(15, &format!("1 {NODE} 2 0 3 3 at-first 0 1 0 0 before 0 0 0 0 end 0 3 0 0"));
    assert!(lines.iter().any(|line| line.starts_with("2 entries of 2 from StreamId { ms: 0, seq: 1 }")), "{lines:?}");
    let read: Vec<_> = lines.iter().filter_map(|line| line.split_once(", read ")).map(|(_, read)| read).collect();
    assert_eq!(read, ["Some(1), 0 pending", "Some(0), 0 pending", "Some(2), 0 pending"]);
    let lines = text_of(19, &format!("1 {NODE} {FACTS} 1 g 0 1 18446744073709551615 0 1 c @9 0"));
    assert!(lines.iter().any(|line| line.ends_with("read None, 0 pending")), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("seen 9 active Some(9), 0 pending")), "{lines:?}");
    // An empty stream is a key.
    assert_eq!(text_of(19, "0 0 5 6 0 0 5 6 9 0").len(), 1);
    // A node without entries, which Redis may leave behind, is left out.
    assert_eq!(text_of(19, &format!("2 {NODE} =9 [0 1 1 a 0  3 0 0 x 4] {FACTS} 0"))[2..].len(), 2);
}

#[test]
fn a_stream_that_contradicts_itself_is_refused() {
    assert!(taken(19, &format!("1 {NODE} {FACTS} 0")).is_ok());
    let node_wrong = [
        ("a count that is none", "=1 [x 1 1 a 0  2 0 0 x 4]"),
        ("a negative count", "=1 [-1 1 1 a 0]"),
        ("fewer entries than counted", "=1 [2 0 1 a 0  2 0 0 x 4]"),
        ("more entries than counted", "=1 [1 0 1 a 0  2 0 0 x 4  2 0 1 x 4]"),
        ("fewer deleted than counted", "=1 [1 1 1 a 0  2 0 0 x 4  2 0 1 x 4]"),
        ("a negative number of fields", "=1 [1 0 -1 0  2 0 0 2]"),
        ("more fields than there are", "=1 [1 0 9 a 0  2 0 0 x 4]"),
        ("no end of the master entry", "=1 [1 0 1 a 1  2 0 0 x 4]"),
        ("flags that are none", "=1 [1 0 1 a 0  f 0 0 x 4]"),
        ("flags that nobody knows", "=1 [1 0 1 a 0  6 0 0 x 4]"),
        ("an ID that is none", "=1 [1 0 1 a 0  2 i 0 x 4]"),
        ("a wrong number of elements", "=1 [1 0 1 a 0  2 0 0 x 5]"),
        ("own fields that are not there", "=1 [1 0 1 a 0  0 0 0 5 b x 6]"),
        ("an entry that ends early", "=1 [1 0 1 a 0  2 0 0]"),
        ("an ID in front of the node's", "=1 [1 0 1 a 0  2 0 -1 x 4]"),
        ("the same ID twice", "=1 [2 0 1 a 0  2 0 1 x 4  2 0 1 x 4]"),
        ("IDs that go back", "=1 [2 0 1 a 0  2 0 2 x 4  2 0 1 x 4]"),
        ("nothing at all", "=1 []"),
        ("an ID that is too short", "abc [1 0 1 a 0  2 0 0 x 4]"),
    ];
    for (what, node) in node_wrong {
        assert_eq!(taken(19, &format!("1 {node} 1 0 9 0 1 0 0 1 0")).err(), Some(Refused::Value), "{what}");
    }
    let wrong = [
        ("a node twice", format!("2 {NODE} {NODE} {FACTS} 0")),
        ("nodes that go back", format!("2 =9 [1 0 1 a 0  2 0 0 x 4] {NODE} 3 0 9 0 1 0 0 3 0")),
        ("nodes that overlap", format!("2 {NODE} =2 [1 0 1 a 0  2 0 0 x 4] 3 0 9 0 1 0 0 3 0")),
        ("another number of entries", format!("1 {NODE} 3 0 3 0 1 0 2 3 0")),
        ("entries without nodes", "0 1 0 3 0 1 0 0 1 0".to_owned()),
        ("a last ID in front of the last entry", format!("1 {NODE} 2 0 2 0 1 0 2 3 0")),
        ("a group twice", format!("1 {NODE} {FACTS} 2 g 0 1 1 0 0 g 0 1 1 0 0")),
        ("a pending entry twice", format!("1 {NODE} {FACTS} 1 g 0 1 1 2 #1 @5 1 #1 @5 1 1 c @9 1 #1")),
        ("pending entries that go back", format!("1 {NODE} {FACTS} 1 g 0 1 1 2 #3 @5 1 #1 @5 1 1 c @9 2 #1 #3")),
        ("a consumer twice", format!("1 {NODE} {FACTS} 1 g 0 1 1 0 2 c @9 0 c @9 0")),
        ("a pending entry of nobody", format!("1 {NODE} {FACTS} 1 g 0 1 1 2 #1 @5 1 #3 @5 1 1 c @9 1 #1")),
        ("one that the group does not have", format!("1 {NODE} {FACTS} 1 g 0 1 1 1 #1 @5 1 1 c @9 1 #2")),
        ("one twice for a consumer", format!("1 {NODE} {FACTS} 1 g 0 1 1 1 #1 @5 1 1 c @9 2 #1 #1")),
        ("one for two consumers", format!("1 {NODE} {FACTS} 1 g 0 1 1 1 #1 @5 1 2 c @9 1 #1 d @9 1 #1")),
        ("an end before the groups", format!("1 {NODE} {FACTS} 1")),
        ("an end before the facts", format!("1 {NODE}")),
        ("an end before the nodes", "18446744073709551615".to_owned()),
        ("more pending entries than there are", format!("1 {NODE} {FACTS} 1 g 0 1 1 18446744073709551615 #1 @5 1")),
    ];
    for (what, text) in wrong {
        assert_eq!(taken(19, &text).err(), Some(Refused::Value), "{what}");
    }
}

/// What nobody wrote with any sense is told so that commands can count on with it.
#[test]
fn moments_and_counts_stay_where_they_can_be_counted_with() {
    let max = u64::MAX;
    let entry =
        taken(21, &format!("1 {NODE} 2 0 3 0 1 0 2 {max} 1 g 0 1 9223372036854775808 1 #1 @-9223372036854775808 {max} 1 c @-5 @-7 1 #1"))
            .unwrap_or_else(|_| panic!("it is taken"));
    let lines = text(stream_of(&entry), 11).join("\n");
    for part in ["2 entries of 9223372036854775807", "read None", "} 0 9223372036854775807\n", "seen 0 active None"] {
        assert!(lines.contains(part), "{part} in {lines}");
    }
    let few = taken(19, &format!("1 {NODE} 2 0 3 0 1 0 2 0 0")).unwrap_or_else(|_| panic!("it is taken"));
    assert_eq!(stream_of(&few).entries_added(), 2, "as many were added as there are");
}

/// XSETID may go back behind an entry that is deleted: then one with a smaller ID comes behind it in the same node.
#[test]
fn a_deleted_entry_may_stand_anywhere() {
    let text = "1 =1 [2 1 1 a 0  2 0 0 x 4  3 0 8 x 4  2 0 2 x 4] 2 0 3 0 1 0 9 3 0";
    let entry = taken(19, text).unwrap_or_else(|_| panic!("it is taken"));
    let stream = stream_of(&entry);
    let ids = |from, to| stream.range(from, to).map(|entry| entry.id().seq).collect::<Vec<_>>();
    assert_eq!(ids(StreamId::MIN, StreamId::MAX), [1, 3]);
    assert_eq!(ids(id(0, 2), id(0, 5)), [3]);
    assert!(stream.get(id(0, 3)).is_some() && stream.get(id(0, 9)).is_none());
    assert_eq!(stream.range_back(StreamId::MAX, StreamId::MIN).map(|entry| entry.id().seq).collect::<Vec<_>>(), [3, 1]);
    let mut stream = stream.clone();
    assert!(!stream.delete(id(0, 9)) && stream.delete(id(0, 3)) && stream.delete(id(0, 1)));
    assert!(stream.is_empty());
}
