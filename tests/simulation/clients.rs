//! Clients: they connect, ask, check every reply, and sometimes just leave.

use super::{
    cache::Cache,
    marked,
    model::{Expect, Session},
    net::LinkId,
    plan::Plan,
    wire::{Words, reply_len, shown, to_resp3, wire},
};
use std::collections::VecDeque;

/// A request that has not been answered.
pub struct Asked {
    pub words: Words,
    /// Bytes of the connection up to its end.
    pub end: u64,
    /// It has reached the server, and this must be the answer.
    pub expect: Option<Expect>,
}

/// A write that a client wants to be sure of.
#[derive(Clone, Debug)]
pub struct Promise {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    /// The node that was asked, and which of its lives it was in.
    pub node: usize,
    pub life: u64,
    /// When.
    pub asked_ns: u64,
    /// It was refused: nothing has been promised.
    pub refused: bool,
}

/// One client and its connection.
#[derive(Default)]
pub struct Client {
    pub link: Option<LinkId>,
    /// The node it talks to.
    pub node: usize,
    /// It asks questions of whoever is there, and writes nothing.
    pub reader: bool,
    /// It subscribes to what others publish, and asks nothing.
    pub listens: bool,
    /// Its copies of what it has read, where it keeps some.
    pub cache: Option<Box<Cache>>,
    /// It is told of changes in the place of this client, which keeps copies.
    pub hears_for: Option<usize>,
    /// It speaks RESP3.
    pub resp3: bool,
    /// The model of its node knows everything that it has said.
    pub exact: bool,
    pub session: Session,
    pub asked: VecDeque<Asked>,
    /// Bytes that did not fit into the connection yet.
    pub unsent: Vec<u8>,
    /// Bytes handed over for this connection, and bytes of those that have arrived.
    queued: u64,
    arrived: u64,
    /// Those of them that belong to whole requests.
    whole: u64,
    replies: Vec<u8>,
    /// What its next WAIT is about.
    pub promise: Option<Promise>,
    /// Values that are written when its transaction is executed, by their serial numbers.
    in_multi: Vec<u64>,
    /// It asks nothing before all has been answered.
    pub is_patient: bool,
    /// Values that it has learned of, or has written and was told so, since that was last asked.
    learned: Vec<u64>,
}

impl Client {
    /// One of a run's clients.
    pub fn of(plan: &Plan, index: usize) -> Self {
        let is_witness = plan.appends.is_some();
        Self { listens: is_witness && index == 2, reader: is_witness && index == 3, ..Self::default() }
    }

    /// One that keeps copies.
    pub fn caching(cache: Cache) -> Self {
        Self { cache: Some(Box::new(cache)), ..Self::default() }
    }

    /// The second connection of one that keeps copies.
    pub fn hearing_for(client: usize) -> Self {
        Self { hears_for: Some(client), ..Self::default() }
    }

    /// Begins anew, without a connection; returns what there was about the old one.
    pub fn hang_up(&mut self) -> Self {
        let (cache, hears_for) = (self.cache.take(), self.hears_for);
        let new = Self { node: self.node, reader: self.reader, listens: self.listens, cache, hears_for, ..Self::default() };
        std::mem::replace(self, new)
    }

    /// Has a request to send.
    pub fn ask(&mut self, words: Words) {
        self.say(&words);
        self.asked.push_back(Asked { words, end: self.queued, expect: None });
    }

    /// Has something to send that is not answered like a request.
    pub fn say(&mut self, words: &Words) {
        let bytes = wire(words);
        self.queued += bytes.len() as u64;
        self.unsent.extend_from_slice(&bytes);
    }

    /// Whether it is time to wait for answers instead of asking more.
    pub fn is_busy(&self) -> bool {
        let waits = self.is_patient && !self.asked.is_empty();
        self.asked.len() > 100 || self.promise.is_some() || waits
    }

    /// So many more bytes have arrived: calls `each` for every request that is whole now.
    pub fn arrive(&mut self, bytes: usize, mut each: impl FnMut(&mut Session, &Words) -> Expect) {
        self.arrived += bytes as u64;
        for asked in self.asked.iter_mut().filter(|a| a.expect.is_none() && a.end <= self.arrived) {
            asked.expect = Some(match each(&mut self.session, &asked.words) {
                Expect::Bytes(bytes) if self.resp3 => Expect::Bytes(to_resp3(&bytes)),
                expect => expect,
            });
            self.whole = asked.end;
        }
    }

    /// Bytes that have arrived of a request that is not whole.
    pub fn unfinished(&self) -> u64 {
        self.arrived - self.whole
    }

    /// Whether everything that has come of the server is whole and was taken.
    pub fn has_heard_all(&self) -> bool {
        self.replies.is_empty()
    }

    /// Takes replies. Every whole one is checked and returned with its request; what has come unasked is returned without one.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<Vec<(Words, Vec<u8>)>, String> {
        self.replies.extend_from_slice(bytes);
        let (mut at, mut heard) = (0, Vec::new());
        while at < self.replies.len()
            && let Some(len) = reply_len(&self.replies[at..])
        {
            let reply = self.replies[at..at + len].to_vec();
            at += len;
            if self.listens {
                self.learn(&Words::new(), &reply);
                continue;
            }
            if reply[0] == b'>' || self.hears_for.is_some() && self.asked.is_empty() {
                self.learned.extend(marked::find(&reply));
                heard.push((Words::new(), reply));
                continue;
            }
            let Some(asked) = self.asked.pop_front() else { return Err(format!("a reply to nothing: {}", shown(&reply))) };
            let line = || asked.words.iter().map(|w| shown(w)).collect::<Vec<_>>().join(" ");
            match &asked.expect {
                None => return Err(format!("{} was answered before it arrived: {}", line(), shown(&reply))),
                Some(Expect::Bytes(bytes)) if *bytes != reply => {
                    return Err(format!("{} was answered {}, and {} is right", line(), shown(&reply), shown(bytes)));
                }
                Some(Expect::Begins(text)) if !reply.starts_with(text.as_bytes()) => {
                    return Err(format!("{} was answered {}, and {text}... is right", line(), shown(&reply)));
                }
                Some(_) => {
                    self.learn(&asked.words, &reply);
                    heard.push((asked.words, reply));
                }
            }
        }
        self.replies.drain(..at);
        Ok(heard)
    }

    /// What a reply says about values.
    fn learn(&mut self, words: &Words, reply: &[u8]) {
        if let Some(promise) = &mut self.promise
            && reply.starts_with(b"-")
        {
            promise.refused |= words.contains(&promise.key) || words[..] == [b"EXEC".to_vec()] || words[0] == b"SELECT";
        }
        let written = words.iter().flat_map(|word| marked::find(word));
        if reply == b"+QUEUED\r\n" {
            return self.in_multi.extend(written);
        }
        if words.len() == 1 && matches!(&words[0][..], b"EXEC" | b"DISCARD") {
            let queued = std::mem::take(&mut self.in_multi);
            if words[0] == b"EXEC" && reply.starts_with(b"*") && reply != b"*-1\r\n" {
                self.learned.extend(queued);
            }
        }
        if !reply.starts_with(b"-") && !matches!(reply, b"$-1\r\n" | b"_\r\n") {
            self.learned.extend(written);
        }
        self.learned.extend(marked::find(reply));
    }

    /// The values that it has learned of since this was asked last, by their serial numbers.
    pub fn take_learned(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.learned)
    }
}
