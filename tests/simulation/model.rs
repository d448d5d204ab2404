//! The commands of the workload, told again as plainly as can be: maps of keys, no tables, no slices, no laziness.

use super::{
    scripted::Loaded,
    state::{Content, Held, State},
    wire::{OK, Words, array, bulk, int},
};
use solod::data::entry::NEVER;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
};

/// What one connection has said that matters to later requests.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub db: usize,
    multi: Option<Vec<Words>>,
    /// A command of its transaction was refused.
    is_aborted: bool,
}

impl Session {
    /// One that uses a database from the beginning.
    pub fn in_db(db: usize) -> Self {
        Self { db, ..Self::default() }
    }

    /// What a request is answered with while a script keeps everybody waiting.
    pub fn busy(&mut self, words: &[Vec<u8>]) -> Expect {
        match (&words[0][..], self.multi.is_some()) {
            (b"MULTI", false) => {
                self.multi = Some(Vec::new());
                Expect::Bytes(OK.to_vec())
            }
            (b"DISCARD", true) => {
                *self = Self { db: self.db, ..Self::default() };
                Expect::Bytes(OK.to_vec())
            }
            (b"EXEC", true) => {
                *self = Self { db: self.db, ..Self::default() };
                Expect::Begins("-EXECABORT Transaction discarded because of")
            }
            (b"HELLO", false) => Expect::Any,
            (_, in_multi) => {
                self.is_aborted |= in_multi;
                Expect::Begins("-BUSY ")
            }
        }
    }
}

/// What a request is to be answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These, and more.
    Begins(&'static str),
    /// Whatever it is, it is a whole reply.
    Any,
}

pub fn number(word: &[u8]) -> i64 {
    std::str::from_utf8(word).ok().and_then(|w| w.parse().ok()).expect("there are only numbers here")
}

/// The data of one primary.
#[derive(Clone)]
pub struct Model {
    pub state: State,
    /// Its scripts, where clients use some.
    pub loaded: Option<Loaded>,
    /// Unix time in milliseconds of the request.
    now: i64,
}

impl Model {
    pub fn new(state: State, loaded: Option<Loaded>) -> Self {
        Self { state, loaded, now: 0 }
    }

    /// Does what a request asks at this moment, and says what it is answered.
    pub fn request(&mut self, session: &mut Session, words: &[Vec<u8>], now_ms: i64) -> Expect {
        self.now = now_ms;
        let name = words[0].to_ascii_uppercase();
        match (&name[..], session.multi.as_mut()) {
            (b"MULTI", None) => {
                session.multi = Some(Vec::new());
                Expect::Bytes(OK.to_vec())
            }
            (b"DISCARD", Some(_)) => {
                (session.multi, session.is_aborted) = (None, false);
                Expect::Bytes(OK.to_vec())
            }
            (b"EXEC", Some(_)) if std::mem::take(&mut session.is_aborted) => {
                session.multi = None;
                Expect::Begins("-EXECABORT Transaction discarded because of previous errors.")
            }
            (b"EXEC", Some(_)) => {
                let queue = session.multi.take().unwrap_or_default();
                let replies: Vec<_> = queue.iter().map(|words| self.command(session, words)).collect();
                replies.into_iter().collect::<Option<Vec<_>>>().map_or(Expect::Any, |replies| Expect::Bytes(array(&replies)))
            }
            (_, Some(queue)) => {
                queue.push(words.to_vec());
                Expect::Bytes(b"+QUEUED\r\n".to_vec())
            }
            (_, None) => self.command(session, words).map_or(Expect::Any, Expect::Bytes),
        }
    }

    fn find(&self, db: usize, key: &[u8]) -> Option<&Held> {
        self.state.0[db].get(key).filter(|held| held.deadline >= self.now)
    }

    /// A string's bytes, for scripts.
    pub fn text_of(&self, db: usize, key: &[u8]) -> Option<Vec<u8>> {
        self.value(db, key)
    }

