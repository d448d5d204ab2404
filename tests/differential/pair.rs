//! The two servers, and what has to be the same in both.

use crate::{
    common::{Conn, Server, Value},
    compare::{self, Chance},
    generate::Call,
};
use std::{collections::VecDeque, path::Path, time::Duration};

/// Commands kept, and how many of them are shown with a difference: the last, or the last that name the key.
const KEPT: usize = 3000;
const SHOWN: usize = 40;
/// A time to live may differ by what passes between two servers' clocks, in milliseconds.
const CLOCKS_MS: i64 = 2000;

/// How often the data are compared before they count as different.
const PATIENCE: usize = 50;

pub struct Pair {
    ours: Conn,
    theirs: Conn,
    /// The last commands, and what they were answered.
    last: VecDeque<String>,
    errors: u64,
    protocol: u8,
    count: u64,
    _servers: [Server; 2],
}

fn words(args: &[Vec<u8>]) -> String {
    let word = |arg: &Vec<u8>| format!("\"{}\"", arg.escape_ascii());
    args.iter().map(word).collect::<Vec<_>>().join(" ")
}

impl Pair {
    pub fn start() -> Self {
        let settings = ["--enable-debug-command", "yes", "--save", ""];
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
        ];
        let settings: Vec<_> = settings.into_iter().chain(small).collect();
        let ours = Server::start(&settings);
        let theirs = Server::of(Path::new("redis-server"), &settings);
        Self {
            ours: ours.connect(),
            theirs: theirs.connect(),
            last: VecDeque::new(),
            errors: 0,
            protocol: 2,
            count: 0,
            _servers: [ours, theirs],
        }
    }

    fn ask<A: AsRef<[u8]>>(&mut self, args: &[A]) -> (Value, Value) {
        self.ours.send_cmd(args);
        self.theirs.send_cmd(args);
        (self.ours.recv(), self.theirs.recv())
    }

    fn keep(&mut self, line: String) {
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn fail(&self, what: &str) -> ! {
        self.fail_at("", what);
    }

    fn fail_at(&self, key: &str, what: &str) -> ! {
        let named: Vec<_> = self.last.iter().filter(|line| key.is_empty() || line.contains(&format!("\"{key}\""))).collect();
        named[named.len().saturating_sub(SHOWN)..].iter().for_each(|line| println!("{line}"));
        panic!("{what}");
    }

    /// Runs a command on both and compares what they answer.
    pub fn run(&mut self, call: &Call) {
        self.count += 1;
        if self.count.is_multiple_of(500) {
            self.protocol = 5 - self.protocol;
            self.ask(&["HELLO".to_owned(), self.protocol.to_string()]);
        }
        let chance = Chance::of(&call.name, &call.args);
        if chance == Chance::Takes {
            return self.run_taking(call);
        }
        let (ours, theirs) = self.ask(&call.args);
        self.keep(format!("{}\n    solod {ours}\n    redis {theirs}", words(&call.args)));
        self.errors += u64::from(matches!(ours, Value::Error(_)));
        if !compare::same(call, chance, &ours, &theirs) {
            self.fail(&format!("{} is answered otherwise", words(&call.args)));
        }
    }

    /// Runs a command that takes elements by chance, and takes the same ones from the other.
    fn run_taking(&mut self, call: &Call) {
        let ours = self.ours.cmd(&call.args);
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
        let (ours, theirs) = self.ask(&[b"OBJECT", &b"ENCODING"[..], key]);
        let kind = self.ours.cmd(&[b"TYPE", key]);
        let size = self.ours.cmd(&[if kind == *"zset" { b"ZCARD" } else { b"SCARD" }, key]);
        if !compare::same_encoding(&kind, &size, &ours, &theirs) {
            self.fail_at(
                &key.escape_ascii().to_string(),
                &format!("{} is encoded as {ours}, and as {theirs} by redis", key.escape_ascii()),
            );
        }
        let (ours, theirs) = self.ask(&[b"PTTL", key]);
        if (ours.int() - theirs.int()).abs() > CLOCKS_MS || ours.int().signum() != theirs.int().signum() {
            self.fail_at(&key.escape_ascii().to_string(), &format!("{} has {ours} ms to live, and {theirs} by redis", key.escape_ascii()));
        }
    }

    /// Compares all that is stored.
    pub fn check_all(&mut self) {
        // A key of a few milliseconds may be gone in one and not in the other yet.
        for _ in 0..PATIENCE {
            let (ours, theirs) = self.ask(&["DEBUG", "DIGEST"]);
            if ours == theirs {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for db in ["0", "1"] {
            self.ask(&["SELECT", db]);
            for prefix in ["s", "l", "h", "z", "t", "x"] {
                for n in 0..6 {
                    let key = format!("{prefix}{n}");
                    let (ours, theirs) = self.ask(&["DEBUG", "DIGEST-VALUE", &key]);
                    if ours != theirs {
                        let show: &[&str] = match prefix {
                            "l" => &["LRANGE", &key, "0", "-1"],
                            "h" => &["HGETALL", &key],
                            "z" | "x" => &["ZRANGE", &key, "0", "-1", "WITHSCORES"],
                            "t" => &["SMEMBERS", &key],
                            _ => &["GET", &key],
                        };
                        let (ours, theirs) = self.ask(show);
                        println!("{key} of database {db}\n    solod {ours}\n    redis {theirs}");
                        self.fail_at(&key, "the data differ");
                    }
                }
            }
        }
        self.fail("the data differ");
    }

    pub fn finish(&self, commands: u64) {
        println!("{commands} commands, {} of them refused by both", self.errors);
        assert!(self.errors * 2 < commands, "most commands do something");
    }
}
