//! Commands that come as a stream of bytes and get no reply: those of our primary's link, or of a file. They are executed as they come.
//!
//! An [`Executor`] keeps the bytes that have come and are not done with, and knows places in the stream. A command *counts* when it has been executed; those of a
//! transaction count with their EXEC, since until then nothing of it has happened. Its caller is handed the bytes that have come to count.
//!
//! At the end of a stream [`Executor::counted`] is where it would have to be cut off to be whole, and [`Executor::executed`] where the command begins that
//! is not there, or is no command.

use super::Engine;
use crate::{
    config::split_args,
    persist::aof::annotations::MARK,
    resp::request::{InputBuffer, Parser, ProtocolError, RequestLimits},
    state::{ConnId, Server},
};

/// Commands parsed and looked ahead at a time.
const BATCH: usize = 32;
/// The writer of a stream has already checked its commands.
const LIMITS: RequestLimits = RequestLimits { bulk_max: i64::MAX, authenticated: true };

/// The commands of one stream.
pub(super) struct Executor {
    parser: Parser,
    /// The bytes that are not done with: from here on all places are in it.
    input: InputBuffer,
    /// The parser's requests have their places from here on.
    parsed: usize,
    /// The end of what has been executed.
    executed: usize,
    /// The end of what counts.
    counted: usize,
    /// Bytes of the stream in front of `input`.
    before: u64,
}

/// How a step has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more to do.
    On,
    /// What is whole has been executed.
    Starved,
    /// The connection waits, or is closed.
    Held,
    /// What comes next is no command.
    Wrong(ProtocolError),
}

impl Default for Executor {
    fn default() -> Self {
        // Every byte is passed on, so all arguments stay where they are.
        let parser = Parser::in_place(split_args);
        Self { parser, input: InputBuffer::default(), parsed: 0, executed: 0, counted: 0, before: 0 }
    }
}

impl Executor {
    /// For the commands of an append-only file: between them there may be annotations, lines that begin with `#`, and nothing else.
    pub(super) fn of_file() -> Self {
        let annotation = |line: &[u8]| line.starts_with(&[MARK]).then(Vec::new);
        Self { parser: Parser::in_place(annotation), ..Self::default() }
    }

    /// Takes bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.input.extend(bytes);
    }

    /// The place in the stream up to which everything has been executed, and no transaction is open.
    pub(super) fn counted(&self) -> u64 {
        self.before + self.counted as u64
    }

    /// The place in the stream of the next command to be executed.
    pub(super) fn executed(&self) -> u64 {
        self.before + self.executed as u64
    }

    /// What has come and is no whole command yet, once what is whole has been executed.
    pub(super) fn unparsed(&self) -> &[u8] {
        &self.input.bytes()[self.parsed..]
    }

    /// Bytes that have come and do not count.
    pub(super) fn uncounted(&self) -> usize {
        self.input.len() - self.counted
    }

    /// Takes note that `done` of the parser's requests have been executed, of which those in front of `open` count.
    fn advance(&mut self, done: usize, open: Option<usize>) {
        let end = |i: usize| self.parsed + self.parser.request(i).end();
        let counted = match open {
            None => Some(end(done - 1)),
            Some(open) => open.checked_sub(1).map(end),
        };
        self.executed = end(done - 1);
        self.counted = counted.unwrap_or(self.counted);
    }

    /// Drops bytes that neither the parser nor the caller needs any more.
    fn release(&mut self, done: usize) {
        self.parsed += self.parser.rebase(done);
        let gone = self.parsed.min(self.counted);
        self.input.consume(gone);
        self.parsed -= gone;
        self.executed -= gone;
        self.counted -= gone;
        self.before += gone as u64;
    }
}

