//! Entry points of the fuzz targets: what they are handed is what a stranger could send.

use crate::{
    config::{Config, Endpoint, Environment, ReplDisklessLoad, Sources, split_args},
    data::entry::{Entry, NEVER},
    engine::Engine,
    persist::rdb::{AccessMarks, DecodeOptions, Decoder, RdbError, RdbEvent, Settings, Shapes, payload},
    resp::request::{Parser, RequestLimits},
    state::{
        Action, ConnId, Host,
        client::Origin,
        disk::{DiskDone, DiskJob, Done, Logged},
    },
};

mod acl;
mod aof;
mod scripts;
mod stream;
mod strings;

#[cfg(fuzzing)]
pub use crate::reactor::drive_tls as tls;
pub use acl::{acl_file, acl_rules};
pub use aof::{aof, manifest};
pub use scripts::{functions, json, messages, script, structure};
pub use stream::stream;
pub use strings::{bitfield, hyperloglog};

const LIMITS: RequestLimits = RequestLimits { bulk_max: 1 << 16, authenticated: true };

/// Requests of a byte stream, in whole and byte by byte: both ways must find the same.
pub fn request(data: &[u8]) {
    assert_eq!(requests(data.chunks(data.len().max(1))), requests(data.chunks(1)));
}

fn requests<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<Vec<u8>>>, bool) {
    let (mut parser, mut buf, mut all) = (Parser::new(split_args), Vec::new(), Vec::new());
    for piece in pieces {
        buf.extend_from_slice(&piece[parser.fill(piece)..]);
        let result = parser.parse(&buf, usize::MAX, LIMITS);
        let count = parser.requests();
        for i in (1..count).filter(|i| parser.request(*i).begins_alike()) {
            let (last, this) = (parser.args(parser.request(i - 1), &buf), parser.args(parser.request(i), &buf));
            assert_eq!((last.len(), last.get(0)), (this.len(), this.get(0)));
        }
        all.extend((0..count).map(|i| parser.args(parser.request(i), &buf).iter().map(<[u8]>::to_vec).collect()));
        let done = parser.rebase(count);
        buf.drain(..done);
        if result.is_err() {
            return (all, true);
        }
    }
    (all, false)
}

struct Nowhere;

impl Environment for Nowhere {}

/// A configuration file. What is read from it must survive being rewritten.
pub fn config(data: &[u8]) {
    let sources = |text: &[u8]| Sources { options: text.to_vec(), ..Sources::default() };
    if let Ok(loaded) = Config::load(&sources(data), &mut Nowhere) {
        let text = loaded.config.rewrite(data);
        let again = Config::load(&sources(&text), &mut Nowhere);
        assert!(again.is_ok_and(|again| again.config == loaded.config));
    }
}

/// An RDB stream, in whole and in pieces: both ways must say the same, and end at the same place.
pub fn rdb(data: &[u8]) {
    let known = DecodeOptions { verify: false, size: Some(data.len() as u64), ..DecodeOptions::default() };
    let pieces = data.first().map_or(1, |first| usize::from(*first) % 7 + 1);
    assert_eq!(rdb_events(&mut data.chunks(data.len().max(1)), known), rdb_events(&mut data.chunks(pieces), known));
    // Without a size, and with a checksum that is hardly ever right.
    let _ = rdb_events(&mut data.chunks(data.len().max(1)), DecodeOptions::default()).1;
    let _ = payload::restore(data, b"key", NEVER, payload::Restoring { verify: false, shapes: Shapes::default() });
}

/// Without compression: a value has one form then.
const SAID: Settings = Settings { compression: false, checksum: true, marks: AccessMarks::None, version_max: u32::MAX };

fn rdb_events(pieces: &mut dyn Iterator<Item = &[u8]>, options: DecodeOptions) -> (Vec<String>, Result<(), RdbError>) {
    let (mut decoder, mut all) = (Decoder::new(options), Vec::new());
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next() {
                // A value is the same however its bytes are kept.
                Ok(Some(RdbEvent::Key(key))) => {
                    let (deadline, idle, frequency) = (key.deadline, key.idle_seconds, key.frequency);
                    let entry = key.into_entry();
                    all.push(format!("{:?} {deadline} {idle:?} {frequency:?} {:?}", entry.key(), payload::dump(&entry, SAID)));
                }
                // Where a large collection is paused at depends on how its bytes come.
                Ok(Some(RdbEvent::Part)) => (),
                Ok(Some(event)) => all.push(format!("{event:?}")),
                Ok(None) => break,
                Err(error) => return (all, Err(error)),
            }
        }
    }
    (all, decoder.finish())
}

