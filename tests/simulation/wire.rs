//! Requests and replies as they stand on the wire.

/// A request: its words.
pub type Words = Vec<Vec<u8>>;

/// A request of words between spaces.
pub fn words(text: &str) -> Words {
    text.split(' ').map(|w| w.as_bytes().to_vec()).collect()
}

/// A request as it stands on the wire.
pub fn wire(words: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        wire.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        wire.extend_from_slice(word);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

/// Bytes of the first whole reply or push; `None` when it has not all come.
pub fn reply_len(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|w| w == b"\r\n")? + 2;
    let count = || std::str::from_utf8(&bytes[1..line - 2]).ok().and_then(|t| t.parse::<i64>().ok()).expect("a count in a reply");
    match bytes[0] {
        b'+' | b'-' | b':' | b'_' => Some(line),
        b'$' => match count() {
            -1 => Some(line),
            n => Some(line + n as usize + 2).filter(|len| *len <= bytes.len()),
        },
        b'*' | b'>' => (0..count()).try_fold(line, |at, _| Some(at + reply_len(&bytes[at..])?)),
        b'%' => (0..2 * count()).try_fold(line, |at, _| Some(at + reply_len(&bytes[at..])?)),
        other => panic!("a reply begins with {:?}", other as char),
    }
}

/// The parts of an array or a push that is whole.
pub fn array_items(reply: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = memchr::memchr(b'\n', reply).map_or(&reply[..0], |end| &reply[end + 1..]);
    let mut items = Vec::new();
    while let Some((item, behind)) = reply_len(rest).filter(|_| !rest.is_empty()).map(|len| rest.split_at(len)) {
        items.push(item.to_vec());
        rest = behind;
    }
    items
}

/// The bytes of a bulk string that is whole.
pub fn bulk_text(reply: &[u8]) -> Vec<u8> {
    let start = memchr::memchr(b'\n', reply).map_or(0, |end| end + 1);
    reply[start..reply.len() - 2].to_vec()
}

/// The same reply as RESP3 has it, where that has a null for what is not there. What clients write has no line ends.
pub fn to_resp3(reply: &[u8]) -> Vec<u8> {
    let absent = b"$-1\r\n";
    let (mut out, mut rest) = (Vec::with_capacity(reply.len()), reply);
    while let Some(at) = memchr::memmem::find(rest, absent) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&null());
        rest = &rest[at + absent.len()..];
    }
    out.extend_from_slice(rest);
    out
}

pub const OK: &[u8] = b"+OK\r\n";

/// RESP3's null.
pub fn null() -> Vec<u8> {
    b"_\r\n".to_vec()
}

pub fn int(n: i64) -> Vec<u8> {
    format!(":{n}\r\n").into_bytes()
}

pub fn bulk(value: Option<&[u8]>) -> Vec<u8> {
    match value {
        None => b"$-1\r\n".to_vec(),
        Some(value) => [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat(),
    }
}

pub fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [format!("*{}\r\n", items.len()).into_bytes(), items.concat()].concat()
}

/// Bytes for a person, short ones whole.
pub fn shown(bytes: &[u8]) -> String {
    match bytes.len() {
        0..=40 => bytes.escape_ascii().to_string(),
        n => format!("{}...({n})", bytes[..30].escape_ascii()),
    }
}
