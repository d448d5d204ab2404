//! What clients ask for: commands by chance, on few keys or many, with values that are never the same twice.

use super::{
    marked,
    scripts::Catalogue,
    wire::{Words, words},
};
use solod::data::rng::Rng;
use std::{fmt, rc::Rc};

/// Databases that ordinary commands use. The one behind them holds the ledger: keys that are written once.
pub const DBS: u64 = 3;
/// Index of the ledger's database.
pub const LEDGER: usize = DBS as usize;
/// The channel to which clients publish.
pub const CHANNEL: &str = "news";
/// Number of databases.
pub const DATABASES: u32 = DBS as u32 + 1;

/// Keys that one request removes or writes, at most: more than a segment of a table holds.
const SWEEP_MAX: u64 = 1000;

/// What a run's clients are like.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Number of different keys.
    pub keys: u64,
    /// Requests sent together, at most.
    pub pipeline: u64,
    /// Microseconds between a client's requests, on average.
    pub pause_us: u64,
    /// One value in so many is big.
    pub big_one_in: u64,
    /// One request in so many empties or swaps databases.
    pub upheaval_one_in: u64,
    /// One request in so many removes or writes a run of keys, so that tables shrink and grow.
    pub sweep_one_in: u64,
    /// The share of requests, in percent, that are about collections.
    pub collections_percent: u64,
    /// Whether that may be all of them.
    pub flushes: bool,
    /// Values written so far.
    serial: u64,
    /// Whether clients use transactions.
    pub transactions: bool,
    /// The scripts that clients run, if they run any.
    pub scripts: Option<Scripts>,
}

/// How clients use scripts.
#[derive(Clone)]
pub struct Scripts {
    pub catalogue: Rc<Catalogue>,
    /// The share of requests, in percent.
    percent: u64,
    /// One batch in so many ends with a script that takes its time.
    slow_one_in: u64,
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} percent, one in {} slow", self.percent, self.slow_one_in)
    }
}

impl Scripts {
    pub fn new(rng: &mut Rng) -> Self {
        let catalogue = Rc::new(Catalogue::new(rng));
        Self { catalogue, percent: [5, 20, 60][rng.below(3) as usize], slow_one_in: 20 + rng.below(200) }
    }
}

impl Workload {
    pub fn new(rng: &mut Rng) -> Self {
        let keys = [5, 50, 600, 4000][rng.below(4) as usize];
        Self {
            keys,
            pipeline: 1 + rng.below(24),
            pause_us: 1000 + rng.below(20_000),
            big_one_in: 100 + rng.below(1000),
            upheaval_one_in: 50 + rng.below(2000),
            sweep_one_in: 30 + rng.below(300),
            collections_percent: [0, 0, 10, 60][rng.below(4) as usize],
            flushes: false,
            serial: 0,
            transactions: true,
            scripts: None,
        }
    }

    fn key(&self, rng: &mut Rng) -> String {
        format!("key:{}", rng.below(self.keys))
    }

    /// A value that nobody has written before.
    pub fn value(&mut self, rng: &mut Rng) -> String {
        self.serial += 1;
        let padding = match rng.below(self.big_one_in) {
            0 => rng.below(100_000) as usize,
            n if n % 4 == 0 => rng.below(150) as usize,
            _ => 0,
        };
        format!("{}{}", marked::mark(self.serial), "=".repeat(padding))
    }

    /// Requests that fill the databases before anything else happens.
    pub fn fill(&mut self, rng: &mut Rng) -> Vec<Words> {
        let mut all = Vec::new();
        for db in 0..DBS {
            all.push(words(&format!("SELECT {db}")));
            for from in (0..self.keys).step_by(50) {
                let mut line = words("MSET");
                for key in from..self.keys.min(from + 50) {
                    line.push(format!("key:{key}").into_bytes());
                    line.push(self.value(rng).into_bytes());
                }
                all.push(line);
            }
        }
        all.push(words("SELECT 0"));
        all
    }

    /// A write that is never undone: its key, and its value.
    pub fn ledger(&mut self, rng: &mut Rng) -> (Vec<u8>, Vec<u8>) {
        let value = self.value(rng);
        (format!("ledger:{}", marked::mark(self.serial)).into_bytes(), value.into_bytes())
    }

