//! Clients that keep copies, on both servers: who is told that which keys have changed, command by command.
//!
//! One client tracks with RESP3, another with RESP2 by way of a third connection, and whoever else is there tracks nothing. Each of them may run any
//! command. In which order one command's keys are told is left open.

use crate::{
    common::{Conn, Server, Value, words},
    compare::Chance,
    generate::{Call, Generator},
};
use solod::data::rng::Rng;
use std::{collections::VecDeque, path::Path};

/// Commands until clients track in other ways.
const COMMANDS_A_MODE: u64 = 200;
/// Commands that are shown with a difference.
const SHOWN: usize = 40;

/// Ways to track; a client of RESP2 also says who is told in its place.
const MODES: &[&str] = &[
    "",
    "",
    "",
    "NOLOOP",
    "BCAST",
    "BCAST NOLOOP",
    "BCAST PREFIX s PREFIX z1",
    "BCAST PREFIX e NOLOOP",
    "OPTIN",
    "OPTIN NOLOOP",
    "OPTOUT",
];

/// The connections of one server.
struct Side {
    /// Of RESP3, and of RESP2; and one that tracks nothing.
    clients: [Conn; 3],
    /// Who is told for the client of RESP2.
    listener: Conn,
    listener_id: i64,
    _server: Server,
}

pub struct Tracking {
    rng: Rng,
    generator: Generator,
    sides: [Side; 2],
    /// How the clients that track do it.
    modes: [&'static str; 2],
    last: VecDeque<String>,
    /// Keys that somebody was told of.
    pub told: u64,
}

impl Side {
    fn start(server: Server) -> Self {
        let mut clients = [(); 3].map(|()| server.connect());
        clients[0].run("HELLO 3");
        let mut listener = server.connect();
        let listener_id = listener.run("CLIENT ID").int();
        listener.run("SUBSCRIBE __redis__:invalidate");
        Self { clients, listener, listener_id, _server: server }
    }

    fn track(&mut self, modes: [&str; 2]) {
        (0..2).for_each(|of| drop(self.clients[of].run("CLIENT TRACKING OFF")));
        // Redis remembers what a client has read before, though it tracked otherwise then: until all keys are gone.
        self.clients[2].run("FLUSHALL");
        for (of, redirect) in [(0, String::new()), (1, format!("REDIRECT {} ", self.listener_id))] {
            assert_eq!(self.clients[of].run(&format!("CLIENT TRACKING ON {redirect}{}", modes[of])), *"OK");
        }
    }

