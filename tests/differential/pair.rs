//! The two servers, and what has to be the same in both.

use crate::{
    KEYS_EACH,
    common::{Conn, Server, Value},
    compare::{self, Chance},
    generate::{Call, KEY_PREFIXES},
    restricted::reworded,
};
use solod::data::stream::StreamId;
use std::{collections::VecDeque, path::Path, time::Duration};

/// Commands kept, and how many of them are shown with a difference: the last, or the last that name the key.
const KEPT: usize = 3000;
const SHOWN: usize = 40;
/// A time to live may differ by what passes between two servers' clocks, in milliseconds.
const CLOCKS_MS: i64 = 2000;

/// What SORT answers when an element is not a number.
const NO_SCORE: &str = "ERR One or more scores can't be converted into double";

/// How often the data are compared before they count as different.
const PATIENCE: usize = 50;

pub struct Pair {
    ours: Conn,
    theirs: Conn,
    /// Connections of the user with rules.
    users: Option<[Conn; 2]>,
    /// Commands of the user with rules that were not refused.
    pub allowed: u64,
    /// The last commands, and what they were answered.
    last: VecDeque<String>,
    /// What has been sent and not been answered.
    open: String,
    errors: u64,
    protocol: u8,
    count: u64,
    servers: [Server; 2],
}