    /// One request for some keys in a row.
    fn sweep(&mut self, rng: &mut Rng) -> Words {
        let count = 1 + rng.below(self.keys.min(SWEEP_MAX));
        let from = rng.below(self.keys);
        let keys = (from..self.keys.min(from + count)).map(|key| format!("key:{key}").into_bytes());
        match rng.below(4) {
            0 => {
                let pairs = keys.collect::<Vec<_>>().into_iter().flat_map(|key| [key, self.value(rng).into_bytes()]);
                words("MSET").into_iter().chain(pairs).collect()
            }
            n => words(if n == 1 { "UNLINK" } else { "DEL" }).into_iter().chain(keys).collect(),
        }
    }

    /// One request that stands for itself.
    pub fn request(&mut self, rng: &mut Rng) -> Words {
        if rng.below(self.upheaval_one_in) == 0 {
            return match rng.below(3) {
                0 => words(&format!("SWAPDB {} {}", rng.below(DBS), rng.below(DBS))),
                1 if self.flushes => words("FLUSHALL"),
                _ => words("FLUSHDB"),
            };
        }
        if rng.below(self.sweep_one_in) == 0 {
            return self.sweep(rng);
        }
        if let Some(scripts) = self.scripts.clone()
            && rng.below(100) < scripts.percent
        {
            let keys = [self.key(rng), self.key(rng)];
            return scripts.catalogue.request(rng, keys, |rng| self.value(rng));
        }
        if rng.below(100) < self.collections_percent {
            return self.collection(rng);
        }
        let (key, other) = (self.key(rng), self.key(rng));
        let most_ms = if rng.below(4) == 0 { 20 } else { 3000 };
        let ms = 1 + rng.below(most_ms);
        let line = match rng.below(44) {
            0..=8 => format!("SET {key} {}", self.value(rng)),
            9 | 10 => format!("SET {key} {} PX {ms}", self.value(rng)),
            11 => format!("SET {key} {} {}", self.value(rng), ["NX", "XX", "KEEPTTL", "GET", "XX GET", "NX GET"][rng.below(6) as usize]),
            12 => format!("SET {key} {}", rng.below(1000)),
            13..=15 => format!("INCRBY {key} {}", rng.below(100)),
            16 | 17 => format!("APPEND {key} {}", rng.below(1000)),
            18 => format!("SETRANGE {key} {} {}", rng.below(40), self.value(rng)),
            19..=21 => format!("DEL {key}"),
            22 => format!("UNLINK {key} {other} {key}"),
            23 => format!("GETDEL {key}"),
            24 | 25 => format!("PEXPIRE {key} {ms}"),
            26 => format!("PEXPIRE {key} {ms} {}", ["NX", "XX", "GT", "LT"][rng.below(4) as usize]),
            27 => format!("EXPIRE {key} {}", rng.below(3)),
            28 => format!("PERSIST {key}"),
            29 => format!("GETEX {key} {}", if rng.below(2) == 0 { "PERSIST".to_owned() } else { format!("PX {ms}") }),
            30 | 31 => format!("RENAME {key} {other}"),
            32 => format!("RENAMENX {key} {other}"),
            33 => format!("COPY {key} {other} DB {}{}", rng.below(DBS), if rng.below(2) == 0 { " REPLACE" } else { "" }),
            34 => format!("MOVE {key} {}", rng.below(DBS)),
            35 => format!("MSET {key} {} {other} {}", self.value(rng), self.value(rng)),
            36 => format!("MSETNX {key} {} {other} {}", self.value(rng), self.value(rng)),
            37 => format!("SELECT {}", rng.below(DBS)),
            _ => return self.question(rng),
        };
        words(&line)
    }

