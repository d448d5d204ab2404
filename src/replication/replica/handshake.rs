//! How a replica comes in step with its primary: PING, AUTH, REPLCONF, PSYNC, and the snapshot when there has to be one.
//!
//! A chain of small states, each named for what it expects next. It is handed what the primary sends, in pieces of any size, and writes
//! what is to be sent back; it knows no socket, no clock and no data, so what the snapshot holds is its driver's part.

use crate::{data::number, replication::id::ReplId, resp::encode};
use std::{collections::VecDeque, fmt};

/// Longest line that a primary's reply may have, in bytes.
const LINE_MAX: usize = 1024;

/// What a replica says of itself, and what it asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// `masteruser`.
    pub user: Option<String>,
    /// `masterauth`; without it there is no AUTH.
    pub password: Option<Vec<u8>>,
    /// The port it listens on, or says it does.
    pub port: u16,
    /// The address it says it has; without it the primary takes the connection's.
    pub ip: Option<String>,
    /// The history it knows and the first offset of it that it lacks; without it everything is asked for.
    pub resume: Option<(ReplId, u64)>,
    /// Asks the other side to become a primary: the last step of FAILOVER.
    pub failover: bool,
}

/// How the end of a snapshot is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotEnd {
    /// By its length in bytes.
    Sized(u64),
    /// By these bytes, which follow it.
    Marked([u8; 40]),
}

/// What has come of the bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The primary will send everything. What follows the snapshot is the stream of `id` from `offset` on.
    Full {
        /// The history; unknown when the primary is too old for PSYNC.
        id: Option<ReplId>,
        /// Bytes of that history that the snapshot holds.
        offset: u64,
    },
    /// The primary goes on where the offer ended; its history may have a new name. Everything behind is the stream.
    Partial(Option<ReplId>),
    /// A snapshot begins.
    Snapshot(SnapshotEnd),
    /// Bytes of the snapshot. Of a marked one too many: see [`Handshake::snapshot_ended`] and [`Handshake::mark_found`].
    Payload(&'a [u8]),
    /// The snapshot is over. Everything behind is the stream.
    Synced,
}

/// Why a link cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// PING was answered with an error that is no question of authentication.
    Ping(String),
    /// AUTH was.
    Auth(String),
    /// The primary cannot serve a replica now, and will later.
    Later(String),
    /// It will not.
    Denied(String),
    /// It gave up on the snapshot it had promised.
    Aborted(String),
    /// Not what a primary says at this point.
    Unexpected {
        /// What was expected.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// No line ends where one should.
    LongLine,
    /// The bytes behind a marked snapshot are not the mark.
    WrongMark,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(reply) => write!(f, "Error reply to PING from master: '{reply}'"),
            Self::Auth(reply) => write!(f, "Unable to AUTH to MASTER: {reply}"),
            Self::Later(reply) => write!(f, "Master is currently unable to PSYNC but should be in the future: {reply}"),
            Self::Denied(reply) => write!(f, "Unexpected reply to PSYNC from master: {reply}"),
            Self::Aborted(reply) => write!(f, "MASTER aborted replication with an error: {reply}"),
            Self::Unexpected { expected, got } => {
                write!(f, "Bad protocol from MASTER: expected {expected}, received '{got}'. Are the host and port right?")
            }
            Self::LongLine => write!(f, "Bad protocol from MASTER: a line of more than {LINE_MAX} bytes. Are the host and port right?"),
            Self::WrongMark => f.write_str("The snapshot from MASTER does not end with the mark that was announced"),
        }
    }
}

/// A question that has been asked and not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Auth,
    Port,
    Ip,
    Capabilities,
}

/// What is expected next.
#[derive(Debug)]
enum Expect {
    Pong(Offer),
    Answers(Offer, VecDeque<Asked>),
    Psync,
    Snapshot,
    /// Bytes of a snapshot whose end is known.
    Left(u64),
    /// Bytes of a snapshot that ends with a mark.
    Marked([u8; 40]),
    /// The mark, of which so many bytes have come.
    Mark([u8; 40], usize),
    Stream,
}

/// One attempt to come in step.
#[derive(Debug)]
pub struct Handshake {
    expect: Expect,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
}

