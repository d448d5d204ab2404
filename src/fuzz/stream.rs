//! RESTORE of streams: a payload of any bytes with a right checksum, and then every stream command on what was accepted.

use super::Still;
use crate::{
    config::Config,
    data::{
        entry::{NEVER, Value},
        object::Object,
        stream::Stream,
    },
    engine::Engine,
    keyspace::Keyspace,
    persist::{
        load::{LoadOptions, Loader, LoaderProgress},
        rdb::{Progress, SaveInfo, Settings, Shapes, payload},
        snapshot::{RdbSink, SnapshotSink},
    },
    state::{ConnId, client::Origin},
};

const CONN: ConnId = ConnId(0);
const KEY: &[u8] = b"stream";

/// What groups and consumers are called that a command makes, and IDs that commands are given beside the stream's own.
const NAME: &[u8] = b"name";
const IDS: [&[u8]; 5] = [b"-", b"+", b"0-0", b"1526569498055-0", b"18446744073709551615-18446744073709551614"];

/// Every stream command, with `K`, `G`, `C` and `I` for a key, a group, a consumer and an ID.
const COMMANDS: &str = "\
XLEN K
XRANGE K - + COUNT 50
XRANGE K I +
XRANGE K ( I
XREVRANGE K + - COUNT 50
XREVRANGE K I -
XREAD COUNT 20 STREAMS K I
XINFO STREAM K
XINFO STREAM K FULL COUNT 20
XINFO GROUPS K
XINFO CONSUMERS K G
XPENDING K G
XPENDING K G - + 20
XPENDING K G IDLE 1 I + 20 C
XREADGROUP GROUP G C COUNT 5 STREAMS K >
XREADGROUP GROUP G C COUNT 5 STREAMS K I
XREADGROUP GROUP G name NOACK COUNT 5 STREAMS K >
XCLAIM K G C 0 I
XCLAIM K G C 0 I JUSTID FORCE RETRYCOUNT 3
XAUTOCLAIM K G C 0 I COUNT 20
XACK K G I
XACKDEL K G DELREF IDS 1 I
XDELEX K ACKED IDS 1 I
XADD K * field value
XADD K NOMKSTREAM MAXLEN ~ 100 * other value field value
XDEL K I
XTRIM K MINID I
XTRIM K MAXLEN ~ 3
XTRIM K MAXLEN 2
XGROUP CREATE K name I
XGROUP CREATECONSUMER K G name
XGROUP SETID K G I ENTRIESREAD 1
XGROUP DELCONSUMER K G C
XGROUP DESTROY K G
XSETID K I
XSETID K 18446744073709551615-18446744073709551615 ENTRIESADDED 9 MAXDELETEDID 1-1
XADD K * field value
COPY K copy
OBJECT ENCODING K
MEMORY USAGE K SAMPLES 0
DEBUG DIGEST-VALUE K
DEL copy
";

/// A payload: the first byte says which type it is of.
pub fn stream(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let payload = payload::signed(&[&[[15, 19, 21][usize::from(first % 3)]], body].concat());
    let mut engine = Engine::new(Config::default(), Box::new(Still), 1);
    if engine.connect(CONN, Origin { local: true, ..Origin::default() }).is_err() {
        return;
    }
    if !say(&mut engine, &[b"RESTORE", KEY, b"0", &payload]).starts_with(b"+OK") {
        return;
    }
    comes_back(&engine.server.keyspace);
    travels(&mut engine.server.keyspace);

    let (mut groups, mut consumers, mut ids) = (vec![NAME.to_vec()], vec![NAME.to_vec()], IDS.map(<[u8]>::to_vec).to_vec());
    let Some(stream) = held(&engine.server.keyspace) else { return };
    for (name, group) in stream.groups().take(3) {
        groups.push(name.to_vec());
        consumers.extend(group.consumers().take(2).map(|(_, consumer)| consumer.name().to_vec()));
    }
    for entry in stream.range(stream.first_id(), stream.last_id()).take(3) {
        let mut id = Vec::new();
        entry.id().write(&mut id);
        ids.push(id);
    }
    let mut turn = body.len();
    for line in COMMANDS.lines() {
        let words: Vec<&[u8]> = line
            .split(' ')
            .map(|word| {
                turn = turn.wrapping_mul(5).wrapping_add(7);
                match word {
                    "K" => KEY,
                    "G" => &groups[turn % groups.len()],
                    "C" => &consumers[turn % consumers.len()],
                    "I" => &ids[turn % ids.len()],
                    word => word.as_bytes(),
                }
            })
            .collect();
        say(&mut engine, &words);
        comes_back(&engine.server.keyspace);
    }
}

/// One command, and what it is answered.
fn say(engine: &mut Engine, words: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    engine.receive(CONN, &request);
    engine.finish_turn();
    engine.server.clients.get_mut(CONN).map(|client| client.out.take_all()).unwrap_or_default()
}

fn held(keyspace: &Keyspace) -> Option<&Stream> {
    match keyspace.db(0).dict().find(keyspace.hash(KEY), KEY)?.value() {
        Value::Object(Object::Stream(stream)) => Some(stream),
        _ => None,
    }
}

fn dumped(keyspace: &Keyspace) -> Option<Vec<u8>> {
    let entry = keyspace.db(0).dict().find(keyspace.hash(KEY), KEY)?;
    Some(payload::dump(entry, Settings::default()))
}

/// What commands have left can be dumped and restored, and is the same then.
fn comes_back(keyspace: &Keyspace) {
    let Some(payload) = dumped(keyspace) else { return };
    let how = payload::Restoring { verify: true, shapes: Shapes::default() };
    match payload::restore(&payload, KEY, NEVER, how) {
        Ok(entry) => assert_eq!(payload::dump(&entry, Settings::default()), payload),
        Err(refused) => panic!("what was dumped is refused: {refused:?}"),
    }
}

/// What is there goes through a walk into a file and comes back.
fn travels(keyspace: &mut Keyspace) {
    let expected = dumped(keyspace);
    let info = SaveInfo { unix_seconds: 1, used_memory: 1, replication: None, aof_base: false, libraries: &[] };
    let (walk, sink) = RdbSink::begin(Settings::default(), &info, keyspace);
    while keyspace.step_walk(walk) {}
    sink.borrow_mut().finish();
    while sink.borrow_mut().poll(usize::MAX) != Progress::Done {}
    let mut copy = Keyspace::new(1, keyspace.seed());
    let mut loader = Loader::new(LoadOptions::default());
    while let Some(piece) = sink.borrow_mut().pop() {
        loader.push(&piece);
    }
    let mut progress = loader.step(&mut copy, 64);
    while progress == Ok(LoaderProgress::More) {
        progress = loader.step(&mut copy, 64);
    }
    assert_eq!(progress, Ok(LoaderProgress::Done));
    assert_eq!(dumped(&copy), expected);
}
