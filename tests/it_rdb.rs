//! RDB files and DUMP payloads, exchanged with the real servers: what they write is read here, and what is written here is read there.

mod common;
use common::*;

use bytes::Bytes;
use solod::{
    data::{entry::Entry, entry::NEVER, string::NewString},
    persist::rdb::{self, AccessMarks, Checksum, Decoder, Encoder, Family, RdbEvent, SaveInfo, Settings},
};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Database and key, to value and deadline.
type Data = BTreeMap<(u64, Vec<u8>), (Vec<u8>, i64)>;

/// Unix milliseconds that no test will see.
const LATER: i64 = 4_102_444_800_123;

/// Values in every form that the format has for them, and at the borders between those.
fn values() -> Vec<Vec<u8>> {
    let numbers =
        [0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32768, -32769, i32::MAX.into(), i32::MIN.into(), 1 << 31, i64::MAX, i64::MIN];
    let mut values: Vec<Vec<u8>> = numbers.iter().map(|n: &i64| n.to_string().into_bytes()).collect();
    values.extend(["", "007", "-0", "+1", "12345678901", "text", "\r\n\0\u{ff}"].map(|text| text.as_bytes().to_vec()));
    for length in [20, 21, 63, 64, 100, 16383, 16384, 32767, 32768, 70_000, 300_000] {
        values.push(vec![b'r'; length]);
        let mut state = 1u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        values.push(noise.take(length).collect());
    }
    values
}

/// Those values under short, long, numeric and repetitive keys, in three databases, some with a deadline.
fn data() -> Data {
    let mut data = Data::new();
    for (i, value) in values().into_iter().enumerate() {
        let key = match i % 4 {
            0 => format!("{i}"),
            1 => format!("key:{i:012}"),
            2 => format!("{i}{}", "ab".repeat(100)),
            _ => format!("key\0\r\n{i}"),
        };
        let deadline = if i % 3 == 0 { LATER + i as i64 } else { NEVER };
        data.insert(([0, 3, 15][i % 3], key.into_bytes()), (value, deadline));
    }
    data
}

fn fill(server: &Server, data: &Data) {
    let mut conn = server.connect();
    for ((db, key), (value, deadline)) in data {
        conn.cmd(&["SELECT", &db.to_string()]);
        let deadline = deadline.to_string();
        let mut set = vec![&b"SET"[..], key, value];
        if deadline != NEVER.to_string() {
            set.extend([&b"PXAT"[..], deadline.as_bytes()]);
        }
        assert_eq!(conn.cmd(&set), *"OK");
    }
}

#[track_caller]
fn assert_holds(server: &Server, data: &Data) {
    let mut conn = server.connect();
    for ((db, key), (value, deadline)) in data {
        conn.cmd(&["SELECT", &db.to_string()]);
        assert!(conn.cmd(&[b"GET", &key[..]]) == Value::Bulk(value.clone()), "{}", key.escape_ascii());
        let at = if *deadline == NEVER { -1 } else { *deadline };
        assert_eq!(conn.cmd(&[b"PEXPIRETIME", &key[..]]), Value::Int(at));
    }
    for db in [0, 3, 15] {
        conn.cmd(&["SELECT", &db.to_string()]);
        assert_eq!(conn.run("DBSIZE").int() as usize, data.keys().filter(|(of, _)| *of == db).count());
    }
}

/// What else a file says, beside its keys.
#[derive(Default)]
struct File {
    data: Data,
    origin: Option<(Family, u32)>,
    aux: BTreeMap<String, String>,
    functions: Vec<Vec<u8>>,
    idle: usize,
    frequencies: Vec<u8>,
    end: Option<Checksum>,
}

#[track_caller]
fn decode(path: &Path) -> File {
    let bytes = std::fs::read(path).unwrap();
    let mut file = File::default();
    let mut decoder = Decoder::new(rdb::DecodeOptions { size: Some(bytes.len() as u64), ..rdb::DecodeOptions::default() });
    let mut db = 0;
    for piece in bytes.chunks(10_000) {
        decoder.feed(piece);
        while let Some(event) = decoder.next().unwrap_or_else(|error| panic!("{error}")) {
            match event {
                RdbEvent::Version { family, version } => file.origin = Some((family, version)),
                RdbEvent::Aux { name, value } => {
                    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                    file.aux.insert(text(name), text(value));
                }
                RdbEvent::SelectDb(index) => db = index,
                RdbEvent::Key(key) => {
                    file.idle += usize::from(key.idle_seconds.is_some());
                    file.frequencies.extend(key.frequency);
                    let value = match &key.value {
                        rdb::LoadedValue::Int(n) => n.to_string().into_bytes(),
                        rdb::LoadedValue::Str(s) => s.to_vec(),
                        rdb::LoadedValue::Bytes(b) => b.to_vec(),
                        rdb::LoadedValue::Object(object) => panic!("a {} among strings", object.type_name()),
                    };
                    file.data.insert((db, key.key.to_vec()), (value, key.deadline));
                }
                RdbEvent::Function(code) => file.functions.push(code.to_vec()),
                RdbEvent::End(checksum) => file.end = Some(checksum),
                RdbEvent::ResizeDb { .. } | RdbEvent::SlotInfo { .. } | RdbEvent::ModuleAux(_) | RdbEvent::Part | RdbEvent::Empty(_) => (),
            }
        }
    }
    decoder.finish().unwrap();
    file
}