impl Handshake {
    /// Begins, with a connection that has just been made.
    pub fn begin(offer: Offer, out: &mut Vec<u8>) -> Self {
        encode::request(out, &[b"PING"]);
        Self { expect: Expect::Pong(offer), line: Vec::new() }
    }

    /// Takes from the front of `bytes` until something is found; `None` when all has been taken. Behind [`Heard::Partial`] and
    /// [`Heard::Synced`] nothing more is taken.
    pub fn advance<'a>(&mut self, bytes: &mut &'a [u8], out: &mut Vec<u8>) -> Result<Option<Heard<'a>>, Refusal> {
        loop {
            match &mut self.expect {
                Expect::Stream => return Ok(None),
                Expect::Left(0) => {
                    self.expect = Expect::Stream;
                    return Ok(Some(Heard::Synced));
                }
                Expect::Left(left) => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    if n == 0 {
                        return Ok(None);
                    }
                    *left -= n as u64;
                    return Ok(Some(Heard::Payload(take(bytes, n))));
                }
                Expect::Marked(_) => {
                    let n = bytes.len();
                    return Ok((n > 0).then(|| Heard::Payload(take(bytes, n))));
                }
                Expect::Mark(mark, got) => {
                    let n = (mark.len() - *got).min(bytes.len());
                    if take(bytes, n) != &mark[*got..*got + n] {
                        return Err(Refusal::WrongMark);
                    }
                    *got += n;
                    if *got < mark.len() {
                        return Ok(None);
                    }
                    self.expect = Expect::Stream;
                    return Ok(Some(Heard::Synced));
                }
                _ => {
                    let Some(line) = self.take_line(bytes)? else { return Ok(None) };
                    if let Some(found) = self.heard(&line, out)? {
                        return Ok(Some(found));
                    }
                }
            }
        }
    }

    /// Says that the snapshot's own format has ended, so that a mark is expected where there is to be one. What it left of the last
    /// [`Heard::Payload`] is to be handed in again.
    pub fn snapshot_ended(&mut self) {
        if let Expect::Marked(mark) = self.expect {
            self.expect = Expect::Mark(mark, 0);
        }
    }

    /// Says that the mark has come, by a caller that has looked for it. What lies behind it is to be handed in again.
    pub fn mark_found(&mut self) {
        if let Expect::Marked(_) = self.expect {
            self.expect = Expect::Left(0);
        }
    }

    /// Whether the snapshot's end is known by a mark.
    pub fn is_marked(&self) -> bool {
        matches!(self.expect, Expect::Marked(_))
    }

    /// Whether the primary has begun, or promised, to send a snapshot.
    pub fn is_transfer(&self) -> bool {
        matches!(self.expect, Expect::Snapshot | Expect::Left(_) | Expect::Marked(_) | Expect::Mark(..))
    }

    /// A line without its end, once that has come. Empty lines only keep a link alive.
    fn take_line(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                let n = bytes.len();
                self.line.extend_from_slice(take(bytes, n.min(LINE_MAX + 1)));
                return if self.line.len() > LINE_MAX { Err(Refusal::LongLine) } else { Ok(None) };
            };
            let piece = take(bytes, end + 1);
            if self.line.len() + piece.len() > LINE_MAX + 2 {
                return Err(Refusal::LongLine);
            }
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(&piece[..end]);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// A line has come: the next state.
    fn heard(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<Option<Heard<'static>>, Refusal> {
        let mut found = None;
        let expect = std::mem::replace(&mut self.expect, Expect::Stream);
        self.expect = match expect {
            Expect::Pong(offer) => pong(offer, line, out)?,
            Expect::Answers(offer, asked) => answer(offer, asked, line, out)?,
            Expect::Psync => {
                let (next, what) = psync(line, out)?;
                found = Some(what);
                next
            }
            Expect::Snapshot => {
                let (next, form) = snapshot(line)?;
                found = Some(Heard::Snapshot(form));
                next
            }
            other => other,
        };
        Ok(found)
    }
}