fn words<A: AsRef<[u8]>>(args: &[A]) -> String {
    let word = |arg: &A| format!("\"{}\"", arg.as_ref().escape_ascii());
    args.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Whether it is a refusal of the rules for users.
fn is_refusal(reply: &Value) -> bool {
    matches!(reply, Value::Error(text) if text.starts_with("NOPERM"))
}

impl Pair {
    pub fn start() -> Self {
        // Redis looks at its clock, and so at who has waited long enough, `hz` times a second.
        let settings = ["--enable-debug-command", "yes", "--save", "", "--hz", "500"];
        // 7.2 looks at how many elements a command brings, even if some are the same: no command brings more than these.
        let small = [
            "--list-max-listpack-size",
            "8",
            "--set-max-intset-entries",
            "41",
            "--hash-max-listpack-entries",
            "41",
            "--zset-max-listpack-entries",
            "41",
            "--hll-sparse-max-bytes",
            "120",
            "--stream-node-max-entries",
            "5",
            "--stream-node-max-bytes",
            "300",
        ];
        let settings: Vec<_> = settings.into_iter().chain(small).collect();
        let ours = Server::start(&settings);
        let theirs = Server::of(Path::new("redis-server"), &settings);
        Self {
            ours: ours.connect(),
            theirs: theirs.connect(),
            users: None,
            allowed: 0,
            last: VecDeque::new(),
            open: String::new(),
            errors: 0,
            protocol: 2,
            count: 0,
            servers: [ours, theirs],
        }
    }

    fn ask<A: AsRef<[u8]>>(&mut self, args: &[A]) -> (Value, Value) {
        self.open = words(args);
        self.ours.send_cmd(args);
        self.theirs.send_cmd(args);
        let replies = (self.ours.recv(), self.theirs.recv());
        self.open.clear();
        replies
    }

    /// Asks as the user with rules.
    fn ask_as_user<A: AsRef<[u8]>>(&mut self, args: &[A]) -> (Value, Value) {
        self.open = words(args);
        let [ours, theirs] = self.users.as_mut().expect("there is such a user");
        ours.send_cmd(args);
        theirs.send_cmd(args);
        let replies = (ours.recv(), reworded(&theirs.recv()));
        self.open.clear();
        replies
    }

    fn keep(&mut self, line: String) {
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn fail(&self, what: &str) -> ! {
        self.fail_at(&[], what);
    }

    fn fail_at(&self, keys: &[String], what: &str) -> ! {
        let names = |line: &&String| keys.is_empty() || keys.iter().any(|key| line.contains(&format!("\"{key}\"")));
        let named: Vec<_> = self.last.iter().filter(names).collect();
        named[named.len().saturating_sub(SHOWN)..].iter().for_each(|line| println!("{line}"));
        panic!("{what}");
    }

    /// Runs a command on both and compares what they answer.
    pub fn run(&mut self, call: &Call) {
        self.prepare(call);
        if call.name == "xsetid" && self.is_refused_by_newer(call) {
            return;
        }
        if Chance::of(&call.name, &call.args) == Chance::Takes {
            return self.run_taking(call);
        }
        let (ours, mut theirs) = self.ask(&call.args);
        if ours != theirs && theirs == Value::Error(NO_SCORE.to_owned()) {
            // Redis looks at errno, in which another command's number that was too large may have left something. This one clears it.
            self.theirs.cmd(&["INCRBYFLOAT", "nothing", "x"]);
            theirs = self.theirs.cmd(&call.args);
        }
        self.keep(format!("{}\n    solod {ours}\n    redis {theirs}", words(&call.args)));
        self.errors += u64::from(matches!(ours, Value::Error(_)));
        self.compare(call, &ours, &theirs);
    }

    /// What comes before each command: the protocol changes at times, and there are the consumers it names.
    fn prepare(&mut self, call: &Call) {
        self.count += 1;
        if self.count.is_multiple_of(500) {
            self.protocol = 5 - self.protocol;
            let hello = ["HELLO".to_owned(), self.protocol.to_string()];
            self.ask(&hello);
            if self.users.is_some() {
                self.ask_as_user(&hello);
            }
        }
        self.create_consumers(call);
    }

    fn compare(&mut self, call: &Call, ours: &Value, theirs: &Value) {
        let chance = Chance::of(&call.name, &call.args);
        let same = compare::same(call, chance, ours, theirs)
            || compare::is_collated(&call.args) && compare::same(call, Chance::Chooses, ours, theirs) && self.holds_nul(&call.args[1]);
        if !same {
            // What was done to its keys tells more than what came last.
            let keys = call.args.iter().skip(1).filter(|arg| arg.len() == 2).map(|key| key.escape_ascii().to_string());
            self.fail_at(&keys.collect::<Vec<_>>(), &format!("{} is answered otherwise", words(&call.args)));
        }
    }

    /// Opens connections of the user `u`.
    pub fn add_user(&mut self) {
        self.users = Some([0, 1].map(|of| self.servers[of].connect()));
        self.ask_as_user(&["AUTH", "u", "x"]);
    }

    /// Sets rules of the user on both, and tells whether they took them.
    pub fn set_rules(&mut self, setuser: &[Vec<u8>]) -> bool {
        let (ours, theirs) = self.ask(setuser);
        self.keep(format!("{}\n    solod {ours}\n    redis {theirs}", words(setuser)));
        if ours != theirs {
            self.fail("a rule is taken otherwise");
        }
        ours == *"OK"
    }

    /// Runs a command as the user with rules on both.
    pub fn run_as_user(&mut self, call: &Call) {
        self.prepare(call);
        if call.name == "xsetid" && self.is_refused_by_newer(call) {
            return;
        }
        if Chance::of(&call.name, &call.args) == Chance::Takes {
            // The user of one takes what chance gives it, so the other is asked whether it might.
            let dryrun = [&[b"ACL".to_vec(), b"DRYRUN".to_vec(), b"u".to_vec()], &call.args[..]].concat();
            let (ours, theirs) = self.ask(&dryrun);
            if (ours == *"OK") != (theirs == *"OK") {
                self.fail(&format!("{} may be run: {ours}, and {theirs} by redis", words(&call.args)));
            }
            return if ours == *"OK" { self.run_taking(call) } else { self.compare_as_user(call) };
        }
        self.compare_as_user(call);
    }

    fn compare_as_user(&mut self, call: &Call) {
        let (ours, mut theirs) = self.ask_as_user(&call.args);
        if ours != theirs && theirs == Value::Error(NO_SCORE.to_owned()) {
            self.theirs.cmd(&["INCRBYFLOAT", "nothing", "x"]);
            theirs = self.users.as_mut().expect("there is such a user")[1].cmd(&call.args);
        }
        self.keep(format!("u: {}\n    solod {ours}\n    redis {theirs}", words(&call.args)));
        self.allowed += u64::from(!is_refusal(&ours));
        self.compare(call, &ours, &theirs);
    }

    /// Whether a transaction may have it: it is not up to chance, and the reference is of one mind with us.
    pub fn may_be_queued(call: &Call) -> bool {
        let differs = matches!(call.name.as_str(), "xsetid" | "xclaim" | "xautoclaim" | "xreadgroup") || call.name.starts_with("sort");
        !differs && Chance::of(&call.name, &call.args) != Chance::Takes
    }

    /// The user begins a transaction.
    pub fn begin(&mut self) {
        self.same_as_user(&[b"MULTI".to_vec()]);
    }

    /// The user adds a command to the transaction. Whether it was taken.
    pub fn queue(&mut self, call: &Call) -> bool {
        let (ours, theirs) = self.ask_as_user(&call.args);
        self.keep(format!("u: {}\n    solod {ours}\n    redis {theirs}", words(&call.args)));
        // MULTI may be what is refused.
        self.compare(call, &ours, &theirs);
        ours == *"QUEUED"
    }

    /// The user runs what was queued, and leaves whatever state it is in.
    pub fn execute(&mut self, queued: &[&Call]) {
        let (ours, theirs) = self.ask_as_user(&["EXEC"]);
        self.keep(format!("u: EXEC\n    solod {ours}\n    redis {theirs}"));
        match (&ours, &theirs) {
            (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() && ours.len() == queued.len() => {
                queued.iter().zip(ours.iter().zip(theirs)).for_each(|(call, (ours, theirs))| self.compare(call, ours, theirs));
            }
            _ if ours == theirs => (),
            _ => self.fail("EXEC is answered otherwise"),
        }
        self.same_as_user(&[b"DISCARD".to_vec()]);
        self.same_as_user(&[b"RESET".to_vec()]);
        let hello = ["HELLO", &self.protocol.to_string(), "AUTH", "u", "x"].map(|word| word.as_bytes().to_vec());
        self.ask_as_user(&hello);
    }

    fn same_as_user(&mut self, args: &[Vec<u8>]) {
        let (ours, theirs) = self.ask_as_user(args);
        self.keep(format!("u: {}\n    solod {ours}\n    redis {theirs}", words(args)));
        if ours != theirs {
            self.fail(&format!("{} is answered otherwise", words(args)));
        }
    }

    /// Compares the log of refusals, and empties it.
    pub fn check_refusals(&mut self) {
        let (ours, theirs) = self.ask(&["ACL", "LOG", "1000"]);
        let told = |log: &Value| -> Vec<String> {
            let entry =
                |entry: &Value| ["count", "reason", "context", "object", "username"].map(|field| entry.get(field).to_string()).join(" ");
            log.items().iter().map(entry).collect()
        };
        let (ours, theirs) = (told(&ours), told(&theirs));
        if let Some(at) = (0..ours.len().max(theirs.len())).find(|at| ours.get(*at) != theirs.get(*at)) {
            self.fail(&format!("the log of refusals has {:?}, and {:?} by redis, at {at}", ours.get(at), theirs.get(at)));
        }
        self.ask(&["ACL", "LOG", "RESET"]);
    }

    /// Makes the consumers that a command names: 7.2 does so even if it finds nothing, and 7.0 does not.
    fn create_consumers(&mut self, call: &Call) {
        let at = |word: &str| call.args.iter().position(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
        let (keys, group) = match call.name.as_str() {
            "xclaim" | "xautoclaim" => (1..2, 2),
            "xreadgroup" => match (at("STREAMS"), at("GROUP")) {
                (Some(streams), Some(group)) => (streams + 1..call.args.len(), group + 1),
                _ => return,
            },
            _ => return,
        };
        let (Some(group), Some(consumer)) = (call.args.get(group), call.args.get(group + 1)) else { return };
        for key in keys.filter_map(|i| call.args.get(i)) {
            let create: [&[u8]; 5] = [b"XGROUP", b"CREATECONSUMER", key, group, consumer];
            let (ours, theirs) = self.ask(&create);
            if ours != theirs {
                self.fail(&format!("a consumer is made otherwise: {ours}, and {theirs} by redis"));
            }
        }
    }

    /// Whether 7.2 refuses what 7.0 does, and so it must not be done.
    fn is_refused_by_newer(&mut self, call: &Call) -> bool {
        let key = call.args.get(1).map_or(&[][..], |key| key);
        let deleted = match self.ours.cmd(&[b"XINFO", &b"STREAM"[..], key]) {
            reply @ (Value::Array(_) | Value::Map(_)) => reply.get("max-deleted-entry-id").text(),
            _ => return false,
        };
        let id = |text: &str| StreamId::parse(text.as_bytes(), 0);
        call.args.get(2).is_some_and(|given| id(&String::from_utf8_lossy(given)) < id(&deleted))
    }

    /// Whether an element of this list, set or sorted set has a NUL byte.
    fn holds_nul(&mut self, key: &[u8]) -> bool {
        let sort: [&[u8]; 4] = [b"SORT_RO", key, b"BY", b"nosort"];
        matches!(self.ours.cmd(&sort), Value::Array(items) if items.iter().any(|item| matches!(item, Value::Bulk(b) if b.contains(&0))))
    }

    /// Runs a command that takes elements by chance, and takes the same ones from the other.
    fn run_taking(&mut self, call: &Call) {
        self.open = words(&call.args);
        let ours = self.ours.cmd(&call.args);
        self.open.clear();
        self.keep(format!("{}\n    solod {ours}", words(&call.args)));
        let taken = match &ours {
            Value::Bulk(member) => vec![member.clone()],
            Value::Array(items) | Value::Set(items) => {
                items.iter().filter_map(|v| if let Value::Bulk(b) = v { Some(b.clone()) } else { None }).collect()
            }
            _ => Vec::new(),
        };
        if taken.is_empty() {
            let theirs = self.theirs.cmd(&call.args);
            if ours != theirs {
                self.fail(&format!("{} is answered {theirs} by redis", words(&call.args)));
            }
            return;
        }
        let mut remove = vec![b"SREM".to_vec(), call.args[1].clone()];
        let count = taken.len() as i64;
        remove.extend(taken);
        let theirs = self.theirs.cmd(&remove);
        if theirs != Value::Int(count) {
            self.fail(&format!("{} took what was not there", words(&call.args)));
        }
    }

    /// Compares what is known of one key.
    pub fn check_key(&mut self, key: &[u8]) {
        if let Some(difference) = self.difference_of_key(key) {
            self.fail_at(&[key.escape_ascii().to_string()], &difference);
        }
    }

    fn difference_of_key(&mut self, key: &[u8]) -> Option<String> {
        let name = key.escape_ascii();
        let (ours, theirs) = self.ask(&[b"OBJECT", &b"ENCODING"[..], key]);
        let kind = self.ours.cmd(&[b"TYPE", key]);
        let size = self.ours.cmd(&[if kind == *"zset" { b"ZCARD" } else { b"SCARD" }, key]);
        if !compare::same_encoding(&kind, &size, &ours, &theirs) {
            return Some(format!("{name} is encoded as {ours}, and as {theirs} by redis"));
        }
        if kind == *"stream" {
            let (ours, theirs) = self.ask::<&[u8]>(&[b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]);
            if compare::timeless(&ours) != compare::timeless(&theirs) {
                return Some(format!("{name} is {ours},\n    and {theirs} by redis"));
            }
        }
        let (ours, theirs) = self.ask(&[b"PTTL", key]);
        if (ours.int() - theirs.int()).abs() > CLOCKS_MS || ours.int().signum() != theirs.int().signum() {
            return Some(format!("{name} has {ours} ms to live, and {theirs} by redis"));
        }
        None
    }

    /// Compares all that is stored.
    pub fn check_all(&mut self) {
        let mut different = None;
        // A key of a few milliseconds may be gone in one and not in the other yet.
        for _ in 0..PATIENCE {
            let (ours, theirs) = self.ask(&["DEBUG", "DIGEST"]);
            different = if ours == theirs { None } else { self.difference() };
            if different.is_none() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some((key, difference)) = different {
            self.fail_at(&[key], &difference);
        }
    }

    /// The first key that is different, however 7.0 writes its scores: they go into its digests as text.
    fn difference(&mut self) -> Option<(String, String)> {
        for db in ["1", "0"] {
            self.ask(&["SELECT", db]);
            for key in KEY_PREFIXES.iter().flat_map(|&prefix| (0..KEYS_EACH as u8).map(move |n| [prefix, b'0' + n])) {
                let found = self.difference_of_key(&key).or_else(|| self.difference_of_value(&key));
                if let Some(found) = found {
                    return Some((key.escape_ascii().to_string(), format!("in database {db} {found}")));
                }
            }
        }
        None
    }

    fn difference_of_value(&mut self, key: &[u8]) -> Option<String> {
        let (ours, theirs) = self.ask(&[b"DEBUG", &b"DIGEST-VALUE"[..], key]);
        if ours == theirs {
            return None;
        }
        let kinds = self.ask(&[b"TYPE", key]);
        let show: &[&[u8]] = match kinds.0.text().as_str() {
            "list" => &[b"LRANGE", key, b"0", b"-1"],
            "hash" => &[b"HGETALL", key],
            "zset" => &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
            "set" => &[b"SMEMBERS", key],
            "stream" => &[b"XRANGE", key, b"-", b"+"],
            _ => &[b"GET", key],
        };
        let (ours, theirs) = self.ask(show);
        let is_zset = kinds.0 == kinds.1 && kinds.0 == *"zset";
        let same = is_zset && compare::same_but_for_digits(&ours, &theirs);
        (!same).then(|| format!("{} is different:\n    solod {ours}\n    redis {theirs}", key.escape_ascii()))
    }

    pub fn finish(&self, commands: u64) {
        println!("{commands} commands, {} of them refused by both", self.errors);
        assert!(self.errors * 2 < commands, "most commands do something");
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.open.is_empty() {
            println!("not answered: {}", self.open);
        }
    }
}
