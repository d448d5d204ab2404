//! What the rules for a user refuse touches no key, and what they allow writes no key that they do not: random commands of the whole table with random rules,
//! plain, in transactions, and by clients that wait while the rules change.
//!
//! All that is stored is compared, with deadlines and groups of consumers, and how far the log of writes has come. `SOLOD_REFUSALS_SEED` replays a run.

#[path = "common/mod.rs"]
mod common;
#[allow(dead_code)] // this test uses a part of it
#[path = "common/generate.rs"]
mod generate;
#[allow(dead_code)] // this test uses a part of it
#[path = "common/rules.rs"]
mod rules;

use generate::{Call, DATA, Generator, Profile};
use rules::{Rules, USER, setuser};
use solod::{
    acl::{ACCESS_WRITE, Selector},
    commands::{Command, flags},
    config::Config,
    data::rng::Rng,
    engine::Engine,
    persist::rdb::{AccessMarks, Settings, payload},
    state::{ConnId, Host, client::Origin},
};
use std::{collections::BTreeMap, io::IoSlice};

const ADMIN: ConnId = ConnId(0);
const ASKS: ConnId = ConnId(1);

/// Rounds of the run that belongs to every test run.
const ROUNDS: u64 = 12_000;
/// Rounds until the user gets another rule.
const ROUNDS_A_RULE: u64 = 40;

/// Every command there is; those that wait and those on data more often than others.
const ALL: Profile = Profile { weight, without: &[], keys_each: 4, whole_scans: false, newer_ids: true };

fn weight(command: &Command, _: &str) -> u64 {
    match command.group {
        _ if command.flags & flags::BLOCKING != 0 => 40,
        group if DATA.contains(&group) => 12,
        _ => 4,
    }
}

/// Whether a command that is allowed may be run here: it is about data, in this server, and does not wait for the world.
fn may_run(call: &Call) -> bool {
    const WORLDLY: &[&str] = &["wait", "waitaof", "migrate", "debug", "restore-asking"];
    let name = call.args[0].to_ascii_lowercase();
    let command = solod::commands::TABLE.iter().copied().flatten().find(|command| command.name.as_bytes() == name);
    command.is_some_and(|command| weight(command, "") > 4 && !WORLDLY.contains(&command.name))
}

/// Whether a command says what it writes: some write databases, some keep in a key what they have computed from it, and to read as a group counts as reading.
fn names_what_it_writes(call: &Call) -> bool {
    !matches!(call.name.as_str(), "flushall" | "flushdb" | "swapdb" | "pfcount" | "pfdebug" | "xreadgroup")
}

/// A clock that stands still.
struct Still;

impl Host for Still {
    fn unix_us(&self) -> i64 {
        1_700_000_000_000_000
    }

    fn nanos(&self) -> u64 {
        1 << 40
    }
}

/// All keys, with their deadlines and their values as bytes in no order: a table's own order may change without anybody's doing.
type Stored = BTreeMap<(usize, Vec<u8>), (i64, Vec<u8>)>;