/// A world that stands still.
struct Still;

impl Host for Still {
    fn unix_us(&self) -> i64 {
        1_700_000_000_000_000
    }

    fn nanos(&self) -> u64 {
        1 << 40
    }
}

/// What a primary may send to a replica: the handshake, a snapshot, the stream. In whole and in pieces, what comes of it must be the same.
pub fn replication(data: &[u8]) {
    let Some((first, said)) = data.split_first() else { return };
    let (swapdb, full) = (first & 0x80 != 0, first & 0x40 != 0);
    let pieces = usize::from(first & 0x3f) + 1;
    assert_eq!(followed(&mut said.chunks(said.len().max(1)), swapdb, full), followed(&mut said.chunks(pieces), swapdb, full));
}

/// A disk with one file at a time, which does at once what it is asked for.
#[derive(Default)]
struct MemoryDisk {
    bytes: Vec<u8>,
    read: usize,
}

impl MemoryDisk {
    fn run(&mut self, job: DiskJob) -> DiskDone {
        let file = job.file();
        let done = match job {
            DiskJob::Create { .. } => {
                *self = Self::default();
                Done::Created
            }
            DiskJob::Open { .. } => Done::Opened(Some(self.bytes.len() as u64)),
            DiskJob::Append { pieces, .. } => {
                let before = self.bytes.len();
                pieces.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
                Done::Appended((self.bytes.len() - before) as u64)
            }
            DiskJob::Read { bytes, .. } => {
                let from = self.read;
                self.read = self.bytes.len().min(from + bytes);
                Done::Read(self.bytes[from..self.read].to_vec().into())
            }
            DiskJob::Sync { .. } => Done::Synced,
            DiskJob::Commit { .. } => Done::Committed,
            DiskJob::Replace { .. } => Done::Replaced,
            DiskJob::Abort { .. } => Done::Aborted,
            DiskJob::Remove { .. } => Done::Removed,
            DiskJob::OpenLog { .. } => Done::Opened(Some(0)),
            DiskJob::WriteLog { pieces, sync, .. } => {
                let written = pieces.iter().map(|piece| piece.len() as u64).sum();
                Done::Logged(Logged { written, synced: sync, ..Logged::default() })
            }
            DiskJob::CutLog { .. } => Done::Cut,
            DiskJob::MakeDir { .. } => Done::MadeDir,
            DiskJob::Rename { .. } => Done::Renamed,
        };
        DiskDone { file, result: Ok(done) }
    }

    /// Does what there is to do, until there is no more.
    fn serve(&mut self, engine: &mut Engine) {
        loop {
            engine.finish_turn();
            let actions: Vec<_> = std::iter::from_fn(|| engine.take_action()).collect();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                if let Action::Disk(job) = action {
                    engine.disk_done(self.run(job));
                }
            }
        }
    }
}

/// What a replica holds of its primary's history, and how far the link is: its offset, state, keys, and answers. A `full` one has a key of its
/// own before, so that the snapshot goes by way of the disk, or beside it.
fn followed(pieces: &mut dyn Iterator<Item = &[u8]>, swapdb: bool, full: bool) -> (u64, &'static str, Vec<Vec<u8>>) {
    const LINK: ConnId = ConnId(0);
    let replicaof = Some(Endpoint { host: "h".into(), port: 1 });
    let repl_diskless_load = if swapdb { ReplDisklessLoad::SwapDb } else { ReplDisklessLoad::Disabled };
    let mut engine = Engine::new(Config { replicaof, repl_diskless_load, ..Config::default() }, Box::new(Still), 1);
    engine.finish_turn();
    let link = std::iter::from_fn(|| engine.take_action()).find_map(|action| match action {
        Action::Connect { link, .. } => Some(link),
        _ => None,
    });
    assert!(link.is_some_and(|link| engine.link_connected(link, LINK, Origin::default())));
    let mut disk = MemoryDisk::default();
    if full {
        let hash = engine.server.keyspace.hash(b"old");
        assert!(engine.server.keyspace.load_insert(0, hash, Entry::new_inline(b"old", b"1", NEVER), false).is_ok());
    }
    for piece in pieces {
        engine.receive(LINK, piece);
        if full {
            disk.serve(&mut engine);
        }
        if let Some(client) = engine.server.clients.get_mut(LINK) {
            client.out.take_all();
        }
    }
    let state = engine.server.replication.upstream.as_ref().map_or("none", |upstream| upstream.state());
    let mut keys: Vec<Vec<u8>> = engine.server.keyspace.iter().flat_map(|(_, db)| db.dict().iter().map(|e| e.key().to_vec())).collect();
    keys.sort();
    (engine.server.replication.log.end(), state, keys)
}

