//! A client's copies of what it has read, kept as the manual of client-side caching says: dropped when the server tells of a change, and all of them with the
//! connection.

use super::{
    state::{Held, Key},
    style::Style,
    wire::{array_items, bulk, bulk_text, int, null, shown},
};
use solod::data::entry::NEVER;
use std::collections::{BTreeMap, VecDeque};

/// What can be asked about a key and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Value,
    Length,
    Exists,
    Deadline,
    /// Number of elements.
    Count,
    /// A list's first element.
    First,
}

impl Question {
    /// What is answered where a key holds this.
    pub fn answer(self, held: Option<&Held>, resp3: bool) -> Vec<u8> {
        let absent = || if resp3 { null() } else { bulk(None) };
        match (self, held) {
            (Self::Value | Self::First, None) => absent(),
            (Self::Value, Some(held)) => bulk(Some(held.text())),
            (Self::Length, held) => int(held.map_or(0, |held| held.text().len() as i64)),
            (Self::Exists, held) => int(held.is_some().into()),
            (Self::Deadline, None) => int(-2),
            (Self::Deadline, Some(held)) => int(if held.deadline == NEVER { -1 } else { held.deadline }),
            (Self::Count, held) => int(held.map_or(0, |held| held.value.len() as i64)),
            (Self::First, Some(held)) => held.value.first().map_or_else(absent, |first| bulk(Some(first))),
        }
    }
}

/// What a key holds at a moment: with what is past its deadline and has not been reclaimed, and without. Both are right for a copy: nobody is told before
/// it is reclaimed, and on a replica it is not there for readers before that.
pub type Truth = [Option<Held>; 2];

/// One copy.
#[derive(Clone, Debug)]
struct Copy {
    question: Question,
    /// `None`: that was asked for, and has not come.
    answer: Option<Vec<u8>>,
    /// The request whose answer it is to be.
    asked: u64,
    /// When the key expires (Unix ms), as the server knew when the answer came. The client does not use it.
    deadline: i64,
}

/// What has been asked, and not answered.
#[derive(Debug)]
pub enum Sent {
    /// Questions about keys.
    Read {
        keys: Vec<(Key, Question)>,
        asked: u64,
        /// The answer is an array with one for each key.
        many: bool,
        /// The answer is kept.
        keeps: bool,
    },
    /// A command that may change these keys.
    Change {
        keys: Vec<Key>,
        /// One that has changed its only key if this is the answer.
        proof: Option<&'static [u8]>,
    },
    /// What says how it is to be told. Where that is refused, it is told nothing.
    Greeting,
    /// CLIENT CACHING.
    Caching,
    /// PING; with what there was when it was executed, for all that has been asked for before.
    Ping(Option<BTreeMap<Key, Truth>>),
    /// EXEC, and what was queued.
    Exec(Vec<Sent>),
    Other,
}

/// A client's copies, and what it waits for.
#[derive(Debug)]
pub struct Cache {
    pub style: Style,
    copies: BTreeMap<Key, Copy>,
    pub sent: VecDeque<Sent>,
    /// Requests so far, over all connections.
    pub serial: u64,
    /// What was asked before this one was not tracked as what is asked from there on is.
    tracked_from: u64,
    /// CLIENT CACHING was accepted, for the next command or transaction.
    is_exception: bool,
    /// A key that its last answer says it has changed itself: it has a copy of it, and must be told before the next answer.
    owed: Option<Key>,
    /// A key that nobody else changes, and nothing takes away.
    pub own: Key,
    /// The answer to a change of that one has come last.
    told_of_own: bool,
    /// The CLIENT ID of its other connection.
    pub listener_id: Option<String>,
    /// It has been greeted, and may ask.
    pub is_ready: bool,
    /// The node that it stays at; `None`: it follows the primary.
    pub home: Option<usize>,
    /// Whether keys are forgotten for want of room, or evicted: then it may be told of that key at any time.
    pub forgets: bool,
    /// Copies compared so far.
    pub compared: u64,
}

impl Cache {
    pub fn new(style: Style) -> Self {
        Self {
            style,
            copies: BTreeMap::new(),
            sent: VecDeque::new(),
            serial: 0,
            tracked_from: 0,
            is_exception: false,
            owed: None,
            own: Key::new(),
            told_of_own: false,
            listener_id: None,
            is_ready: false,
            home: None,
            forgets: false,
            compared: 0,
        }
    }

