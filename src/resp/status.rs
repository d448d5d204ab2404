//! Replies of another server that are one line each: `+` and a word, or `-` and an error.

/// Bytes of the longest line that is taken.
const LINE_MAX: usize = 1024;

/// What another server has replied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is done.
    Done,
    /// It is not, for this reason: the line without its `-`.
    Refused(Vec<u8>),
}

/// What came is neither; nothing behind it can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAStatus;

/// Puts lines together from pieces. Holds at most one, of a kibibyte.
#[derive(Default)]
pub struct StatusReader {
    line: Vec<u8>,
}

impl StatusReader {
    /// Takes the next reply from the front of `bytes`; `None` when it is not whole yet, and all of them are taken.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Status>, NotAStatus> {
        let end = memchr::memchr(b'\n', bytes);
        let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        *bytes = rest.get(1..).unwrap_or_default();
        if self.line.len() + part.len() > LINE_MAX {
            return Err(NotAStatus);
        }
        self.line.extend_from_slice(part);
        if !matches!(self.line.first(), Some(b'+' | b'-') | None) {
            return Err(NotAStatus);
        }
        if end.is_none() {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        match line.strip_suffix(b"\r").unwrap_or(&line) {
            [b'+', ..] => Ok(Some(Status::Done)),
            [b'-', text @ ..] => Ok(Some(Status::Refused(text.to_vec()))),
            _ => Err(NotAStatus),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of bytes that come in pieces of this length.
    fn read(bytes: &[u8], piece: usize) -> Vec<Result<Status, NotAStatus>> {
        let (mut reader, mut found) = (StatusReader::default(), Vec::new());
        for mut bytes in bytes.chunks(piece) {
            while !bytes.is_empty() {
                match reader.next(&mut bytes) {
                    Ok(status) => found.extend(status.map(Ok)),
                    Err(wrong) => return [found, vec![Err(wrong)]].concat(),
                }
            }
        }
        found
    }

    #[test]
    fn lines_are_put_together() {
        let expected = [Ok(Status::Done), Ok(Status::Refused(b"ERR no".to_vec())), Ok(Status::Done)];
        for piece in 1..20 {
            assert_eq!(read(b"+OK\r\n-ERR no\r\n+\n+O", piece), expected, "{piece}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_an_answer() {
        let long = [&b"+"[..], &[b'x'; LINE_MAX]].concat();
        for bytes in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"\r\n", b"$3\r\nabc\r\n", b":1\r\n", &long] {
            for piece in [1, 7, 5000] {
                assert_eq!(read(bytes, piece), [Err(NotAStatus)], "{} by {piece}", bytes.escape_ascii());
            }
        }
    }
}
