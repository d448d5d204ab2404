//! A small client: commands out, [`Value`]s in, in RESP2 and RESP3, and raw bytes for tests of the protocol itself.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// A reply. `Display` writes it in the notation of the specifications:
///
/// | reply | notation |
/// |---|---|
/// | simple string, integer, error | `OK`, `42`, `-ERR text` |
/// | bulk string | `"text\x00"` |
/// | array, push | `[1, "a"]`, `>["message", "x"]` |
/// | nil of RESP2 (bulk, array), null of RESP3 | `nil`, `nil[]`, `null` |
/// | map, set | `{"a": 1}`, `~[1, 2]` |
/// | double, boolean, big number | `,1.5`, `#t`, `(123` |
/// | verbatim, bulk error | `=txt:"text"`, `!ERR text` |
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    NilBulk,
    NilArray,
    Array(Vec<Value>),
    Null,
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    /// As it stood on the wire: how a double is written matters here.
    Double(String),
    Bool(bool),
    Big(String),
    Verbatim(String, Vec<u8>),
    BulkError(String),
}

impl Value {
    /// The text of a string of any kind, or of an error.
    #[track_caller]
    pub fn text(&self) -> String {
        match self {
            Value::Simple(s) | Value::Error(s) | Value::BulkError(s) => s.clone(),
            Value::Bulk(b) | Value::Verbatim(_, b) => String::from_utf8_lossy(b).into_owned(),
            other => panic!("not a string: {other}"),
        }
    }

    #[track_caller]
    pub fn int(&self) -> i64 {
        match self {
            Value::Int(n) => *n,
            other => panic!("not an integer: {other}"),
        }
    }

    /// The elements of an array, set or push; of a map its keys and values in turn.
    #[track_caller]
    pub fn items(&self) -> Vec<Value> {
        match self {
            Value::Array(v) | Value::Set(v) | Value::Push(v) => v.clone(),
            Value::Map(pairs) => pairs.iter().flat_map(|(k, v)| [k.clone(), v.clone()]).collect(),
            other => panic!("no elements: {other}"),
        }
    }

    /// The value that belongs to `key` in a map, or in a RESP2 array that stands for one.
    #[track_caller]
    pub fn get(&self, key: &str) -> Value {
        let items = self.items();
        let pair = items.chunks_exact(2).find(|pair| pair[0].text() == key);
        pair.unwrap_or_else(|| panic!("no {key} in {self}"))[1].clone()
    }

    /// The texts of all elements, sorted: for replies whose order means nothing.
    #[track_caller]
    pub fn sorted(&self) -> Vec<String> {
        let mut texts: Vec<_> = self.items().iter().map(Value::text).collect();
        texts.sort();
        texts
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, notation: &str) -> bool {
        let written = self.to_string();
        written == notation
    }
}

fn write_list(f: &mut fmt::Formatter, open: &str, items: &[Value]) -> fmt::Result {
    f.write_str(open)?;
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
    }
    f.write_str("]")
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Value::Simple(s) => f.write_str(s),
            Value::Error(s) => write!(f, "-{s}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Bulk(b) => write!(f, "\"{}\"", escaped(b)),
            Value::NilBulk => f.write_str("nil"),
            Value::NilArray => f.write_str("nil[]"),
            Value::Null => f.write_str("null"),
            Value::Array(items) => write_list(f, "[", items),
            Value::Set(items) => write_list(f, "~[", items),
            Value::Push(items) => write_list(f, ">[", items),
            Value::Map(pairs) => {
                f.write_str("{")?;
                for (i, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Value::Double(s) => write!(f, ",{s}"),
            Value::Bool(b) => f.write_str(if *b { "#t" } else { "#f" }),
            Value::Big(s) => write!(f, "({s}"),
            Value::Verbatim(format, b) => write!(f, "={format}:\"{}\"", escaped(b)),
            Value::BulkError(s) => write!(f, "!{s}"),
        }
    }
}

/// Bytes as they stand between double quotes, in replies and in [`words`].
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for &b in bytes {
        match b {
            b'\'' => out.push('\''), // escape_ascii would escape it too
            _ => out.extend(b.escape_ascii().map(char::from)),
        }
    }
    out
}