#[cfg(test)]
mod tests {
    const HANDSHAKE: &[u8] = b"+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 14\r\n";
    const STREAM: &[u8] =
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*1\r\n$4\r\nPING\r\n*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n\
        *1\r\n$4\r\nEXEC\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n";

    fn snapshot() -> Vec<u8> {
        let mut rdb = b"REDIS0010\xfe\x00\x00\x01k\x01v\xff".to_vec();
        rdb.extend([0; 8]);
        rdb
    }

    /// Every way to cut a whole synchronisation in two: in pieces it comes to the same.
    #[test]
    fn a_synchronisation_may_be_cut_anywhere() {
        let snapshot = snapshot();
        let sized = [HANDSHAKE, format!("${}\r\n", snapshot.len()).as_bytes(), &snapshot, STREAM].concat();
        let mark = b"0123456789012345678901234567890123456789";
        let marked = [HANDSHAKE, b"$EOF:", mark, b"\r\n", &snapshot, mark, STREAM].concat();
        for said in [sized, marked] {
            for (swapdb, full) in [(false, false), (true, false), (false, true), (true, true)] {
                let whole = super::followed(&mut [&said[..]].into_iter(), swapdb, full);
                assert_eq!(whole, (14 + STREAM.len() as u64, "connected", vec![b"a".to_vec(), b"b".to_vec(), b"k".to_vec()]));
                for cut in 1..said.len() {
                    assert_eq!(super::followed(&mut [&said[..cut], &said[cut..]].into_iter(), swapdb, full), whole, "cut at {cut}");
                }
            }
        }
    }

    /// A MULTI that is refused because there is one already begins nothing.
    #[test]
    fn a_transaction_begins_with_its_first_multi() {
        let snapshot = snapshot();
        let stream = b"PING\r\nMULTI\r\nSET a 1\r\nMULTI\r\nSET b 1\r\n";
        let said = [HANDSHAKE, format!("${}\r\n", snapshot.len()).as_bytes(), &snapshot, stream].concat();
        for piece in 1..said.len() {
            assert_eq!(super::followed(&mut said.chunks(piece), false, false), (14 + 6, "connected", vec![b"k".to_vec()]), "{piece}");
        }
    }

    /// A stream that ends in the middle counts for what has been applied: neither half a command nor a transaction before its EXEC.
    #[test]
    fn only_what_is_applied_counts() {
        let snapshot = snapshot();
        let head = [HANDSHAKE, format!("${}\r\n", snapshot.len()).as_bytes(), &snapshot].concat();
        let multi = STREAM.windows(5).position(|w| w == b"MULTI").expect("there is one") - b"*1\r\n$5\r\n".len();
        let behind_exec = STREAM.windows(6).position(|w| w == b"EXEC\r\n").expect("there is one") + 6;
        for end in 0..=STREAM.len() {
            let said = [&head[..], &STREAM[..end]].concat();
            let (offset, _, keys) = super::followed(&mut [&said[..]].into_iter(), false, false);
            let applied = offset - 14;
            assert!(applied <= end as u64);
            let (in_multi, has_a) = (end >= multi && end < behind_exec, keys.contains(&b"a".to_vec()));
            assert!(!in_multi || applied <= multi as u64, "{end}: {applied}");
            assert_eq!(has_a, applied >= behind_exec as u64, "{end}");
        }
    }
}
