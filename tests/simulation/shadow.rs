//! A second server for one that logs: it executes the log, a command at a time, and so knows what there was behind each.
//!
//! Its clock stands still long before everything else: nothing expires but by what the log says.

use super::{
    digest::{digest, entry_digest, library_digest},
    marked,
    state::{Key, State},
    wire::wire,
    workload::DATABASES,
};
use solod::{
    config::Config,
    engine::Engine,
    keyspace::Keyspace,
    persist::load::{LoadOptions, Loader},
    state::{ConnId, Host, Server, client::Origin},
};
use std::collections::BTreeSet;

struct Still;

impl Host for Still {
    fn unix_us(&self) -> i64 {
        1_000_000
    }

    fn nanos(&self) -> u64 {
        0
    }
}

const CONN: ConnId = ConnId(0);

/// A command, or a transaction: what happens whole or not at all.
pub struct Unit {
    /// What is held behind it.
    pub digest: u64,
    /// Serial numbers of the values that it names.
    pub serials: Vec<u64>,
    /// It changes what is held. What does not is for replicas alone, and in no file.
    pub writes: bool,
}

pub struct Shadow {
    engine: Engine,
    /// Sum of what it holds, see [`digest`].
    digest: u64,
    /// Sum of its libraries.
    libraries: u64,
    /// Bytes of the log that have not been executed: the beginning of a command, or of a transaction.
    rest: Vec<u8>,
}

/// What is known of the commands that are to be executed as one.
#[derive(Default)]
struct Scope {
    keys: BTreeSet<Key>,
    /// They may change any key.
    whole: bool,
    /// They change libraries.
    libraries: bool,
}

impl Shadow {
    /// One that holds nothing.
    pub fn new() -> Self {
        let config = Config { databases: DATABASES, save: Vec::new(), ..Config::default() };
        let mut engine = Engine::new(config, Box::new(Still), 0);
        engine.connect(CONN, Origin { local: true, ..Origin::default() }).expect("it has no other client");
        engine.receive(CONN, &wire(&[b"CLIENT".to_vec(), b"REPLY".to_vec(), b"OFF".to_vec()]));
        Self { engine, digest: 0, libraries: 0, rest: Vec::new() }
    }

    /// One that holds what a server does.
    pub fn of(server: &Server) -> Self {
        let mut shadow = Self::new();
        for words in State::of(&server.keyspace).commands() {
            shadow.execute(&wire(&words));
        }
        for code in server.functions.codes() {
            shadow.execute(&wire(&[b"FUNCTION".to_vec(), b"LOAD".to_vec(), code.to_vec()]));
        }
        shadow.digest = digest(shadow.keyspace());
        shadow.libraries = library_digest(shadow.server());
        shadow
    }

    pub fn server(&self) -> &Server {
        &self.engine.server
    }

    pub fn keyspace(&self) -> &Keyspace {
        &self.engine.server.keyspace
    }

    pub fn digest(&self) -> u64 {
        self.digest.wrapping_add(self.libraries)
    }

    /// Bytes of the end of what it was given that are no whole command or transaction.
    pub fn left_over(&self) -> usize {
        self.rest.len()
    }

    /// Forgets those.
    pub fn forget_rest(&mut self) {
        self.rest.clear();
    }

    /// Loads an RDB file.
    pub fn load(&mut self, file: &[u8]) -> Result<(), String> {
        let mut loader = Loader::new(LoadOptions { keep_expired: true, ..LoadOptions::default() });
        loader.feed(&mut self.engine.server.keyspace, file).map_err(|e| e.to_string())?;
        loader.finish().map_err(|e| e.to_string())?;
        let libraries = loader.take_libraries();
        self.engine.server.adopt_libraries(libraries, true, true)?;
        self.libraries = library_digest(self.server());
        self.digest = digest(self.keyspace());
        Ok(())
    }

    /// Serial numbers of all values that it holds.
    pub fn serials(&self) -> Vec<u64> {
        let commands = State::of(self.keyspace()).commands();
        commands.iter().flatten().flat_map(|word| marked::find(word)).collect()
    }

    /// The next command is for this database.
    pub fn select(&mut self, db: usize) {
        self.execute(&wire(&[b"SELECT".to_vec(), db.to_string().into_bytes()]));
    }