fn encode(data: &Data, settings: Settings) -> Vec<u8> {
    let mut encoder = Encoder::new(settings);
    let info = SaveInfo { unix_seconds: 1_700_000_000, used_memory: 1_000_000, replication: None, aof_base: false, libraries: &[] };
    encoder.begin(rdb::VERSION_WRITTEN, info.aux());
    for db in [0, 3, 15] {
        let of_db = || data.iter().filter(|((of, _), _)| *of == db);
        encoder.select_db(db as usize);
        encoder.resize_db(of_db().count(), of_db().filter(|(_, (_, deadline))| *deadline != NEVER).count());
        for ((_, key), (value, deadline)) in of_db() {
            encoder.entry(&entry(key, value, *deadline), 1_700_000_000_000);
            encoder.poll(1000);
        }
    }
    encoder.end();
    encoder.take()
}

fn entry(key: &[u8], value: &[u8], deadline: i64) -> Entry {
    let mut entry = NewString::encode(value, || Bytes::copy_from_slice(value)).into_entry(key, deadline);
    entry.set_access(77);
    entry
}

#[test]
fn files_of_real_servers_are_decoded() {
    for program in peers() {
        for options in [
            &[][..],
            &["--rdbcompression", "no", "--rdbchecksum", "no"],
            &["--maxmemory-policy", "allkeys-lru"],
            &["--maxmemory-policy", "volatile-lfu"],
        ] {
            let server = Server::of(&program, options);
            let data = data();
            fill(&server, &data);
            let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
            server.connect().cmd(&["FUNCTION", "LOAD", library]);
            assert_eq!(server.ask("SAVE"), *"OK");
            let file = decode(&server.dir.join("dump.rdb"));
            assert!(file.data == data, "{program:?} {options:?}");
            assert_eq!(file.functions, [library.as_bytes()]);
            assert_eq!(file.aux["redis-bits"], "64");
            let checksum = if options.contains(&"--rdbchecksum") { Checksum::Absent } else { Checksum::Verified };
            assert_eq!(file.end, Some(checksum));
            assert_eq!(file.idle, if options.contains(&"allkeys-lru") { data.len() } else { 0 });
            assert_eq!(file.frequencies.len(), if options.contains(&"volatile-lfu") { data.len() } else { 0 });
            let origin = match server.info("redis_version").as_str() {
                _ if program.ends_with("valkey-server") => (Family::Valkey, 80),
                version if version.starts_with("7.0") => (Family::Redis, 10),
                _ => (Family::Redis, 12),
            };
            assert_eq!(file.origin, Some(origin));
        }
    }
}

#[test]
fn our_files_are_loaded_by_real_servers() {
    let data = data();
    for program in peers() {
        for settings in [
            Settings::default(),
            Settings { compression: false, checksum: false, marks: AccessMarks::Idle, ..Settings::default() },
            Settings { marks: AccessMarks::Frequency { decay_minutes: 0 }, ..Settings::default() },
        ] {
            let mut server = Server::of(&program, &["--maxmemory-policy", "allkeys-lfu", "--lfu-decay-time", "0"]);
            std::fs::write(server.dir.join("dump.rdb"), encode(&data, settings)).unwrap();
            server.restart();
            if matches!(settings.marks, AccessMarks::Frequency { .. }) {
                assert_eq!(server.ask("OBJECT FREQ 0"), *"77");
            }
            assert_holds(&server, &data);
        }
    }
}

#[test]
fn a_loaded_file_has_the_digest_of_the_same_commands() {
    let data = data();
    let mut loaded = Server::redis(&["--enable-debug-command", "yes"]);
    std::fs::write(loaded.dir.join("dump.rdb"), encode(&data, Settings::default())).unwrap();
    loaded.restart();
    let told = Server::redis(&["--enable-debug-command", "yes"]);
    fill(&told, &data);
    assert_eq!(loaded.ask("DEBUG DIGEST"), told.ask("DEBUG DIGEST"));
}

#[test]
fn our_files_pass_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.rdb");
    for settings in [Settings::default(), Settings { compression: false, marks: AccessMarks::Idle, ..Settings::default() }] {
        std::fs::write(&path, encode(&data(), settings)).unwrap();
        let output = run(Command::new("redis-check-rdb").arg(&path));
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(output.stdout.contains("\\o/ RDB looks OK! \\o/"), "{output:?}");
        assert!(output.stdout.contains(&format!("{} keys read", values().len())), "{output:?}");
        assert!(output.stdout.contains("Checksum OK"), "{output:?}");
    }
}