    fn value(&self, db: usize, key: &[u8]) -> Option<Vec<u8>> {
        self.find(db, key).map(|held| held.text().to_vec())
    }

    fn put(&mut self, db: usize, key: &[u8], value: impl Into<Content>, deadline: i64) {
        self.state.0[db].insert(key.to_vec(), Held { value: value.into(), deadline });
    }

    /// A collection to add to.
    fn collection(&mut self, db: usize, key: &[u8], empty: Content) -> &mut Content {
        if self.find(db, key).is_none() {
            self.put(db, key, empty, NEVER);
        }
        &mut self.state.0[db].get_mut(key).expect("just put there").value
    }

    /// Takes something out of a collection, which goes with its last element. 0 where there is none.
    fn reduce(&mut self, db: usize, key: &[u8], take: impl FnOnce(&mut Content) -> i64) -> i64 {
        if self.find(db, key).is_none() {
            return 0;
        }
        let Some(held) = self.state.0[db].get_mut(key) else { return 0 };
        let taken = take(&mut held.value);
        if held.value.len() == 0 {
            self.state.0[db].remove(key);
        }
        taken
    }

    fn take(&mut self, db: usize, key: &[u8]) -> Option<Held> {
        let live = self.find(db, key).is_some();
        self.state.0[db].remove(key).filter(|_| live)
    }

    /// Changes a value and keeps its deadline.
    fn change(&mut self, db: usize, key: &[u8], value: Vec<u8>) {
        let deadline = self.find(db, key).map_or(NEVER, |held| held.deadline);
        self.put(db, key, value, deadline);
    }