    /// The connection is gone, and with it everything.
    pub fn begin_anew(&mut self, style: Style) {
        let Self { serial, home, forgets, compared, .. } = *self;
        *self = Self { serial, home, forgets, compared, ..Self::new(style) };
    }

    /// What is read from now on is tracked in another way.
    pub fn track_anew(&mut self) {
        self.copies.clear();
        self.tracked_from = self.serial;
        self.own.push(b'+');
    }

    /// A question that is about to be asked. Where its answer is kept, room is made for it: who is told of a change meanwhile drops that too.
    pub fn read(&mut self, keys: Vec<(Key, Question)>, many: bool, keeps: bool) -> Sent {
        self.serial += 1;
        for (key, question) in keys.iter().filter(|(key, _)| keeps && self.style.covers(key)) {
            // In one stream what is kept stays until something newer comes.
            if self.style.redirects || !self.copies.contains_key(key) {
                self.copies.insert(key.clone(), Copy { question: *question, answer: None, asked: self.serial, deadline: NEVER });
            }
        }
        Sent::Read { keys, asked: self.serial, many, keeps }
    }

    /// The next answer has come. `deadline` says when a key expires.
    pub fn answered(&mut self, reply: &[u8], deadline: &dyn Fn(&[u8]) -> i64) -> Result<(), String> {
        if let Some(key) = self.owed.take() {
            return Err(format!("its own change of {} was answered, and so is another command, and it has not been told", shown(&key)));
        }
        self.told_of_own = false;
        let Some(sent) = self.sent.pop_front() else { return Err("an answer to nothing".to_owned()) };
        match sent {
            Sent::Caching => self.is_exception = reply == b"+OK\r\n",
            // What is queued, and MULTI itself, leaves the exception to the whole.
            Sent::Other | Sent::Greeting => (),
            Sent::Exec(all) => {
                let items = if reply.starts_with(b"*") { array_items(reply) } else { Vec::new() };
                let none = b"-\r\n".to_vec();
                for (i, sent) in all.into_iter().enumerate() {
                    self.settle(sent, items.get(i).unwrap_or(&none), true, deadline)?;
                }
                self.is_exception = false;
            }
            sent => {
                self.settle(sent, reply, false, deadline)?;
                self.is_exception = false;
            }
        }
        Ok(())
    }

    fn settle(&mut self, sent: Sent, reply: &[u8], in_exec: bool, deadline: &dyn Fn(&[u8]) -> i64) -> Result<(), String> {
        match sent {
            Sent::Read { keys, asked, many, keeps } => {
                let is_refused = reply.starts_with(b"-");
                let answers = if many && !is_refused { array_items(reply) } else { vec![reply.to_vec(); keys.len()] };
                let keeps = keeps && !is_refused && asked > self.tracked_from && self.style.keeps(self.is_exception);
                for ((key, question), answer) in keys.into_iter().zip(answers) {
                    if !is_refused && !in_exec {
                        self.is_no_older(&key, question, &answer)?;
                    }
                    self.keep(key, question, (keeps, asked), answer, deadline);
                }
            }
            Sent::Change { keys, proof } => {
                let is_done = proof == Some(reply) && !in_exec;
                self.told_of_own = is_done && !self.style.no_loop && keys[0] == self.own;
                if self.style.no_loop {
                    keys.iter().for_each(|key| drop(self.copies.remove(key)));
                } else if is_done && self.style.is_ordered() && self.copies.get(&keys[0]).is_some_and(|copy| copy.answer.is_some()) {
                    self.owed = Some(keys[0].clone());
                }
            }
            Sent::Ping(Some(truths)) => self.check(&mut |key| truths.get(key).cloned())?,
            Sent::Ping(None) => (),
            other => return Err(format!("{other:?} in a transaction")),
        }
        Ok(())
    }