#[test]
fn payloads_travel_between_servers() {
    let ours = Server::start(&[]);
    for program in peers() {
        let theirs = Server::of(&program, &[]);
        for (from, to) in [(&ours, &theirs), (&theirs, &ours)] {
            let (mut from, mut to) = (from.connect(), to.connect());
            for value in values() {
                from.cmd(&[b"SET", &b"from"[..], &value]);
                let Value::Bulk(payload) = from.run("DUMP from") else { panic!("a payload") };
                assert_eq!(to.cmd(&[b"RESTORE", &b"to"[..], b"0", &payload, b"REPLACE"]), *"OK");
                assert!(to.run("GET to") == Value::Bulk(value));
                // Valkey has its own border between embstr and raw.
                if !program.ends_with("valkey-server") {
                    assert_eq!(to.run("OBJECT ENCODING to"), from.run("OBJECT ENCODING from"));
                }
            }
        }
    }
}

#[test]
fn uncompressed_payloads_are_redis_own_to_the_byte() {
    let (ours, theirs) = (Server::start(&[]), Server::redis(&["--rdbcompression", "no"]));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    replies!(ours, "CONFIG SET rdbcompression no" => "OK");
    for value in values() {
        ours.cmd(&[b"SET", &b"k"[..], &value]);
        theirs.cmd(&[b"SET", &b"k"[..], &value]);
        assert!(ours.run("DUMP k") == theirs.run("DUMP k"));
    }
}

#[test]
fn dump_and_restore() {
    Server::start(&[]).spec(
        r#"
        DUMP                                    -> -ERR wrong number of arguments for 'dump' command
        DUMP a b                                -> -ERR wrong number of arguments for 'dump' command
        DUMP absent                             -> nil
        SET a v1 EX 100                         -> OK
        DUMP a                                  -> "\x00\x02v1\n\x00_\xe5\xb0^\xcbPy["
        RESTORE b 0 "\x00\x02v1\n\x00_\xe5\xb0^\xcbPy[" -> OK
        GET b                                   -> "v1"
        TTL b                                   -> -1
        RESTORE b 0 "\x00\x02v1\n\x00_\xe5\xb0^\xcbPy[" -> -BUSYKEY Target key name already exists.
        RESTORE b 60000 "\x00\x02v1\n\x00_\xe5\xb0^\xcbPy[" replace -> OK
        TTL b                                   -> 60
        RESTORE b 4102444800123 "\x00\x02v1\n\x00_\xe5\xb0^\xcbPy[" ABSTTL REPLACE -> OK
        PEXPIRETIME b                           -> 4102444800123
        RESTORE b 1000 "\x00\x02v1\n\x00_\xe5\xb0^\xcbPy[" ABSTTL REPLACE -> OK
        EXISTS b                                -> 0
        RESTORE b 1000 "\x00\x02v1\n\x00_\xe5\xb0^\xcbPy[" ABSTTL -> OK
        EXISTS b                                -> 0
        RESTORE b 0                             -> -ERR wrong number of arguments for 'restore' command
        RESTORE a x bad                         -> -BUSYKEY Target key name already exists.
        RESTORE a x bad REPLACE                 -> -ERR value is not an integer or out of range
        RESTORE a -1 bad REPLACE                -> -ERR Invalid TTL value, must be >= 0
        RESTORE a 0 bad REPLACE                 -> -ERR DUMP payload version or checksum are wrong
        RESTORE a 0 "" REPLACE                  -> -ERR DUMP payload version or checksum are wrong
        RESTORE a 0 "\x00\x02v2\n\x00_\xe5\xb0^\xcbPy[" REPLACE -> -ERR DUMP payload version or checksum are wrong
        RESTORE a x bad NONSENSE                -> -ERR syntax error
        RESTORE a x bad FREQ                    -> -ERR syntax error
        RESTORE a x bad FREQ x                  -> -ERR value is not an integer or out of range
        RESTORE a x bad FREQ 256                -> -ERR Invalid FREQ value, must be >= 0 and <= 255
        RESTORE a x bad FREQ -1                 -> -ERR Invalid FREQ value, must be >= 0 and <= 255
        RESTORE a x bad IDLETIME -1             -> -ERR Invalid IDLETIME value, must be >= 0
        RESTORE a x bad IDLETIME 1 FREQ 1       -> -ERR syntax error
        GET a                                   -> "v1"
        RESTORE c 0 "\x00\x02v1\n\x00_\xe5\xb0^\xcbPy[" IDLETIME 1000 -> OK
        OBJECT IDLETIME c                       -> 1000
        CONFIG SET maxmemory-policy allkeys-lfu -> OK
        RESTORE d 0 "\x00\x02v1\n\x00_\xe5\xb0^\xcbPy[" FREQ 200 -> OK
        OBJECT FREQ d                           -> 200
        "#,
    );
}
