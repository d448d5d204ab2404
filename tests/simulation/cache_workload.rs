//! What clients that keep copies ask for: the same few keys over and over, changes of their own between, transactions and scripts.

use super::{
    cache::{Cache, Question, Sent},
    clients::Client,
    state::Key,
    wire::{Words, words},
    workload::Workload,
    world::World,
};
use solod::data::rng::Rng;

/// Keys of each kind that they ask about.
const KEYS: u64 = 24;
const COLLECTIONS: u64 = 8;
/// Requests sent together, at most.
const BATCH: u64 = 8;

/// Somebody who asks.
struct Asking<'a> {
    client: &'a mut Client,
    cache: &'a mut Cache,
    workload: &'a mut Workload,
    rng: &'a mut Rng,
}

impl World {
    /// A client that keeps copies sends some requests.
    pub fn ask_caching(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(mut cache) = client.cache.take() else { return };
        client.is_patient = false;
        let (workload, rng) = (&mut self.workload, &mut self.rng);
        let mut asking = Asking { client, cache: &mut cache, workload, rng };
        for _ in 0..=asking.rng.below(BATCH) {
            asking.request();
        }
        match asking.rng.below(40) {
            0 => asking.track_anew(),
            1..=3 => asking.long_answer(),
            _ => (),
        }
        self.clients[index].cache = Some(cache);
    }
}