    /// One request about a collection: few keys, and now and then many elements at once, so that some become large.
    fn collection(&mut self, rng: &mut Rng) -> Words {
        let kind = ["list", "hash", "set", "zset"][rng.below(4) as usize];
        let (key, other) = (format!("{kind}:{}", rng.below(8)), format!("{kind}:{}", rng.below(8)));
        let count = if rng.below(12) == 0 { 1 + rng.below(600) } else { 1 + rng.below(4) };
        let mut elements = || (0..count).map(|_| format!("e{}", rng.below(1500))).collect::<Vec<_>>();
        let (names, values) = (elements(), elements());
        let line = match (rng.below(24), kind) {
            (0, _) => format!("DEL {key}"),
            (1, _) => format!("UNLINK {key} {other}"),
            (2, _) => format!("PEXPIRE {key} {}", 1 + rng.below(3000)),
            (3, _) => format!("PERSIST {key}"),
            (4, _) => format!("RENAME {key} {other}"),
            (5, _) => format!("COPY {key} {other} DB {} REPLACE", rng.below(DBS)),
            (6, _) => format!("MOVE {key} {}", rng.below(DBS)),
            (7, "list") => format!("LLEN {key}"),
            (7, "hash") => format!("HLEN {key}"),
            (7, "set") => format!("SCARD {key}"),
            (7, _) => format!("ZCARD {key}"),
            (8..=13, "list") => format!("{} {key}", if rng.below(2) == 0 { "LPOP" } else { "RPOP" }),
            (_, "list") => format!("{} {key} {}", if rng.below(2) == 0 { "LPUSH" } else { "RPUSH" }, values.join(" ")),
            (8..=11, "hash") => format!("HDEL {key} {}", names.join(" ")),
            (12 | 13, "hash") => format!("HINCRBY {key} n{} {}", rng.below(100), rng.below(1000)),
            (_, "hash") => {
                let pairs: Vec<_> = names.iter().zip(&values).map(|(name, value)| format!("{name} {value}")).collect();
                format!("HSET {key} {}", pairs.join(" "))
            }
            (8..=13, "set") => format!("SREM {key} {}", names.join(" ")),
            (_, "set") => format!("SADD {key} {}", names.join(" ")),
            (8..=13, _) => format!("ZREM {key} {}", names.join(" ")),
            _ => {
                let pairs: Vec<_> = names.iter().map(|name| format!("{} {name}", rng.below(1000))).collect();
                format!("ZADD {key} {}", pairs.join(" "))
            }
        };
        words(&line)
    }

    /// One request that changes nothing.
    pub fn question(&mut self, rng: &mut Rng) -> Words {
        let (key, other) = (self.key(rng), self.key(rng));
        words(&match rng.below(8) {
            0..=3 => format!("GET {key}"),
            4 => format!("MGET {key} {other}"),
            5 => format!("PTTL {key}"),
            6 => format!("STRLEN {key}"),
            _ => format!("EXISTS {key} {other}"),
        })
    }

    /// What somebody asks who changes nothing.
    pub fn look(&mut self, rng: &mut Rng) -> Words {
        let Some(scripts) = self.scripts.clone().filter(|scripts| rng.below(200) < scripts.percent) else { return self.question(rng) };
        let (keys, is_slow) = ([self.key(rng), self.key(rng)], rng.below(10) == 0);
        let mut value = |rng: &mut Rng| self.value(rng);
        let mut asked = match is_slow {
            true => scripts.catalogue.slow_request(rng, keys, &mut value),
            false => scripts.catalogue.request(rng, keys, &mut value),
        };
        if asked[0] == b"EVAL" {
            asked[0] = b"EVAL_RO".to_vec();
        }
        if asked[0] == b"EVAL_RO" { asked } else { self.question(rng) }
    }

    /// Whether a request runs a script that takes its time.
    pub fn is_slow(&self, words: &[Vec<u8>]) -> bool {
        self.scripts.as_ref().is_some_and(|scripts| scripts.catalogue.is_slow(words))
    }

    /// What a client sends in one go.
    pub fn batch(&mut self, rng: &mut Rng) -> Vec<Words> {
        let count = 1 + rng.below(self.pipeline);
        let mut batch: Vec<_> = (0..count).map(|_| self.request(rng)).collect();
        if rng.below(6) == 0 && self.transactions {
            batch.insert(0, words("MULTI"));
            batch.push(words(if rng.below(5) == 0 { "DISCARD" } else { "EXEC" }));
        }
        if let Some(scripts) = self.scripts.clone()
            && rng.below(scripts.slow_one_in) == 0
        {
            let keys = [self.key(rng), self.key(rng)];
            batch.push(scripts.catalogue.slow_request(rng, keys, |rng| self.value(rng)));
        }
        batch
    }
}