    /// In one stream, who has not been told of a change reads what it has kept.
    fn is_no_older(&self, key: &Key, question: Question, answer: &[u8]) -> Result<(), String> {
        let Some(Copy { question: asked, answer: Some(kept), .. }) = self.copies.get(key) else { return Ok(()) };
        // What is past its deadline is not there for readers, and whoever has kept it is told when it is reclaimed, which may be now.
        let is_gone = question.answer(None, self.style.resp3) == answer;
        if !self.style.is_ordered() || *asked != question || kept == answer || is_gone {
            return Ok(());
        }
        Err(format!("it reads {} of {}, and has kept {}, and has not been told of a change", shown(answer), shown(key), shown(kept)))
    }

    fn keep(&mut self, key: Key, question: Question, (keeps, asked): (bool, u64), answer: Vec<u8>, deadline: &dyn Fn(&[u8]) -> i64) {
        let is_wanted = |copy: &Copy| copy.asked == asked && copy.answer.is_none();
        let found = self.copies.get(&key).is_some_and(is_wanted);
        if !keeps || !self.style.covers(&key) {
            if found {
                self.copies.remove(&key);
            }
            return;
        }
        // In one stream the order says which is the newer. Else what was told meanwhile has taken the place away.
        if found || !self.style.redirects {
            let deadline = deadline(&key);
            self.copies.insert(key, Copy { question, answer: Some(answer), asked, deadline });
        }
    }

    /// The server tells of a key.
    pub fn told(&mut self, key: &[u8]) -> Result<(), String> {
        if key == self.own && self.style.is_ordered() && !self.forgets && !self.told_of_own {
            return Err(format!("it is told of its own change of {} before that is answered, or unasked", shown(key)));
        }
        self.owed.take_if(|owed| owed == key);
        self.copies.remove(key);
        Ok(())
    }

    /// The server tells of all keys.
    pub fn told_of_all(&mut self) {
        self.owed = None;
        self.copies.clear();
    }

    /// Keys of all copies there are or may be before anything else is asked.
    pub fn names(&self) -> Vec<Key> {
        let asked = self.sent.iter().flat_map(|sent| match sent {
            Sent::Exec(all) => all.iter().collect(),
            sent => vec![sent],
        });
        let read = asked.flat_map(|sent| match sent {
            Sent::Read { keys, .. } => keys.iter().map(|(key, _)| key.clone()).collect(),
            _ => Vec::new(),
        });
        self.copies.keys().cloned().chain(read).collect()
    }

    /// When a key of which it has a copy expires (Unix ms), as was known when that came.
    pub fn deadline_of(&self, key: &[u8]) -> Option<i64> {
        self.copies.get(key).filter(|copy| copy.answer.is_some()).map(|copy| copy.deadline)
    }

    /// Compares all copies with what there is. `truth` says that of a key, if it is known.
    pub fn check(&mut self, truth: &mut dyn FnMut(&[u8]) -> Option<Truth>) -> Result<(), String> {
        for (key, copy) in &self.copies {
            let Some(kept) = &copy.answer else { continue };
            let Some(truth) = truth(key) else { return Err(format!("it has a copy of {} and nobody knows from where", shown(key))) };
            self.compared += 1;
            let right = truth.map(|held| copy.question.answer(held.as_ref(), self.style.resp3));
            if !right.contains(kept) {
                let right = right.map(|right| shown(&right));
                return Err(format!("its copy of {} ({:?}) is {}, and {right:?} is right", shown(key), copy.question, shown(kept)));
            }
        }
        Ok(())
    }
}

/// What a connection is sent unasked.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    Keys(Vec<Key>),
    All,
    /// Nobody is told in the client's place any more.
    RedirectBroken,
}

impl Told {
    /// What a push, or a message to who has subscribed, says.
    pub fn parse(message: &[u8]) -> Result<Self, String> {
        let parts = array_items(message);
        let is = |part: &[u8], name: &str| part == bulk(Some(name.as_bytes()));
        let keys = match &parts[..] {
            [kind, keys] if is(kind, "invalidate") => keys,
            [kind, channel, keys] if is(kind, "message") && is(channel, "__redis__:invalidate") => keys,
            [kind, _] if is(kind, "tracking-redir-broken") => return Ok(Self::RedirectBroken),
            _ => return Err(format!("it is told {}", shown(message))),
        };
        if !keys.starts_with(b"*") || keys == b"*-1\r\n" {
            return Ok(Self::All);
        }
        Ok(Self::Keys(array_items(keys).iter().map(|key| bulk_text(key)).collect()))
    }
}
