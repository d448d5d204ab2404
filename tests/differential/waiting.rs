//! Clients that wait for streams, on both servers: who is served, by what, and with which answer.
//!
//! One connection after the other begins to wait, and what feeds them is sent by one alone, so that both servers do all of it in one order.

use crate::{
    common::{Conn, Server, Value},
    compare,
};
use solod::data::rng::Rng;
use std::{collections::VecDeque, path::Path, time::Duration};

/// Clients that may wait.
const CLIENTS: usize = 6;
/// Commands that are shown with a difference.
const SHOWN: usize = 60;
/// How long a reply may be under way before the server is asked again whether there is one.
const GLANCE: Duration = Duration::from_millis(2);

const STREAMS: &[&str] = &["a", "b", "c"];
const GROUPS: &[&str] = &["g", "h"];

/// The same client of both servers.
struct Client {
    conns: [Conn; 2],
    ids: [i64; 2],
    waits: bool,
}

pub struct Waiting {
    rng: Rng,
    feeders: [Conn; 2],
    clients: Vec<Client>,
    last: VecDeque<String>,
    /// The ID of the next entry.
    next: u64,
    /// How many have been served, and how many have been told of an error.
    pub served: [u64; 2],
    _servers: [Server; 2],
}

impl Waiting {
    pub fn start(seed: u64) -> Self {
        let settings = ["--save", "", "--hz", "500"];
        let servers = [Server::start(&settings), Server::of(Path::new("redis-server"), &settings)];
        let connect = || [servers[0].connect(), servers[1].connect()];
        let client = |_| {
            let mut conns = connect();
            let ids = [0, 1].map(|of| conns[of].run("CLIENT ID").int());
            Client { conns, ids, waits: false }
        };
        let (feeders, clients) = (connect(), (0..CLIENTS).map(client).collect());
        Self { rng: Rng::new(seed), feeders, clients, last: VecDeque::new(), next: 1, served: [0; 2], _servers: servers }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    fn keep(&mut self, line: String) {
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn fail(&self, what: &str) -> ! {
        self.last.iter().for_each(|line| println!("{line}"));
        panic!("{what}");
    }

    /// One more command: a client begins to wait, is let go, or is fed.
    pub fn step(&mut self) {
        let who = self.below(CLIENTS);
        match self.below(8) {
            0..=2 if !self.clients[who].waits => self.wait(who),
            0 if self.clients[who].waits => self.unblock(who),
            _ => self.feed(),
        }
    }

    fn blocked(&mut self, of: usize) -> usize {
        let info = self.feeders[of].run("INFO clients").text();
        let line = info.lines().find_map(|line| line.strip_prefix("blocked_clients:")).expect("the field");
        line.trim().parse().expect("a number")
    }

    fn waiting(&self) -> usize {
        self.clients.iter().filter(|client| client.waits).count()
    }

    /// Lets a client ask for what is not there, most likely.
    fn wait(&mut self, who: usize) {
        let count = if self.below(4) == 0 { " COUNT 1" } else { "" };
        let line = if self.below(2) == 0 {
            // Of one stream: 7.2 looks at all of them again when there is something in one, and 7.0 at that one.
            let stream = self.pick(STREAMS);
            let id = if self.below(3) == 0 { format!("{}-0", self.next + self.below(4) as u64) } else { "$".to_owned() };
            format!("XREAD BLOCK 0{count} STREAMS {stream} {id}")
        } else {
            // Of one stream: 7.2 puts who finds nothing again at the end of all of its queues, and 7.0 leaves it where it is.
            let (group, stream) = (self.pick(GROUPS), self.pick(STREAMS));
            let noack = if self.below(4) == 0 { " NOACK" } else { "" };
            format!("XREADGROUP GROUP {group} c{who} BLOCK 0{count}{noack} STREAMS {stream} >")
        };
        self.keep(format!("client {who}: {line}"));
        let before = self.waiting();
        self.clients[who].conns.iter_mut().for_each(|conn| conn.send_cmd(&crate::common::words(&line)));
        let answers = [0, 1].map(|of| {
            loop {
                if self.blocked(of) == before + 1 {
                    return None;
                }
                if let Some(answer) = self.clients[who].conns[of].try_recv(GLANCE) {
                    return Some(answer);
                }
            }
        });
        self.clients[who].waits = answers[0].is_none();
        self.compare(&format!("client {who}"), answers);
    }

    fn unblock(&mut self, who: usize) {
        let how = self.pick(&["", " ERROR", " TIMEOUT"]);
        self.keep(format!("client {who} is let go{how}"));
        for of in [0, 1] {
            let line = format!("CLIENT UNBLOCK {}{how}", self.clients[who].ids[of]);
            self.feeders[of].run(&line);
        }
        self.collect();
    }

    fn feed(&mut self) {
        let lines = if self.below(5) == 0 {
            let inner: Vec<String> = (0..=self.below(4)).map(|_| self.feeding()).collect();
            [&["MULTI".to_owned()][..], &inner, &["EXEC".to_owned()]].concat()
        } else {
            vec![self.feeding()]
        };
        for line in lines {
            let answers = [0, 1].map(|of| Some(self.feeders[of].run(&line)));
            self.keep(line.clone());
            self.compare(&line, answers);
        }
        self.collect();
    }

    /// A command that may have something for who waits.
    fn feeding(&mut self) -> String {
        let (stream, other, group) = (self.pick(STREAMS), self.pick(STREAMS), self.pick(GROUPS));
        let next = self.next;
        match self.below(40) {
            0..=13 => {
                self.next += 1;
                format!("XADD {stream} {next}-0 f v")
            }
            14..=21 => format!("XGROUP CREATE {stream} {group} {} MKSTREAM", self.pick(&["$", "$", "0"])),
            22 | 23 => format!("XGROUP DESTROY {stream} {group}"),
            24 | 25 => format!("XGROUP SETID {stream} {group} {}", self.pick(&["$", "0"])),
            // Of no entry: where the last is gone, 7.0 goes by the ID that was given last, and has nothing for who is woken.
            26 => format!("XDEL {stream} 0-1"),
            27 => format!("DEL {stream}"),
            28 => format!("SET {stream} v"),
            29 => format!("RENAME {stream} {other}"),
            30 => format!("COPY {stream} {other} REPLACE"),
            31 => format!("XTRIM {stream} MAXLEN 1"),
            32 => format!("XREADGROUP GROUP {group} x COUNT 1 STREAMS {stream} >"),
            33 => format!("XACK {stream} {group} {}-0", next.saturating_sub(1)),
            34 => format!("XCLAIM {stream} {group} x 0 {}-0 FORCE JUSTID", next.saturating_sub(1)),
            35 => format!("XPENDING {stream} {group}"),
            36 => "SWAPDB 0 1".to_owned(),
            37 => format!("MOVE {stream} 1"),
            38 if self.below(3) == 0 => "FLUSHALL".to_owned(),
            38 => format!("LPUSH {stream} v"),
            _ => format!("XRANGE {stream} - +"),
        }
    }

    /// Takes the answers of all who have been served.
    fn collect(&mut self) {
        let left = [0, 1].map(|of| self.blocked(of));
        if left[0] != left[1] {
            self.fail(&format!("{} wait, and {} by redis", left[0], left[1]));
        }
        let mut missing = self.waiting() - left[0];
        while missing > 0 {
            for who in 0..CLIENTS {
                let client = &mut self.clients[who];
                if !client.waits {
                    continue;
                }
                let Some(ours) = client.conns[0].try_recv(GLANCE) else { continue };
                let Some(theirs) = client.conns[1].try_recv(crate::common::PATIENCE) else {
                    self.fail(&format!("client {who} is answered {ours}, and not at all by redis"));
                };
                client.waits = false;
                missing -= 1;
                self.compare(&format!("client {who}"), [Some(ours), Some(theirs)]);
            }
        }
    }

    fn compare(&mut self, what: &str, answers: [Option<Value>; 2]) {
        let [Some(ours), Some(theirs)] = answers else {
            if answers[0].is_some() != answers[1].is_some() {
                self.fail(&format!("{what} is answered {:?}, and {:?} by redis", answers[0], answers[1]));
            }
            return;
        };
        self.keep(format!("    {what}\n    solod {ours}\n    redis {theirs}"));
        let is_error = matches!(ours, Value::Error(_));
        self.served[usize::from(is_error)] += 1;
        let same = ours == theirs || tells_of_an_end(&ours, &theirs) || compare::timeless(&ours) == compare::timeless(&theirs);
        if !same {
            self.fail(&format!("{what} is answered otherwise"));
        }
    }
}

/// Whether both say that there is nothing to wait for any more: 7.2 by what the command would be answered now, 7.0 in words of its own.
fn tells_of_an_end(ours: &Value, theirs: &Value) -> bool {
    let (Value::Error(ours), Value::Error(theirs)) = (ours, theirs) else { return false };
    (ours.starts_with("NOGROUP") || ours.starts_with("WRONGTYPE")) && theirs.contains("no longer exists")
}