struct Bench {
    engine: Engine,
    rng: Rng,
    rules: Rules,
    generator: Generator,
    /// Commands that were refused, that were allowed, and waits that ended with a refusal.
    refused: u64,
    allowed: u64,
    waits: u64,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut engine = Engine::new(Config::default(), Box::new(Still), seed);
        for conn in [ADMIN, ASKS] {
            engine.connect(conn, Origin { local: true, ..Origin::default() }).expect("there is room");
        }
        engine.server.replication.log.open_backlog();
        let (rules, generator) = (Rules::new(seed, |_| true), Generator::new(seed, ALL));
        let mut bench = Self { engine, rng: Rng::new(!seed), rules, generator, refused: 0, allowed: 0, waits: 0 };
        bench.reset();
        bench.reconnect();
        bench
    }

    /// Gives the user fresh rules.
    fn reset(&mut self) {
        let first = self.rules.first();
        self.rules.note("reset".to_owned());
        self.set(&["reset", "on", "nopass"].map(str::to_owned));
        self.set(&first);
    }

    fn reconnect(&mut self) {
        self.engine.disconnect(ASKS);
        self.engine.connect(ASKS, Origin { local: true, ..Origin::default() }).expect("there is room");
        assert_eq!(self.say(ASKS, &[b"AUTH".to_vec(), USER.into(), b"x".to_vec()]), "+OK\r\n");
    }

    fn set(&mut self, rules: &[String]) {
        if self.say(ADMIN, &setuser(rules)) == "+OK\r\n" {
            rules.iter().for_each(|rule| self.rules.note(rule.clone()));
        }
    }

    fn set_rule(&mut self) {
        let rule = self.rules.next();
        if rule == "reset" {
            self.reset();
        } else if self.rng.below(6) == 0 {
            let databases = ["db=0", "db=1", "db=0,1", "db=0,2", "resetdbs", "alldbs", "alldbs", "(+@all ~* db=1)"];
            let at = self.rng.below(databases.len() as u64) as usize;
            self.set(&[databases[at].to_owned()]);
        } else {
            self.set(&[rule]);
        }
    }

    /// Sends a command, and returns what has come back.
    fn say(&mut self, conn: ConnId, args: &[Vec<u8>]) -> String {
        self.engine.receive(conn, &common::Conn::encode(args));
        self.engine.finish_turn();
        while self.engine.take_action().is_some() {}
        while self.engine.take_dirty().is_some() {}
        self.hear(conn)
    }

    /// Whoever sets things up does not wait.
    fn wake_admin(&mut self) {
        self.engine.disconnect(ADMIN);
        self.engine.connect(ADMIN, Origin { local: true, ..Origin::default() }).expect("there is room");
    }

    fn hear(&mut self, conn: ConnId) -> String {
        let mut heard = Vec::new();
        loop {
            let mut pieces = [IoSlice::new(&[]); 8];
            let count = self.engine.output(conn, &mut pieces, usize::MAX);
            let sent = heard.len();
            pieces[..count].iter().for_each(|piece| heard.extend_from_slice(piece));
            if heard.len() == sent {
                return String::from_utf8_lossy(&heard).into_owned();
            }
            self.engine.sent(conn, heard.len() - sent);
        }
    }

    fn stored(&self) -> Stored {
        const SAID: Settings = Settings { compression: false, checksum: true, marks: AccessMarks::None, version_max: u32::MAX };
        let databases = self.engine.server.keyspace.iter();
        let entries = databases.flat_map(|(index, db)| db.dict().iter().map(move |entry| (index, entry)));
        let value = |entry| {
            let mut bytes = payload::dump(entry, SAID);
            // Without its checksum.
            bytes.truncate(bytes.len() - 8);
            bytes.sort_unstable();
            bytes
        };
        entries.map(|(index, entry)| ((index, entry.key().to_vec()), (entry.deadline(), value(entry)))).collect()
    }

    /// How far the log of writes has come, and how many changes are counted.
    fn logged(&self) -> (u64, u64) {
        let server = &self.engine.server;
        (server.replication.log.end(), server.keyspace.dirty)
    }

    /// Whether the rules refuse a command.
    fn is_refused(&mut self, args: &[Vec<u8>]) -> bool {
        let dryrun = [&[b"ACL".to_vec(), b"DRYRUN".to_vec(), USER.into()], args].concat();
        self.say(ADMIN, &dryrun).starts_with('$')
    }

    fn fail(&self, what: &str, calls: &[&Call]) -> ! {
        for call in calls {
            println!("{}", call.args.iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>().join(" "));
        }
        panic!("{what} with {}", self.rules.text());
    }

    /// Asserts that between two states only such keys have changed as the user may write, in databases that it may use.
    fn check_written(&self, before: &Stored, after: &Stored, calls: &[&Call]) {
        let by_key = calls.iter().all(|call| names_what_it_writes(call));
        let users = &self.engine.server.users;
        let user = users.find(USER.as_bytes()).and_then(|id| users.get(id)).expect("there is such a user");
        let changed = before.keys().chain(after.keys()).filter(|key| before.get(key) != after.get(key));
        for (db, key) in changed {
            let may = |rules: &Selector| rules.allows_database(*db) && (!by_key || rules.allows_key(key, ACCESS_WRITE));
            if !user.selectors().iter().any(may) {
                self.fail(&format!("{} was written", key.escape_ascii()), calls);
            }
        }
    }

    fn round(&mut self) {
        if self.rng.below(ROUNDS_A_RULE) == 0 {
            self.set_rule();
        }
        if self.rng.below(3) == 0 {
            let call = self.generator.next();
            if may_run(&call) && !call.name.starts_with("flush") {
                self.say(ADMIN, &call.args);
                self.wake_admin();
            }
        }
        match self.rng.below(12) {
            0 => self.transaction(),
            _ => {
                let call = self.generator.next();
                self.command(&call);
            }
        }
    }

    fn command(&mut self, call: &Call) {
        let refused = self.is_refused(&call.args);
        if !refused && !may_run(call) {
            return;
        }
        let (before, logged) = (self.stored(), self.logged());
        let answer = self.say(ASKS, &call.args);
        if answer.is_empty() && !refused {
            return self.change_while_waiting(call);
        }
        let after = self.stored();
        if refused {
            self.refused += 1;
            let is_refusal = answer.starts_with("-NOPERM") || answer.starts_with("-EXECABORT") && answer.contains("NOPERM");
            if !is_refusal || before != after || logged != self.logged() {
                self.fail(&format!("what is refused does something, and is answered {answer}"), &[call]);
            }
        } else {
            self.allowed += 1;
            self.check_written(&before, &after, &[call]);
        }
    }

    /// The user waits for a key. Its rules change, and somebody puts something there.
    fn change_while_waiting(&mut self, call: &Call) {
        match self.rng.below(3) {
            0 => self.set_rule(),
            1 => self.set(&["resetkeys".to_owned()]),
            _ => self.set(&[format!("-{}", call.name)]),
        }
        let refused = self.is_refused(&call.args);
        let before = self.stored();
        let mut fed = Vec::new();
        for key in call.args[1..].iter().filter(|arg| arg.len() == 2) {
            let feeding: &[&str] = match key[0] {
                b'l' => &["RPUSH", "", "x", "y"],
                b'z' | b'x' => &["ZADD", "", "1000", "fed", "1001", "too"],
                b'e' => &["XADD", "", "*", "fed", "1"],
                _ => continue,
            };
            let args: Vec<Vec<u8>> =
                feeding.iter().map(|word| if word.is_empty() { key.clone() } else { word.as_bytes().to_vec() }).collect();
            self.say(ADMIN, &args);
            fed.push(key.clone());
        }
        let answer = self.hear(ASKS);
        let after = self.stored();
        if refused && !answer.is_empty() {
            self.waits += 1;
            let others = |stored: &Stored| -> Stored {
                stored.iter().filter(|((_, key), _)| !fed.contains(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
            };
            let shrunk = fed.iter().find(|key| {
                let size = |stored: &Stored| stored.get(&(0, key.to_vec())).map_or(0, |(_, value)| value.len());
                size(&after) < size(&before)
            });
            if !answer.starts_with("-NOPERM") || others(&before) != others(&after) || shrunk.is_some() {
                self.fail(&format!("who waits may not have it any more, and is answered {answer}"), &[call]);
            }
        }
        self.reconnect();
    }

    /// The user runs some commands at once; the rules may change before.
    fn transaction(&mut self) {
        let calls: Vec<Call> = (0..3).map(|_| self.generator.next()).filter(may_run).collect();
        self.say(ASKS, &[b"MULTI".to_vec()]);
        let mut queued: Vec<&Call> = Vec::new();
        for call in &calls {
            if !self.is_refused(&call.args) {
                self.say(ASKS, &call.args);
                queued.push(call);
            }
        }
        if self.rng.below(2) == 0 {
            self.set_rule();
        }
        let refused = queued.iter().filter(|call| self.is_refused(&call.args)).count();
        let (before, logged) = (self.stored(), self.logged());
        let answer = self.say(ASKS, &[b"EXEC".to_vec()]);
        let after = self.stored();
        let ran = answer.starts_with('*') && !answer.starts_with("*-1");
        if (!ran || refused == queued.len()) && (before != after || logged != self.logged()) {
            self.fail(&format!("what is refused does something, and is answered {answer}"), &queued);
        }
        if ran && answer.matches("-NOPERM").count() != refused {
            self.fail(&format!("{refused} are refused, and the answer is {answer}"), &queued);
        }
        self.check_written(&before, &after, &queued);
        self.reconnect();
    }
}

#[test]
fn what_is_refused_touches_nothing() {
    let fresh = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| u64::from(d.subsec_nanos()));
    let setting = |name: &str, otherwise| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (seed, rounds) = (setting("SOLOD_REFUSALS_SEED", fresh), setting("SOLOD_REFUSALS_ROUNDS", ROUNDS));
    println!("SOLOD_REFUSALS_SEED={seed} SOLOD_REFUSALS_ROUNDS={rounds}");
    let mut bench = Bench::new(seed);
    (0..rounds).for_each(|_| bench.round());
    println!("{} refused, {} allowed, {} refused after a wait", bench.refused, bench.allowed, bench.waits);
    assert!(bench.refused > rounds / 10 && bench.allowed > rounds / 10, "most rules decide something");
    assert!(bench.waits > 0 && bench.logged().0 > 0);
}