impl Engine {
    /// Executes, for the client of a connection, some of the commands that have come. `counts` is handed the bytes that have come to count.
    pub(super) fn step(&mut self, conn: ConnId, commands: &mut Executor, counts: fn(&mut Server, &[u8])) -> Step {
        let input = &commands.input.bytes()[commands.parsed..];
        if commands.parser.requests() == 0 {
            let result = commands.parser.parse(input, BATCH, LIMITS);
            if commands.parser.requests() == 0 {
                commands.release(0);
                return result.map_or_else(Step::Wrong, |()| Step::Starved);
            }
        }
        let was_open = self.is_queueing(conn);
        let done = self.execute(conn, &commands.parser, input);
        if done == 0 {
            return Step::Held;
        }
        let open = match (was_open, self.is_queueing(conn)) {
            (_, false) => None,
            (true, true) => Some(0),
            // The last of them has opened it.
            (false, true) => Some(done - 1),
        };
        let before = commands.counted;
        commands.advance(done, open);
        if commands.counted > before {
            counts(&mut self.server, &commands.input.bytes()[before..commands.counted]);
        }
        commands.release(done);
        match self.server.clients.get(conn) {
            Some(client) if client.blocked.is_none() && !client.closing() => Step::On,
            _ => Step::Held,
        }
    }