impl Asking<'_> {
    fn ask(&mut self, words: Words, sent: Sent) {
        self.client.ask(words);
        self.cache.sent.push_back(sent);
    }

    fn request(&mut self) {
        match self.rng.below(40) {
            0..=7 => {
                // It is spent by what is refused, too.
                self.except();
                let (words, sent) = self.change(true);
                self.ask(words, sent);
            }
            8..=11 => self.ask(words("PING"), Sent::Ping(None)),
            12..=14 => self.transaction(),
            15 | 16 if self.workload.scripts.is_some() => self.script(),
            _ => {
                let keeps = self.except();
                let (words, sent) = self.read(keeps);
                self.ask(words, sent);
            }
        }
    }

    /// Says now and then that the next command is not as the others; whether what that reads is kept.
    fn except(&mut self) -> bool {
        let exception = self.cache.style.exception().filter(|_| self.rng.below(2) == 0);
        if let Some(word) = exception {
            self.ask(words(&format!("CLIENT CACHING {word}")), Sent::Caching);
        }
        self.cache.style.keeps(exception.is_some())
    }

    fn plain_key(&mut self) -> Key {
        format!("key:{}", self.rng.below(self.workload.keys.min(KEYS))).into_bytes()
    }

    fn read(&mut self, keeps: bool) -> (Words, Sent) {
        let kind = ["LLEN list", "LINDEX list", "HLEN hash", "SCARD set", "ZCARD zset"][self.rng.below(5) as usize];
        let one = |name: &str, key: Key, question| (vec![name.as_bytes().to_vec(), key.clone()], vec![(key, question)], false);
        let (mut words, keys, many) = match self.rng.below(16) {
            0 | 1 => one("GET", self.cache.own.clone(), Question::Value),
            2 => one("STRLEN", self.plain_key(), Question::Length),
            3 => one("EXISTS", self.plain_key(), Question::Exists),
            4 | 5 => one("PEXPIRETIME", self.plain_key(), Question::Deadline),
            6 | 7 => {
                let keys = [self.plain_key(), self.plain_key()];
                let asked = keys.iter().map(|key| (key.clone(), Question::Value)).collect();
                ([b"MGET".to_vec()].into_iter().chain(keys).collect(), asked, true)
            }
            8 | 9 if self.workload.collections_percent > 0 => {
                let (name, what) = kind.split_once(' ').expect("two words");
                let key = format!("{what}:{}", self.rng.below(COLLECTIONS)).into_bytes();
                one(name, key, if name == "LINDEX" { Question::First } else { Question::Count })
            }
            _ => one("GET", self.plain_key(), Question::Value),
        };
        if words[0] == b"LINDEX" {
            words.push(b"0".to_vec());
        }
        (words, self.cache.read(keys, many, keeps))
    }

    /// A command that may change something; `own`: also the key that nobody else changes.
    fn change(&mut self, own: bool) -> (Words, Sent) {
        let (key, other) = (self.plain_key(), self.plain_key());
        let (name, second) = (String::from_utf8_lossy(&key).into_owned(), String::from_utf8_lossy(&other).into_owned());
        let value = self.workload.value(self.rng);
        let ms = 1 + self.rng.below(300);
        let (line, keys, proof): (String, Vec<Key>, Option<&'static [u8]>) = match self.rng.below(16) {
            0..=3 if own => {
                let own = self.cache.own.clone();
                let name = String::from_utf8_lossy(&own).into_owned();
                match self.rng.below(4) {
                    0 => (format!("DEL {name}"), vec![own], Some(b":1\r\n")),
                    _ => (format!("SET {name} {value}"), vec![own], Some(b"+OK\r\n")),
                }
            }
            4 => (format!("DEL {name}"), vec![key], Some(b":1\r\n")),
            5 => (format!("SET {name} {value} PX {ms}"), vec![key], Some(b"+OK\r\n")),
            6 => (format!("PEXPIRE {name} {ms}"), vec![key], Some(b":1\r\n")),
            7 => (format!("RENAME {name} {second}"), vec![key, other], None),
            8 => (format!("MSET {name} {value} {second} {value}"), vec![key, other], Some(b"+OK\r\n")),
            9 => (format!("INCRBY {name} 3"), vec![key], None),
            10 => (format!("APPEND {name} 7"), vec![key], None),
            11 => (format!("GETEX {name} PX {ms}"), vec![key], None),
            12 => (format!("COPY {name} {second} REPLACE"), vec![key, other], None),
            _ => (format!("SET {name} {value}"), vec![key], Some(b"+OK\r\n")),
        };
        (words(&line), Sent::Change { keys, proof })
    }

    fn transaction(&mut self) {
        let keeps = self.except();
        self.ask(words("MULTI"), Sent::Other);
        let mut queued = Vec::new();
        for _ in 0..=self.rng.below(4) {
            let (words, sent) = if self.rng.below(3) == 0 { self.change(false) } else { self.read(keeps) };
            self.ask(words, Sent::Other);
            queued.push(sent);
        }
        let end = if self.rng.below(6) == 0 { "DISCARD" } else { "EXEC" };
        self.ask(words(end), Sent::Exec(queued));
    }

    /// A script. Who is not told of its own changes runs only such as change nothing: it does not know which keys the others do.
    fn script(&mut self) {
        let Some(scripts) = self.workload.scripts.clone() else { return };
        let keys = [self.plain_key(), self.plain_key()].map(|key| String::from_utf8_lossy(&key).into_owned());
        let mut request = scripts.catalogue.request(self.rng, keys, |rng| self.workload.value(rng));
        if self.cache.style.no_loop && request[0] == b"EVAL" {
            request[0] = b"EVAL_RO".to_vec();
        }
        if !self.cache.style.no_loop || request[0] == b"EVAL_RO" {
            self.ask(request, Sent::Change { keys: Vec::new(), proof: None });
        }
    }

    /// Asks for what may be answered in parts: what it is told meanwhile comes behind all of it. It asks nothing more before that, which would be done later.
    fn long_answer(&mut self) {
        let line = format!("SRANDMEMBER set:{} -4000", self.rng.below(COLLECTIONS));
        self.ask(words(&line), Sent::Change { keys: Vec::new(), proof: None });
        self.client.is_patient = true;
    }

    /// Goes over to another mode; everything is forgotten. It asks nothing more before that is answered.
    fn track_anew(&mut self) {
        self.ask(words("CLIENT TRACKING OFF"), Sent::Greeting);
        self.cache.style.change_mode(self.rng);
        let id = self.cache.listener_id.clone();
        self.ask(self.cache.style.tracking(id.as_deref()), Sent::Greeting);
        self.cache.track_anew();
        self.client.is_patient = true;
    }
}