    /// What the two have been told since it was last looked at, in an order of ours; the answers to `commands` of client `who` are passed over.
    fn told(&mut self, who: usize, commands: usize) -> [Vec<String>; 2] {
        let mut pushed = Vec::new();
        let mut answer = |client: &mut Conn| {
            while let Value::Push(items) = client.recv() {
                pushed.extend(keys(&items[1]));
            }
        };
        (0..commands).for_each(|_| answer(&mut self.clients[who]));
        // What is broadcast leaves at the end of the turn, in which another command must not run.
        self.clients[0].send_cmd(&["PING"]);
        answer(&mut self.clients[0]);
        let mut heard = Vec::new();
        self.listener.send_cmd(&["PING"]);
        loop {
            let message = self.listener.recv().items();
            if message.len() != 3 {
                break;
            }
            heard.extend(keys(&message[2]));
        }
        pushed.sort();
        heard.sort();
        [pushed, heard]
    }
}

/// The keys of an invalidation; of all of them there is one that says so.
fn keys(told: &Value) -> Vec<String> {
    match told {
        Value::Array(keys) => keys.iter().map(Value::to_string).collect(),
        _ => vec!["all".to_owned()],
    }
}

/// Whether these are options of XREAD, each with its number, and as many keys as IDs.
fn is_read_of_streams(args: &[Vec<u8>]) -> bool {
    let is = |arg: &[u8], word: &str| arg.eq_ignore_ascii_case(word.as_bytes());
    match args {
        [word, streams @ ..] if is(word, "streams") => !streams.is_empty() && streams.len().is_multiple_of(2),
        [option, _, rest @ ..] if is(option, "count") || is(option, "block") => is_read_of_streams(rest),
        _ => false,
    }
}

/// Whether the reference does the same with it, and tells of it as we do.
fn is_alike(call: &Call) -> bool {
    const OTHERWISE: &[&str] = &["swapdb", "xclaim", "xautoclaim", "xreadgroup", "xsetid"];
    // When a key goes that is past its deadline, the clock says.
    const SETS_A_DEADLINE: &[&str] = &["setex", "psetex", "getex", "expire", "pexpire", "expireat", "pexpireat"];
    let is_deadline = |arg: &Vec<u8>| ["ex", "px", "exat", "pxat"].iter().any(|word| arg.eq_ignore_ascii_case(word.as_bytes()));
    let is_up_to_chance = Chance::of(&call.name, &call.args) == Chance::Takes
        || SETS_A_DEADLINE.contains(&call.name.as_str())
        || call.args.iter().any(is_deadline);
    // One with an error in its arguments reads nothing: we take it for one that has read what it names behind STREAMS, as COMMAND GETKEYS does.
    let is_malformed = call.name == "xread" && !is_read_of_streams(&call.args[1..]);
    !is_up_to_chance
        && !is_malformed
        && !OTHERWISE.contains(&call.name.as_str())
        && !call.name.starts_with("sort")
        && !call.name.starts_with("xgroup")
}

impl Tracking {
    pub fn start(seed: u64, generator: Generator) -> Self {
        let settings = ["--save", "", "--hz", "500"];
        let servers = [Server::start(&settings), Server::of(Path::new("redis-server"), &settings)];
        Self { rng: Rng::new(!seed), generator, sides: servers.map(Side::start), modes: [""; 2], last: VecDeque::new(), told: 0 }
    }

    fn keep(&mut self, line: String) {
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn call(&mut self) -> Call {
        loop {
            let call = self.generator.next();
            if is_alike(&call) {
                return call;
            }
        }
    }

    /// One client runs a command, or some of them as a transaction.
    pub fn step(&mut self) {
        if self.rng.below(COMMANDS_A_MODE) == 0 {
            self.modes = [(); 2].map(|()| MODES[self.rng.below(MODES.len() as u64) as usize]);
            let modes = self.modes;
            self.keep(format!("track {modes:?}"));
            self.sides.iter_mut().for_each(|side| side.track(modes));
        }
        let who = self.rng.below(3) as usize;
        let mut commands: Vec<Vec<Vec<u8>>> = Vec::new();
        let caching = self.modes.get(who).map_or("", |mode| &mode[..mode.len().min(5)]);
        match caching {
            "OPTIN" if self.rng.below(2) == 0 => commands.push(words("CLIENT CACHING YES")),
            "OPTOU" if self.rng.below(2) == 0 => commands.push(words("CLIENT CACHING NO")),
            _ => (),
        }
        if self.rng.below(12) == 0 {
            commands.push(words("MULTI"));
            commands.extend((0..3).map(|_| self.call().args));
            commands.push(words("EXEC"));
        } else {
            commands.push(self.call().args);
        }
        for command in &commands {
            self.keep(format!("client {who}: {}", command.iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")));
            self.sides.iter_mut().for_each(|side| side.clients[who].send_cmd(command));
        }
        let [ours, theirs] = self.sides.each_mut().map(|side| side.told(who, commands.len()));
        self.told += ours.iter().map(|keys| keys.len() as u64).sum::<u64>();
        if ours != theirs {
            self.last.iter().for_each(|line| println!("{line}"));
            panic!("the clients are told of {ours:?}, and by redis of {theirs:?}");
        }
    }
}