fn pong(offer: Offer, line: &[u8], out: &mut Vec<u8>) -> Result<Expect, Refusal> {
    // An error of authentication will do: AUTH comes next.
    let welcome: [&[u8]; 4] = [b"+", b"-NOAUTH", b"-NOPERM", b"-ERR operation not permitted"];
    if !welcome.iter().any(|start| line.starts_with(start)) {
        return Err(if line.first() == Some(&b'-') { Refusal::Ping(text(line)) } else { unexpected("a reply to PING", line) });
    }
    log::info!("Master replied to PING, replication can continue...");
    let mut asked = VecDeque::new();
    if let Some(password) = &offer.password {
        match &offer.user {
            Some(user) => encode::request(out, &[b"AUTH", user.as_bytes(), password]),
            None => encode::request(out, &[b"AUTH", password]),
        }
        asked.push_back(Asked::Auth);
    }
    encode::request(out, &[b"REPLCONF", b"listening-port", offer.port.to_string().as_bytes()]);
    asked.push_back(Asked::Port);
    if let Some(ip) = &offer.ip {
        encode::request(out, &[b"REPLCONF", b"ip-address", ip.as_bytes()]);
        asked.push_back(Asked::Ip);
    }
    encode::request(out, &[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]);
    asked.push_back(Asked::Capabilities);
    Ok(Expect::Answers(offer, asked))
}

fn answer(offer: Offer, mut asked: VecDeque<Asked>, line: &[u8], out: &mut Vec<u8>) -> Result<Expect, Refusal> {
    let error = line.first() == Some(&b'-');
    if !error && line.first() != Some(&b'+') {
        return Err(unexpected("a reply to the handshake", line));
    }
    let what = match asked.pop_front() {
        Some(Asked::Auth) if error => return Err(Refusal::Auth(text(line))),
        Some(Asked::Auth) | None => "AUTH",
        Some(Asked::Port) => "REPLCONF listening-port",
        Some(Asked::Ip) => "REPLCONF ip-address",
        Some(Asked::Capabilities) => "REPLCONF capa",
    };
    if error {
        log::info!("(Non critical) Master does not understand {what}: {}", text(line));
    }
    if !asked.is_empty() {
        return Ok(Expect::Answers(offer, asked));
    }
    let (id, offset) = match &offer.resume {
        Some((id, offset)) => {
            log::info!("Trying a partial resynchronization (request {}:{offset}).", text(id));
            (&id[..], offset.to_string())
        }
        None => {
            log::info!("Partial resynchronization not possible (no cached master)");
            (&b"?"[..], "-1".to_owned())
        }
    };
    let parts: [&[u8]; 4] = [b"PSYNC", id, offset.as_bytes(), b"FAILOVER"];
    encode::request(out, &parts[..if offer.failover { 4 } else { 3 }]);
    Ok(Expect::Psync)
}

fn psync(line: &[u8], out: &mut Vec<u8>) -> Result<(Expect, Heard<'static>), Refusal> {
    if let Some(rest) = line.strip_prefix(b"+FULLRESYNC") {
        let mut words = rest.split(|b| *b == b' ').filter(|w| !w.is_empty());
        let id = words.next().and_then(|id| ReplId::try_from(id).ok());
        let offset = words.next().and_then(number::parse_i64).and_then(|n| u64::try_from(n).ok());
        let (Some(id), Some(offset)) = (id, offset) else { return Err(unexpected("+FULLRESYNC with an id and an offset", line)) };
        return Ok((Expect::Snapshot, Heard::Full { id: Some(id), offset }));
    }
    if let Some(rest) = line.strip_prefix(b"+CONTINUE") {
        let id = rest.strip_prefix(b" ").and_then(|id| ReplId::try_from(id).ok());
        return Ok((Expect::Stream, Heard::Partial(id)));
    }
    if line.starts_with(b"-NOMASTERLINK") || line.starts_with(b"-LOADING") {
        return Err(Refusal::Later(text(line)));
    }
    if line.starts_with(b"-ERR") {
        // A primary older than PSYNC, or of another make, may still know SYNC.
        log::info!("Master does not support PSYNC or is in error state (reply: {})", text(line));
        log::info!("Retrying with SYNC...");
        encode::request(out, &[b"SYNC"]);
        return Ok((Expect::Snapshot, Heard::Full { id: None, offset: 0 }));
    }
    Err(Refusal::Denied(text(line)))
}