/// Splits a command line at blanks; `"a b\x00"` is one word with escapes, `'a b'` one without.
#[track_caller]
pub fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut bytes = line.bytes().peekable();
    loop {
        while bytes.next_if(|b| b.is_ascii_whitespace()).is_some() {}
        let Some(first) = bytes.next() else {
            return words;
        };
        let mut word = Vec::new();
        if first != b'"' && first != b'\'' {
            word.push(first);
            while let Some(b) = bytes.next_if(|b| !b.is_ascii_whitespace()) {
                word.push(b);
            }
            words.push(word);
            continue;
        }
        loop {
            match bytes.next().expect("an open quote") {
                b if b == first => break,
                b'\\' if first == b'"' => word.push(match bytes.next().expect("an open escape") {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'x' => {
                        let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                        u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    other => other,
                }),
                b => word.push(b),
            }
        }
        words.push(word);
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection. Reads give up after [`PATIENCE`] unless told otherwise.
pub struct Conn {
    stream: Stream,
    input: Vec<u8>,
    /// How much of `input` is consumed already.
    position: usize,
}

/// Why no reply came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    Closed,
    TimedOut,
}

impl Conn {
    #[track_caller]
    pub fn tcp(address: impl Into<SocketAddr>) -> Conn {
        let stream = TcpStream::connect_timeout(&address.into(), PATIENCE).expect("connect");
        stream.set_nodelay(true).unwrap();
        Conn::over(Stream::Tcp(stream))
    }

    /// The same to a server that may be gone.
    pub fn try_tcp(address: impl Into<SocketAddr>) -> std::io::Result<Conn> {
        let stream = TcpStream::connect_timeout(&address.into(), PATIENCE)?;
        stream.set_nodelay(true)?;
        Ok(Conn::over(Stream::Tcp(stream)))
    }

    #[track_caller]
    pub fn unix(path: &Path) -> Conn {
        Conn::over(Stream::Unix(UnixStream::connect(path).expect("connect")))
    }

    fn over(stream: Stream) -> Conn {
        let mut conn = Conn { stream, input: Vec::new(), position: 0 };
        conn.set_read_timeout(PATIENCE);
        conn.set_write_timeout(PATIENCE);
        conn
    }

    pub fn set_write_timeout(&mut self, timeout: Duration) {
        match &self.stream {
            Stream::Tcp(s) => s.set_write_timeout(Some(timeout)).unwrap(),
            Stream::Unix(s) => s.set_write_timeout(Some(timeout)).unwrap(),
        }
    }

    pub fn set_read_timeout(&mut self, timeout: Duration) {
        match &self.stream {
            Stream::Tcp(s) => s.set_read_timeout(Some(timeout)).unwrap(),
            Stream::Unix(s) => s.set_read_timeout(Some(timeout)).unwrap(),
        }
    }

    /// Local port of a TCP connection.
    pub fn local_port(&self) -> u16 {
        match &self.stream {
            Stream::Tcp(s) => s.local_addr().unwrap().port(),
            Stream::Unix(_) => 0,
        }
    }

    /// One command and its reply.
    #[track_caller]
    pub fn cmd<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Value {
        self.send_cmd(args);
        self.recv()
    }

    /// One command, written as a line (see [`words`]), and its reply.
    #[track_caller]
    pub fn run(&mut self, line: &str) -> Value {
        self.cmd(&words(line))
    }

    /// Command lines and what they must answer, in [`Value`]'s notation; `replies!` writes it more tersely.
    #[track_caller]
    pub fn check(&mut self, lines: &[(&str, &str)]) {
        for (line, reply) in lines {
            assert_eq!(self.run(line), **reply, "{line}");
        }
    }

    /// Sends a command without waiting for the reply.
    #[track_caller]
    pub fn send_cmd<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        self.send(&Conn::encode(args));
    }

    /// A command as it travels.
    pub fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
        let mut out = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            let arg = arg.as_ref();
            out.extend(format!("${}\r\n", arg.len()).bytes());
            out.extend_from_slice(arg);
            out.extend(b"\r\n");
        }
        out
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("send");
    }

    /// Sends to a server that may have closed the connection already.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(s) => s.write_all(bytes),
            Stream::Unix(s) => s.write_all(bytes),
        }
    }

    /// Says that nothing more will be sent, and stays to read.
    pub fn finish(&self) {
        match &self.stream {
            Stream::Tcp(s) => s.shutdown(std::net::Shutdown::Write).unwrap(),
            Stream::Unix(s) => s.shutdown(std::net::Shutdown::Write).unwrap(),
        }
    }

    /// The next reply.
    #[track_caller]
    pub fn recv(&mut self) -> Value {
        match self.value() {
            Ok(value) => value,
            Err(why) => panic!("no reply: {why:?}, after {:?}", self.unread()),
        }
    }

    /// The next reply of a server that may be gone, or may have nothing to say.
    pub fn next_reply(&mut self) -> Result<Value, Silence> {
        self.value()
    }

    /// The next reply, or none when `timeout` passes without the first byte of one.
    #[track_caller]
    pub fn try_recv(&mut self, timeout: Duration) -> Option<Value> {
        self.set_read_timeout(timeout);
        let more = self.position < self.input.len() || self.fill() != Err(Silence::TimedOut);
        self.set_read_timeout(PATIENCE);
        more.then(|| self.recv())
    }

    /// Whether the server closes the connection, now or within [`PATIENCE`], without another byte.
    #[track_caller]
    pub fn closed(&mut self) -> bool {
        self.position == self.input.len() && self.fill() == Err(Silence::Closed)
    }

    /// All bytes until the server closes the connection.
    #[track_caller]
    pub fn recv_to_end(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        while self.fill().is_ok() {
            assert!(Instant::now() < deadline, "it never closes");
        }
        let rest = self.unread();
        self.position = self.input.len();
        rest
    }

    /// The next `len` bytes as they are.
    #[track_caller]
    pub fn recv_exact(&mut self, len: usize) -> String {
        String::from_utf8_lossy(&self.take(len).expect("bytes")).into_owned()
    }

    /// The next line, without its end.
    #[track_caller]
    pub fn recv_line(&mut self) -> String {
        self.line().expect("a line")
    }

    fn unread(&self) -> String {
        String::from_utf8_lossy(&self.input[self.position..]).into_owned()
    }

    fn fill(&mut self) -> Result<(), Silence> {
        let mut chunk = [0; 16 * 1024];
        let read = match &mut self.stream {
            Stream::Tcp(s) => s.read(&mut chunk),
            Stream::Unix(s) => s.read(&mut chunk),
        };
        match read {
            Ok(0) => Err(Silence::Closed),
            Ok(len) => {
                self.input.drain(..self.position);
                self.position = 0;
                self.input.extend_from_slice(&chunk[..len]);
                Ok(())
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Err(Silence::TimedOut),
            Err(e) if e.kind() == ErrorKind::Interrupted => Ok(()),
            Err(_) => Err(Silence::Closed),
        }
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>, Silence> {
        while self.input.len() - self.position < len {
            self.fill()?;
        }
        let bytes = self.input[self.position..self.position + len].to_vec();
        self.position += len;
        Ok(bytes)
    }

    fn line(&mut self) -> Result<String, Silence> {
        loop {
            let unread = &self.input[self.position..];
            if let Some(len) = unread.windows(2).position(|w| w == b"\r\n") {
                let line = self.take(len)?;
                self.take(2)?;
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.fill()?;
        }
    }

    fn blob(&mut self, len: &str) -> Result<Option<Vec<u8>>, Silence> {
        let len: i64 = len.parse().expect("a length");
        if len < 0 {
            return Ok(None);
        }
        let bytes = self.take(len as usize)?;
        assert_eq!(self.take(2)?, b"\r\n", "the end of a bulk string");
        Ok(Some(bytes))
    }

    fn values(&mut self, count: &str, per_item: usize) -> Result<Vec<Value>, Silence> {
        let count: usize = count.parse().expect("a count");
        (0..count * per_item).map(|_| self.value()).collect()
    }

    fn value(&mut self) -> Result<Value, Silence> {
        let line = self.line()?;
        let (kind, rest) = line.split_at_checked(1).expect("the kind of a reply");
        Ok(match kind {
            "+" => Value::Simple(rest.into()),
            "-" => Value::Error(rest.into()),
            ":" => Value::Int(rest.parse().expect("an integer")),
            "$" => self.blob(rest)?.map_or(Value::NilBulk, Value::Bulk),
            "*" if rest == "-1" => Value::NilArray,
            "*" => Value::Array(self.values(rest, 1)?),
            "_" => Value::Null,
            "~" => Value::Set(self.values(rest, 1)?),
            ">" => Value::Push(self.values(rest, 1)?),
            "%" => {
                let flat = self.values(rest, 2)?;
                let pair = |pair: &[Value]| (pair[0].clone(), pair[1].clone());
                Value::Map(flat.chunks_exact(2).map(pair).collect())
            }
            "," => Value::Double(rest.into()),
            "#" => Value::Bool(rest == "t"),
            "(" => Value::Big(rest.into()),
            "=" => {
                let bytes = self.blob(rest)?.expect("a verbatim string");
                let format = String::from_utf8_lossy(&bytes[..3]).into_owned();
                Value::Verbatim(format, bytes[4..].to_vec())
            }
            "!" => Value::BulkError(String::from_utf8_lossy(&self.blob(rest)?.expect("an error")).into_owned()),
            _ => panic!("no reply begins with {line:?}"),
        })
    }
}