    /// `None`: the reply is not ours to know.
    pub fn command(&mut self, session: &mut Session, words: &[Vec<u8>]) -> Option<Vec<u8>> {
        let db = session.db;
        let word = |i: usize| words.get(i).map_or(&b""[..], Vec::as_slice);
        let has = |option: &str| words.iter().skip(2).any(|w| w == option.as_bytes());
        let after = |option: &str| words.iter().position(|w| w == option.as_bytes()).map(|i| number(&words[i + 1]));
        let (key, now) = (word(1), self.now);
        Some(match &words[0].to_ascii_uppercase()[..] {
            b"PING" => b"+PONG\r\n".to_vec(),
            b"SELECT" => {
                session.db = number(key) as usize;
                OK.to_vec()
            }
            b"GET" => bulk(self.value(db, key).as_deref()),
            b"MGET" => array(&words[1..].iter().map(|k| bulk(self.value(db, k).as_deref())).collect::<Vec<_>>()),
            b"STRLEN" => int(self.find(db, key).map_or(0, |h| h.text().len() as i64)),
            b"TYPE" => {
                if self.find(db, key).is_some() {
                    b"+string\r\n".to_vec()
                } else {
                    b"+none\r\n".to_vec()
                }
            }
            b"EXISTS" => int(words[1..].iter().filter(|k| self.find(db, k).is_some()).count() as i64),
            b"PTTL" => int(match self.find(db, key) {
                None => -2,
                Some(held) if held.deadline == NEVER => -1,
                Some(held) => held.deadline - now,
            }),
            b"PEXPIRETIME" => int(match self.find(db, key) {
                None => -2,
                Some(held) if held.deadline == NEVER => -1,
                Some(held) => held.deadline,
            }),
            b"SET" => {
                let old = self.find(db, key).cloned();
                let sets = !(has("NX") && old.is_some() || has("XX") && old.is_none());
                if sets {
                    let kept = old.as_ref().filter(|_| has("KEEPTTL")).map_or(NEVER, |h| h.deadline);
                    let deadline = after("PX").map_or(kept, |ms| now + ms);
                    self.put(db, key, word(2).to_vec(), deadline);
                }
                match (has("GET"), sets) {
                    (true, _) => bulk(old.as_ref().map(Held::text)),
                    (false, true) => OK.to_vec(),
                    (false, false) => bulk(None),
                }
            }
            b"MSET" => {
                words[1..].chunks_exact(2).for_each(|pair| self.put(db, &pair[0], pair[1].clone(), NEVER));
                OK.to_vec()
            }
            b"MSETNX" => {
                let free = words[1..].chunks_exact(2).all(|pair| self.find(db, &pair[0]).is_none());
                if free {
                    words[1..].chunks_exact(2).for_each(|pair| self.put(db, &pair[0], pair[1].clone(), NEVER));
                }
                int(free.into())
            }
            b"GETDEL" => bulk(self.take(db, key).as_ref().map(Held::text)),
            b"GETEX" => {
                let old = self.value(db, key);
                if let Some(value) = &old {
                    match after("PX") {
                        Some(ms) => self.put(db, key, value.clone(), now + ms),
                        None if has("PERSIST") => self.put(db, key, value.clone(), NEVER),
                        None => (),
                    }
                }
                bulk(old.as_deref())
            }
            b"DEL" | b"UNLINK" => int(words[1..].iter().filter(|k| self.take(db, k).is_some()).count() as i64),
            b"APPEND" => {
                let value = [self.value(db, key).unwrap_or_default(), word(2).to_vec()].concat();
                let len = value.len();
                self.change(db, key, value);
                int(len as i64)
            }
            b"SETRANGE" => {
                let (mut value, at) = (self.value(db, key).unwrap_or_default(), number(word(2)) as usize);
                let end = at + word(3).len();
                value.resize(value.len().max(end), 0);
                value[at..end].copy_from_slice(word(3));
                let len = value.len();
                self.change(db, key, value);
                int(len as i64)
            }
            b"INCRBY" => {
                let old = self.value(db, key).unwrap_or_else(|| b"0".to_vec());
                // No leading zero, sign or space: exactly what a number prints as.
                let n = std::str::from_utf8(&old).ok().and_then(|t| t.parse::<i64>().ok().filter(|n| n.to_string() == t));
                match n.and_then(|n| n.checked_add(number(word(2)))) {
                    None => b"-ERR value is not an integer or out of range\r\n".to_vec(),
                    Some(n) => {
                        self.change(db, key, n.to_string().into_bytes());
                        int(n)
                    }
                }
            }
            b"RPUSH" | b"LPUSH" => {
                let at_end = words[0][0] == b'R';
                let Content::List(list) = self.collection(db, key, Content::List(VecDeque::new())) else { return None };
                for value in &words[2..] {
                    if at_end { list.push_back(value.clone()) } else { list.push_front(value.clone()) }
                }
                int(list.len() as i64)
            }
            b"RPOP" | b"LPOP" => {
                let (at_end, mut popped) = (words[0][0] == b'R', None);
                self.reduce(db, key, |content| {
                    let Content::List(list) = content else { return 0 };
                    popped = if at_end { list.pop_back() } else { list.pop_front() };
                    0
                });
                bulk(popped.as_deref())
            }
            b"HSET" => {
                let Content::Hash(hash) = self.collection(db, key, Content::Hash(BTreeMap::new())) else { return None };
                let new = words[2..].chunks_exact(2).filter(|pair| hash.insert(pair[0].clone(), pair[1].clone()).is_none());
                int(new.count() as i64)
            }
            b"HINCRBY" => {
                let Content::Hash(hash) = self.collection(db, key, Content::Hash(BTreeMap::new())) else { return None };
                let sum = hash.get(word(2)).map_or(0, |old| number(old)) + number(word(3));
                hash.insert(word(2).to_vec(), sum.to_string().into_bytes());
                int(sum)
            }
            b"SADD" => {
                let Content::Set(set) = self.collection(db, key, Content::Set(BTreeSet::new())) else { return None };
                int(words[2..].iter().filter(|member| set.insert((*member).clone())).count() as i64)
            }
            b"ZADD" => {
                let Content::Zset(zset) = self.collection(db, key, Content::Zset(BTreeMap::new())) else { return None };
                let new = words[2..].chunks_exact(2).filter(|pair| zset.insert(pair[1].clone(), number(&pair[0])).is_none());
                int(new.count() as i64)
            }
            b"HDEL" | b"SREM" | b"ZREM" => int(self.reduce(db, key, |content| {
                let gone = |element: &&Vec<u8>| match &mut *content {
                    Content::Hash(hash) => hash.remove(*element).is_some(),
                    Content::Set(set) => set.remove(*element),
                    Content::Zset(zset) => zset.remove(*element).is_some(),
                    _ => false,
                };
                words[2..].iter().filter(gone).count() as i64
            })),
            b"LLEN" | b"HLEN" | b"SCARD" | b"ZCARD" => int(self.find(db, key).map_or(0, |held| held.value.len() as i64)),
            b"LINDEX" => bulk(self.find(db, key).and_then(|held| held.value.first())),
            b"PEXPIRE" => int(self.expire(db, key, now + number(word(2)), word(3)).into()),
            b"EXPIRE" => int(self.expire(db, key, now + number(word(2)) * 1000, word(3)).into()),
            b"PERSIST" => {
                let held = self.find(db, key).cloned().filter(|h| h.deadline != NEVER);
                if let Some(held) = &held {
                    self.put(db, key, held.value.clone(), NEVER);
                }
                int(held.is_some().into())
            }
            b"RENAME" | b"RENAMENX" => {
                let (nx, there) = (words[0].len() == 8, self.find(db, word(2)).is_some());
                if self.find(db, key).is_none() {
                    b"-ERR no such key\r\n".to_vec()
                } else if nx && there {
                    int(0)
                } else {
                    if let Some(held) = self.take(db, key) {
                        self.put(db, word(2), held.value, held.deadline);
                    }
                    if nx { int(1) } else { OK.to_vec() }
                }
            }
            b"COPY" => {
                let to = after("DB").map_or(db, |n| n as usize);
                if to == db && key == word(2) {
                    b"-ERR source and destination objects are the same\r\n".to_vec()
                } else {
                    let there = self.find(to, word(2)).is_some();
                    let held = self.find(db, key).cloned().filter(|_| has("REPLACE") || !there);
                    if let Some(held) = &held {
                        self.put(to, word(2), held.value.clone(), held.deadline);
                    }
                    int(held.is_some().into())
                }
            }
            b"MOVE" => {
                let to = number(word(2)) as usize;
                if to == db {
                    b"-ERR source and destination objects are the same\r\n".to_vec()
                } else if self.find(to, key).is_some() {
                    int(0)
                } else {
                    let held = self.take(db, key);
                    if let Some(held) = &held {
                        self.put(to, key, held.value.clone(), held.deadline);
                    }
                    int(held.is_some().into())
                }
            }
            b"SWAPDB" => {
                self.state.0.swap(number(key) as usize, number(word(2)) as usize);
                OK.to_vec()
            }
            b"FLUSHDB" => {
                mem::take(&mut self.state.0[db]);
                OK.to_vec()
            }
            b"FLUSHALL" => {
                self.state.0.iter_mut().for_each(BTreeMap::clear);
                OK.to_vec()
            }
            b"EVAL" | b"EVALSHA" | b"EVAL_RO" | b"FCALL" | b"SCRIPT" | b"FUNCTION" => return self.scripting(db, words),
            _ => return None,
        })
    }

    fn expire(&mut self, db: usize, key: &[u8], deadline: i64, option: &[u8]) -> bool {
        let Some(held) = self.find(db, key).cloned() else { return false };
        let volatile = held.deadline != NEVER;
        let refused = match option {
            b"NX" => volatile,
            b"XX" => !volatile,
            b"GT" => !volatile || deadline <= held.deadline,
            b"LT" => volatile && deadline >= held.deadline,
            _ => false,
        };
        if refused {
            return false;
        }
        if deadline <= self.now {
            self.take(db, key);
        } else {
            self.put(db, key, held.value, deadline);
        }
        true
    }
}
