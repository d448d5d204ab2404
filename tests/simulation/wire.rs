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

/// Bytes of the first whole reply (RESP2); `None` when it has not all come.
pub fn reply_len(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|w| w == b"\r\n")? + 2;
    let count = || std::str::from_utf8(&bytes[1..line - 2]).ok().and_then(|t| t.parse::<i64>().ok()).expect("a count in a reply");
    match bytes[0] {
        b'+' | b'-' | b':' => Some(line),
        b'$' => match count() {
            -1 => Some(line),
            n => Some(line + n as usize + 2).filter(|len| *len <= bytes.len()),
        },
        b'*' => (0..count()).try_fold(line, |at, _| Some(at + reply_len(&bytes[at..])?)),
        other => panic!("a reply begins with {:?}", other as char),
    }
}

pub const OK: &[u8] = b"+OK\r\n";

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