fn snapshot(line: &[u8]) -> Result<(Expect, SnapshotEnd), Refusal> {
    if let Some(error) = line.strip_prefix(b"-") {
        return Err(Refusal::Aborted(text(error)));
    }
    let Some(announced) = line.strip_prefix(b"$") else { return Err(unexpected("a snapshot", line)) };
    if let Some(mark) = announced.strip_prefix(b"EOF:") {
        let mark = mark.first_chunk::<40>().ok_or_else(|| unexpected("a mark of 40 bytes", line))?;
        return Ok((Expect::Marked(*mark), SnapshotEnd::Marked(*mark)));
    }
    let size = number::parse_i64(announced).and_then(|n| u64::try_from(n).ok()).ok_or_else(|| unexpected("a snapshot's length", line))?;
    Ok((Expect::Left(size), SnapshotEnd::Sized(size)))
}

fn take<'a>(bytes: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (front, rest) = bytes.split_at(n);
    *bytes = rest;
    front
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

fn unexpected(expected: &'static str, line: &[u8]) -> Refusal {
    /// Enough to recognise what it was.
    const SHOWN: usize = 128;
    Refusal::Unexpected { expected, got: line[..line.len().min(SHOWN)].escape_ascii().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &[u8; 40] = b"0123456789abcdef0123456789abcdef01234567";

    /// Speaks to a handshake in pieces of `piece` bytes; what it found and what it sent.
    struct Talk {
        handshake: Handshake,
        sent: Vec<u8>,
    }

    impl Talk {
        fn new(offer: Offer) -> Self {
            let mut sent = Vec::new();
            Self { handshake: Handshake::begin(offer, &mut sent), sent }
        }

        fn sent(&mut self) -> String {
            let lines = String::from_utf8(std::mem::take(&mut self.sent)).unwrap();
            lines.split("\r\n").filter(|l| !l.is_empty() && !l.starts_with(['*', '$'])).collect::<Vec<_>>().join(" ")
        }

        fn hear(&mut self, said: &[u8], piece: usize) -> Result<Vec<String>, Refusal> {
            let mut found = Vec::new();
            for mut bytes in said.chunks(piece) {
                while let Some(f) = self.handshake.advance(&mut bytes, &mut self.sent)? {
                    found.push(match f {
                        Heard::Payload(b) => format!("payload {}", String::from_utf8_lossy(b)),
                        f => format!("{f:?}"),
                    });
                }
            }
            Ok(found)
        }
    }

    #[test]
    fn a_first_synchronisation_asks_for_everything() {
        for piece in [1, 7, 1000] {
            let mut talk = Talk::new(Offer { port: 7000, ..Offer::default() });
            assert_eq!(talk.sent(), "PING");
            assert_eq!(talk.hear(b"+PONG\r\n", piece).unwrap(), [""; 0]);
            assert_eq!(talk.sent(), "REPLCONF listening-port 7000 REPLCONF capa eof capa psync2");
            assert_eq!(talk.hear(b"+OK\r\n", piece).unwrap(), [""; 0]);
            assert_eq!(talk.sent(), "");
            assert_eq!(talk.hear(b"+OK\r\n", piece).unwrap(), [""; 0]);
            assert_eq!(talk.sent(), "PSYNC ? -1");
            let full = [b"\n\n+FULLRESYNC ", &ID[..], b" 14\r\n"].concat();
            assert_eq!(talk.hear(&full, piece).unwrap(), [format!("Full {{ id: Some({ID:?}), offset: 14 }}")]);
            assert!(talk.handshake.is_transfer());
        }
    }

    #[test]
    fn who_has_a_password_and_a_past_says_so() {
        let offer = Offer {
            user: Some("u".into()),
            password: Some(b"p".to_vec()),
            port: 1,
            ip: Some("10.0.0.1".into()),
            resume: Some((*ID, 42)),
            failover: true,
        };
        let mut talk = Talk::new(offer);
        talk.hear(b"-NOAUTH Authentication required.\r\n+OK\r\n-ERR unknown\r\n+OK\r\n", 100).unwrap();
        assert_eq!(talk.sent(), "PING AUTH u p REPLCONF listening-port 1 REPLCONF ip-address 10.0.0.1 REPLCONF capa eof capa psync2");
        talk.hear(b"-ERR unknown\r\n", 100).unwrap();
        assert_eq!(talk.sent(), format!("PSYNC {} 42 FAILOVER", text(ID)));
        assert_eq!(talk.hear(b"+CONTINUE\r\nrest", 100).unwrap(), ["Partial(None)"]);
    }

    fn at_psync() -> Talk {
        let mut talk = Talk::new(Offer::default());
        talk.hear(b"+PONG\r\n+OK\r\n+OK\r\n", 100).unwrap();
        talk.sent();
        talk
    }

    #[test]
    fn replies_to_psync() {
        let with_id = [b"+CONTINUE ", &ID[..], b"\r\n"].concat();
        assert_eq!(at_psync().hear(&with_id, 5).unwrap(), [format!("Partial(Some({ID:?}))")]);
        assert!(matches!(at_psync().hear(b"-NOMASTERLINK x\r\n", 5), Err(Refusal::Later(_))));
        assert!(matches!(at_psync().hear(b"-LOADING x\r\n", 5), Err(Refusal::Later(_))));
        assert!(matches!(at_psync().hear(b"-NOAUTH x\r\n", 5), Err(Refusal::Denied(_))));
        assert!(matches!(at_psync().hear(b"+FULLRESYNC x 1\r\n", 5), Err(Refusal::Unexpected { .. })));
        let mut old = at_psync();
        assert_eq!(old.hear(b"-ERR unknown command\r\n$3\r\nabc", 100).unwrap()[2..], ["payload abc", "Synced"]);
        assert_eq!(old.sent(), "SYNC");
    }

    #[test]
    fn a_snapshot_of_known_length_ends_there() {
        for piece in [1, 3, 100] {
            let mut talk = at_psync();
            talk.hear(&[b"+FULLRESYNC ", &ID[..], b" 0\r\n"].concat(), piece).unwrap();
            let found = talk.hear(b"\n\n$5\r\nabcdeSTREAM", piece).unwrap();
            assert_eq!(found.first().map(String::as_str), Some("Snapshot(Sized(5))"));
            assert_eq!(found.last().map(String::as_str), Some("Synced"));
            let payload: String = found.iter().filter_map(|f| f.strip_prefix("payload ")).collect();
            assert_eq!(payload, "abcde");
        }
    }

    #[test]
    fn a_marked_snapshot_ends_with_its_mark() {
        let mut talk = at_psync();
        talk.hear(&[b"+FULLRESYNC ", &ID[..], b" 0\r\n$EOF:", &ID[..], b"\r\n"].concat(), 100).unwrap();
        let (mut out, mut bytes) = (Vec::new(), &b"abcde"[..]);
        assert_eq!(talk.handshake.advance(&mut bytes, &mut out), Ok(Some(Heard::Payload(b"abcde"))));
        talk.handshake.snapshot_ended();
        let rest = [&ID[..], b"stream"].concat();
        let mut bytes = &rest[..];
        assert_eq!(talk.handshake.advance(&mut bytes, &mut out), Ok(Some(Heard::Synced)));
        assert_eq!(bytes, b"stream");

        let mut talk = at_psync();
        talk.hear(&[b"+FULLRESYNC ", &ID[..], b" 0\r\n$EOF:", &ID[..], b"\r\n"].concat(), 100).unwrap();
        talk.handshake.snapshot_ended();
        assert_eq!(talk.handshake.advance(&mut &b"other"[..], &mut out), Err(Refusal::WrongMark));
    }

    #[test]
    fn what_no_primary_says_ends_the_link_with_a_reason() {
        let refusal = |said: &[u8]| Talk::new(Offer::default()).hear(said, 100).unwrap_err();
        assert!(matches!(refusal(b"HTTP/1.1 400 Bad Request\r\n"), Refusal::Unexpected { .. }));
        assert!(matches!(refusal(b"-ERR go away\r\n"), Refusal::Ping(_)));
        assert!(matches!(refusal(&[b'x'; 4000]), Refusal::LongLine));
        let denied = Talk::new(Offer { password: Some(b"x".to_vec()), ..Offer::default() }).hear(b"+PONG\r\n-WRONGPASS no\r\n", 9);
        assert!(matches!(denied, Err(Refusal::Auth(_))));
        let aborted = at_psync().hear(&[b"+FULLRESYNC ", &ID[..], b" 0\r\n-ERR no disk\r\n"].concat(), 100);
        assert_eq!(aborted, Err(Refusal::Aborted("ERR no disk".into())));
    }
}