    /// Whether a client's commands wait for an EXEC.
    pub(super) fn is_queueing(&self, conn: ConnId) -> bool {
        self.server.clients.get(conn).is_some_and(|client| client.multi.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        engine::tests::{Bench, bench},
        state::{Client, Peer, client::Origin},
    };
    use proptest::prelude::*;

    const LINK: ConnId = ConnId(7);

    /// A bench with a client that nobody answers.
    fn with_link() -> Bench {
        let mut bench = bench(Config::default());
        let mut client = Client::new(99, Origin::default(), 0, true);
        client.peer = Peer::Primary;
        bench.engine.server.clients.insert(LINK, client);
        bench.engine.server.replication.log.open_backlog();
        bench.engine.server.replication.log.set_proxied(true);
        bench
    }

    /// What has become of a stream: the end of what counts, and of what has been executed; what was handed over; the keys; how it ended.
    #[derive(Debug, PartialEq)]
    struct RunResult {
        counted: u64,
        executed: u64,
        passed_on: Vec<u8>,
        keys: Vec<(usize, Vec<u8>)>,
        last: Step,
    }

    fn run(pieces: &[&[u8]]) -> RunResult {
        let (mut bench, mut commands, mut last) = (with_link(), Executor::default(), Step::Starved);
        let from = bench.engine.server.replication.log.end();
        for piece in pieces {
            commands.push(piece);
            last = Step::On;
            while last == Step::On {
                last = bench.engine.step(LINK, &mut commands, |server, bytes| server.replication.log.append_raw(bytes));
            }
            assert_eq!(bench.engine.server.replication.log.end() - from, commands.counted());
            assert!(commands.counted() <= commands.executed());
        }
        let all: usize = pieces.iter().map(|piece| piece.len()).sum();
        assert_eq!(commands.uncounted() as u64, all as u64 - commands.counted());
        let server = &bench.engine.server;
        let passed_on = server.replication.log.read_from(from).unwrap_or_default().concat();
        let mut keys: Vec<_> = server.keyspace.iter().flat_map(|(i, db)| db.dict().iter().map(move |e| (i, e.key().to_vec()))).collect();
        keys.sort();
        RunResult { counted: commands.counted(), executed: commands.executed(), passed_on, keys, last }
    }

    /// Where the commands of `lines` end, and what counts there.
    fn places(lines: &[&str]) -> Vec<(usize, usize)> {
        let (mut open, mut end, mut counted) = (false, 0, 0);
        let ends = lines.iter().map(|line| {
            open = match *line {
                "MULTI" => true,
                "EXEC" | "DISCARD" => false,
                _ => open,
            };
            end += encode(line).len();
            if !open && !line.is_empty() {
                counted = end;
            }
            (end, counted)
        });
        [(0, 0)].into_iter().chain(ends).collect()
    }

    /// As an array where it has words, and otherwise as the line that it is.
    fn encode(line: &str) -> Vec<u8> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut wire = if words.is_empty() { b"\r\n".to_vec() } else { format!("*{}\r\n", words.len()).into_bytes() };
        for word in words {
            wire.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        wire
    }

    #[test]
    fn a_stream_that_ends_anywhere_counts_up_to_its_last_whole_command_or_transaction() {
        let lines =
            ["SELECT 3", "SET a 1", "MULTI", "SET b 1", "SET c 1", "EXEC", "", "EXEC", "MULTI", "DISCARD", "MULTI", "MULTI", "SET d 1"];
        let wire = lines.iter().map(|line| encode(line)).collect::<Vec<_>>().concat();
        let places = places(&lines);
        for end in 0..=wire.len() {
            let outcome = run(&[&wire[..end]]);
            let last = places.iter().rfind(|(place, _)| *place <= end).expect("the beginning is one");
            assert_eq!(outcome.counted as usize, last.1, "{end}");
            assert_eq!(outcome.passed_on, &wire[..last.1], "{end}");
            let done = places.iter().zip([&"-"].into_iter().chain(&lines)).filter(|((place, _), line)| *place <= end && !line.is_empty());
            assert_eq!(Some(outcome.executed as usize), done.map(|((place, _), _)| *place).max(), "{end}");
            assert_eq!(outcome.last, Step::Starved);
        }
    }

    #[test]
    fn what_is_no_command_ends_it_behind_what_counts() {
        let wire = [encode("SET a 1"), encode("MULTI"), encode("SET b 1"), b"*1\r\n:1\r\n".to_vec()].concat();
        let outcome = run(&[&wire]);
        assert_eq!(outcome.last, Step::Wrong(ProtocolError::ExpectedDollar(b':')));
        assert_eq!((outcome.counted as usize, outcome.executed as usize), (encode("SET a 1").len(), wire.len() - 8));
    }

    #[test]
    fn between_the_commands_of_a_file_there_are_only_annotations() {
        let run = |wire: &[u8]| {
            let (mut bench, mut commands, mut last) = (with_link(), Executor::of_file(), Step::On);
            commands.push(wire);
            while last == Step::On {
                last = bench.engine.step(LINK, &mut commands, |_, _| ());
            }
            (commands.counted() as usize, commands.unparsed().to_vec(), last)
        };
        let set = encode("SET a 1");
        let annotated = [b"#TS:1628217470\r\n", &set[..], b"#TS:1\r\n# more\n", &set, b"#TS:2\r\n"].concat();
        assert_eq!(run(&annotated), (annotated.len() - b"#TS:2\r\n".len(), vec![], Step::Starved));
        assert_eq!(run(&[&set[..], b"#TS:16282"].concat()), (set.len(), b"#TS:16282".to_vec(), Step::Starved));
        assert_eq!(run(&[&set[..], b"SET a 1\r\n"].concat()).2, Step::Wrong(ProtocolError::UnbalancedQuotes));
        assert_eq!(run(b"!!!"), (0, b"!!!".to_vec(), Step::Starved), "the end of the line may be to come");
    }

    #[test]
    fn what_is_there_of_a_command_is_not_looked_at_again() {
        let (mut bench, mut commands) = (with_link(), Executor::default());
        commands.push(b"*300001\r\n$3\r\nDEL\r\n");
        for i in 1..=300_000 {
            commands.push(b"$1\r\nk\r\n");
            // A look at all of them each time would take minutes.
            assert_eq!(bench.engine.step(LINK, &mut commands, |_, _| ()), if i < 300_000 { Step::Starved } else { Step::On });
        }
        assert_eq!((commands.counted(), commands.uncounted()), (2_100_018, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

        #[test]
        fn any_split_gives_the_same(
            lines in proptest::collection::vec(
                prop::sample::select(vec!["SET a 1", "SET b 2", "DEL a", "MULTI", "EXEC", "DISCARD", "SELECT 1", "SELECT 0", "", "NOSUCH", "PING"]),
                1..80,
            ),
            wrong in any::<bool>(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut wire = lines.iter().map(|line| encode(line)).collect::<Vec<_>>().concat();
            if wrong {
                wire.extend(b"*x\r\n");
            }
            let mut at: Vec<usize> = cuts.into_iter().map(|cut| cut.index(wire.len())).chain([0, wire.len()]).collect();
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
            prop_assert_eq!(run(&pieces), run(&[&wire]));
        }
    }
}