    /// Goes on in the log. The error says what is no command.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Unit)) -> Result<(), String> {
        self.rest.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.rest);
        let (mut done, mut at) = (0, 0);
        let (mut scope, mut in_multi, mut writes) = (Scope::default(), false, false);
        let mut serials = Vec::new();
        while let Some((words, len)) = request(&bytes[at..])? {
            at += len;
            let Some(name) = words.first() else {
                // A note between commands.
                if !in_multi {
                    done = at;
                }
                continue;
            };
            match &name.to_ascii_uppercase()[..] {
                // It may tell of values, and changes nothing.
                b"PUBLISH" | b"PING" | b"REPLCONF" | b"SELECT" => (),
                b"MULTI" => in_multi = true,
                b"EXEC" => in_multi = false,
                b"FUNCTION" => (scope.libraries, writes) = (true, true),
                b"FLUSHDB" | b"FLUSHALL" | b"SWAPDB" => (scope.whole, writes) = (true, true),
                _ => {
                    writes = true;
                    scope.keys.extend(words[1..].iter().map(|word| word.to_vec()));
                    serials.extend(marked::find(&bytes[at - len..at]));
                }
            }
            if !in_multi {
                let unit = &bytes[done..at];
                self.execute_as_one(unit, &std::mem::take(&mut scope));
                each(Unit { digest: self.digest(), serials: std::mem::take(&mut serials), writes: std::mem::take(&mut writes) });
                done = at;
            }
        }
        self.rest = bytes[done..].to_vec();
        Ok(())
    }

    fn execute_as_one(&mut self, unit: &[u8], scope: &Scope) {
        if !scope.whole {
            self.digest = self.digest.wrapping_sub(self.part(scope));
        }
        self.execute(unit);
        self.digest = match scope.whole {
            true => digest(self.keyspace()),
            false => self.digest.wrapping_add(self.part(scope)),
        };
        if scope.libraries {
            self.libraries = library_digest(self.server());
        }
    }

    /// The keys' share of the digest, in whatever database they are.
    fn part(&self, scope: &Scope) -> u64 {
        let keyspace = self.keyspace();
        let mut sum = 0u64;
        for key in &scope.keys {
            let hash = keyspace.hash(key);
            let found = keyspace.iter().filter_map(|(i, db)| Some(entry_digest(i, db.dict().find(hash, key)?)));
            sum = found.fold(sum, u64::wrapping_add);
        }
        sum
    }

    fn execute(&mut self, bytes: &[u8]) {
        self.engine.receive(CONN, bytes);
        // What stands behind many bytes would wait for the next turn.
        while self.server().clients.get(CONN).is_some_and(|client| client.pending.is_some()) {
            self.engine.receive(CONN, &[]);
        }
        while self.engine.take_dirty().is_some() {}
    }
}

/// The words of a request, and its bytes; no words: a note between requests.
type Request<'a> = (Vec<&'a [u8]>, usize);

/// The first request. `None` when it has not all come.
fn request(bytes: &[u8]) -> Result<Option<Request<'_>>, String> {
    let line = |at: usize| memchr::memchr(b'\n', &bytes[at..]).map(|n| (&bytes[at..at + n - n.min(1)], at + n + 1));
    let number = |text: &[u8], kind: u8| {
        let digits = text.strip_prefix(&[kind]).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
        digits.ok_or_else(|| format!("no command: {}", text.escape_ascii()))
    };
    if bytes.first().is_some_and(|first| !b"*#".contains(first)) {
        return Err(format!("no command: {}", bytes[..bytes.len().min(40)].escape_ascii()));
    }
    let Some((head, mut at)) = line(0) else { return Ok(None) };
    if head.starts_with(b"#") {
        return Ok(Some((Vec::new(), at)));
    }
    let mut words = Vec::new();
    for _ in 0..number(head, b'*')? {
        let Some((head, start)) = line(at) else { return Ok(None) };
        let end = start + number(head, b'$')?;
        if end + 2 > bytes.len() {
            return Ok(None);
        }
        words.push(&bytes[start..end]);
        at = end + 2;
    }
    Ok(Some((words, at)))
}

#[test]
fn its_sum_is_that_of_what_it_holds_behind_each_command() {
    let mut shadow = Shadow::new();
    let lines = [
        "SET a v1;",
        "PING",
        "SELECT 1",
        "SET a v2;",
        "RPUSH l x y",
        "MULTI",
        "SET b v3;",
        "SELECT 2",
        "DEL a l",
        "EXEC",
        "COPY b c DB 0",
        "SWAPDB 0 1",
        "MOVE c 0",
        "PEXPIREAT b 5000000",
        "FLUSHDB",
    ];
    let bytes: Vec<u8> = lines.iter().flat_map(|l| wire(&l.split(' ').map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>())).collect();
    let (mut serials, mut idle) = (Vec::new(), 0);
    for piece in bytes.chunks(7) {
        let each = |unit: Unit| {
            serials.extend(unit.serials);
            idle += usize::from(!unit.writes);
        };
        shadow.feed(piece, each).unwrap();
        assert_eq!(shadow.digest(), digest(shadow.keyspace()));
    }
    assert_eq!((serials, idle), (vec![1, 2, 3], 2));
    let copy = Shadow::of(shadow.server());
    assert!(shadow.left_over() == 0 && copy.digest() == shadow.digest() && copy.digest() != 0);
    assert_eq!(copy.serials(), [2, 3, 1]);
    assert!(shadow.feed(b"x", |_| ()).is_err());
}

#[test]
fn a_transaction_of_many_bytes_is_executed_whole() {
    let sets = (0..100).map(|i| vec![b"SET".to_vec(), format!("key:{i}").into_bytes(), vec![b'x'; 2000]]);
    let all = [vec![b"MULTI".to_vec()]].into_iter().chain(sets).chain([vec![b"EXEC".to_vec()]]);
    let mut shadow = Shadow::new();
    shadow.feed(&all.flat_map(|words| wire(&words)).collect::<Vec<u8>>(), |_| ()).unwrap();
    assert_eq!(State::of(shadow.keyspace()).len(), 100);
    assert_eq!(shadow.digest(), digest(shadow.keyspace()));
}
